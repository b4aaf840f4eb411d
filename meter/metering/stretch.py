"""The open account of a device between two boundaries: a minute's or a hold's."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from meter.metering.cut import allot, edge, until
from meter.model import Method
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.metering.holdings import Owner, Owners
    from meter.model import Segment


class Sums(NamedTuple):
    """What a stretch adds up, in mJ and, of device time, in µs; all grow only.

    ``idle`` is the part of the energy that the device draws unused.
    """

    energy: int = 0
    low: int = 0
    high: int = 0
    measured: int = 0
    held_us: int = 0
    idle: int = 0

    def plus(self, other: Sums) -> Sums:
        """These sums and others."""
        return Sums(
            self.energy + other.energy,
            self.low + other.low,
            self.high + other.high,
            self.measured + other.measured,
            self.held_us + other.held_us,
            self.idle + other.idle,
        )

    def minus(self, other: Sums) -> Sums:
        """What these sums have more than others."""
        return Sums(
            self.energy - other.energy,
            self.low - other.low,
            self.high - other.high,
            self.measured - other.measured,
            self.held_us - other.held_us,
            self.idle - other.idle,
        )


NOTHING = Sums()


def sums_between(
    segment: Segment, start_ns: int, end_ns: int, owners: Owners, span_us: int = 0
) -> Sums:
    """What a segment holds between two instants inside it, which span so much device time."""
    if start_ns <= segment.start_ns and end_ns >= segment.end_ns:
        energy, low, high = segment.energy_mj, segment.low_mj, segment.high_mj
    else:
        energy, low, high = (
            until(amount, segment, end_ns) - until(amount, segment, start_ns)
            for amount in (segment.energy_mj, segment.low_mj, segment.high_mj)
        )
    measured = energy if segment.method is Method.MEASURED else 0
    idle = 0
    if owners.by_use is not None and not segment.correction:
        before = until(segment.energy_mj, segment, start_ns)
        idle = _idle(segment, before, before + energy, owners.by_use.idle_mw)
    return Sums(energy, low, high, measured, span_us, idle)


def _idle(segment: Segment, before: int, after: int, idle_mw: int | None) -> int:
    """Idle part of a segment's energy between two amounts of it; adds up over any cuts."""
    whole = segment.energy_mj
    length_ns = segment.end_ns - segment.start_ns
    active = 0 if idle_mw is None else max(0, whole - idle_mw * length_ns // NS_PER_S)
    if not active:
        return after - before
    return after - before - (after * active // whole - before * active // whole)


def allotted(sums: Sums, owners: Owners) -> list[Sums]:
    """Each owner's part of cumulative sums; energy and time add up exactly.

    Nobody measured what each of several owners used: it may be nothing or all, however much of
    the time it was seen at work.
    """
    if len(owners.owners) == 1:
        return [sums]
    held = allot(sums.held_us, owners.ratios)
    if owners.by_use is not None:
        active = allot(sums.energy - sums.idle, owners.by_use.active)
        idle = allot(sums.idle, owners.by_use.idle)
        return [
            Sums(own + quiet, 0, sums.high, 0, time, quiet)
            for own, quiet, time in zip(active, idle, held, strict=True)
        ]
    columns = [allot(amount, owners.ratios) for amount in sums[:4]]
    return [
        Sums(energy, 0, sums.high, 0, time) if split else Sums(energy, low, high, measured, time)
        for energy, low, high, measured, time, split in zip(
            *columns, held, owners.split, strict=True
        )
    ]


def method_of(method: Method, *, split: bool) -> Method:
    """Method of an owner's part of a device."""
    return _OF_A_PART[method] if split else method


_OF_A_PART = {method: Method.weakest((method, Method.MODELLED)) for method in Method}


class Piece(NamedTuple):
    """A part of a segment that a stretch has taken, and the stretch's sums before it."""

    start_ns: int
    end_ns: int
    segment: Segment
    before: Sums


@dataclass(slots=True)
class Stretch:
    """Sums of one device, in one minute, under the same owners.

    ``base`` is what was already written of it: owners' parts are differences of cumulative
    parts, so that writing early changes nothing.
    """

    minute: int
    owners: Owners
    start_ns: int = 0
    end_ns: int = 0
    base: Sums = field(default_factory=Sums)
    total: Sums = field(default_factory=Sums)
    covered_us: int = 0
    said: Method = Method.MEASURED
    known: Method | None = None
    start_edge: tuple[int, int] = (0, 0)
    end_edge: tuple[int, int] = (0, 0)
    pieces: list[Piece] = field(default_factory=list)
    last: tuple[Sums, list[Sums]] | None = None  # that were allotted, and each owner's part

    def take(self, segment: Segment, end_ns: int, sums: Sums, covered_us: int) -> None:
        """Add a piece of a segment up to an instant."""
        start_ns = max(self.start_ns, self.end_ns, segment.start_ns)
        self.pieces.append(Piece(start_ns, end_ns, segment, self.total))
        self.total = self.total.plus(sums)
        self.end_ns = end_ns
        self.covered_us += covered_us
        self.end_edge = edge(segment, end_ns)
        self.said = segment.method
        if self.known is not segment.method and (segment.covered or sums.energy):
            # what is unknown makes nothing weaker
            self.known = Method.weakest((self.known or segment.method, segment.method))

    @property
    def method(self) -> Method:
        """The weakest method of all that is known here."""
        return self.known or self.said

    def unwritten(self, total: Sums | None = None) -> list[Sums]:
        """What each owner has to get that was not written yet, of other sums where given."""
        return self.gained(self.base, total)

    def gained(self, former: Sums, total: Sums | None = None) -> list[Sums]:
        """What each owner has more than he had of former sums, of other sums where given."""
        total = self.total if total is None else total
        if len(self.owners.owners) == 1:
            return [total.minus(former)]
        if former == NOTHING:
            return self._allotted(total)
        before = self._allotted(former)  # most often what was asked for last
        given = self._allotted(total)
        return [after.minus(old) for after, old in zip(given, before, strict=True)]

    def _allotted(self, sums: Sums) -> list[Sums]:
        if self.last is None or self.last[0] != sums:
            self.last = sums, allotted(sums, self.owners)
        return self.last[1]

    def at(self, at_ns: int) -> tuple[Sums, tuple[int, int]]:
        """Sums up to an instant, and by how much the curve may be lower and higher there."""
        index = bisect_right(self.pieces, at_ns, key=lambda piece: piece.end_ns)
        if index == len(self.pieces):
            return self.total, self.end_edge if at_ns == self.end_ns else (0, 0)
        piece = self.pieces[index]
        if at_ns <= piece.start_ns:
            return piece.before, edge(piece.segment, piece.start_ns)
        sums = sums_between(piece.segment, piece.start_ns, at_ns, self.owners)
        return piece.before.plus(sums), edge(piece.segment, at_ns)


def last_of(stretches: list[Stretch], minute: int, owners: Owners) -> Stretch | None:
    """The stretch that goes on with this minute and these owners."""
    last = stretches[-1] if stretches else None
    same = last and last.minute == minute and (last.owners is owners or last.owners == owners)
    return last if same else None


def by_owner(stretches: list[Stretch]) -> dict[Owner, Sums]:
    """What each owner gets of all of them and was not written yet."""
    found: dict[Owner, Sums] = {}
    for stretch in stretches:
        for owner, sums in zip(stretch.owners.owners, stretch.unwritten(), strict=True):
            found[owner] = found.get(owner, Sums()).plus(sums)
    return found


def methods_of(stretches: list[Stretch]) -> dict[Owner, Method]:
    """Each owner's weakest method in any of them."""
    found: dict[Owner, Method] = {}
    for stretch in stretches:
        for owner, split in zip(stretch.owners.owners, stretch.owners.split, strict=True):
            method = method_of(stretch.method, split=split)
            found[owner] = Method.weakest((found.get(owner, method), method))
    return found
