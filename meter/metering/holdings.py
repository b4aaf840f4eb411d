"""Who holds a device at an instant: holds in, owners with shares that add up to 1 out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.metering.cut import ratios
from meter.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.model import Hold

REMEMBERED = 4096
"""Ended holds a device remembers, for corrections that come late."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a part of a device's energy belongs to."""

    kind: Kind
    run_id: str | None = None


IDLE = Owner(Kind.IDLE)
REST = Owner(Kind.UNATTRIBUTED)


@dataclass(frozen=True, slots=True)
class Owners:
    """All owners of a device for a while; ``ratios`` are for ``cut.allot``.

    ``split`` tells which of them have a part only, so that what they used is an assumption;
    ``scaled`` whether they claim more than the device has.
    """

    owners: tuple[Owner, ...]
    shares: tuple[Fraction, ...]
    ratios: tuple[tuple[int, int], ...]
    split: tuple[bool, ...]
    scaled: bool = False

    @property
    def runs(self) -> int:
        """Number of runs that have a part of it."""
        parts = zip(self.owners, self.shares, strict=True)
        return sum(1 for owner, share in parts if owner.kind is Kind.RUN and share)

    @classmethod
    def sole(cls, owner: Owner) -> Owners:
        """One owner of everything."""
        return cls((owner,), (Fraction(1),), ((1, 1),), (False,))

    @classmethod
    def of(cls, holds: Iterable[Hold]) -> Owners:
        """Owners of a device under these holds, whatever order they came in."""
        claims: dict[str, Fraction] = {}
        for hold in holds:
            claims[hold.run_id] = claims.get(hold.run_id, Fraction(0)) + hold.share
        if not claims:
            return cls.sole(IDLE)
        scale = max(Fraction(1), sum(claims.values(), start=Fraction(0)))
        pairs = [(Owner(Kind.RUN, run), claims[run] / scale) for run in sorted(claims)]
        rest = 1 - sum((share for _, share in pairs), start=Fraction(0))
        if rest:
            pairs.append((REST, rest))
        owners, shares = zip(*pairs, strict=True)
        split = tuple(0 < share < 1 for share in shares)
        return cls(owners, shares, ratios(shares), split, scale > 1)


class Holdings:
    """The holds of one device in time; half-open, [start, end)."""

    def __init__(self) -> None:
        self._holds: dict[tuple[str, int], Hold] = {}
        self._starts: list[int] = []
        self._owners: list[Owners] = []
        self._before = Owners.sole(IDLE)
        self._edges: frozenset[tuple[str, int]] = frozenset()

    def put(self, hold: Hold) -> None:
        """Note a hold; the same run and start again replaces the former."""
        self._holds[hold.run_id, hold.start_ns] = hold
        self._forget()
        self._draw()

    def end(self, run_id: str, end_ns: int) -> bool:
        """End all holds of a run that are still open then; False if it has none."""
        open_holds = [
            (key, hold)
            for key, hold in self._holds.items()
            if hold.run_id == run_id and (hold.end_ns is None or hold.end_ns > end_ns)
        ]
        for key, hold in open_holds:
            self._holds[key] = replace(hold, end_ns=max(end_ns, hold.start_ns))
        if open_holds:
            self._draw()
        return bool(open_holds)

    def has(self, run_id: str) -> bool:
        """Whether the run held the device at any time that is remembered."""
        return any(hold.run_id == run_id for hold in self._holds.values())

    def at(self, at_ns: int) -> tuple[Owners, int | None]:
        """Owners at an instant, and the instant at which they change next."""
        index = bisect_right(self._starts, at_ns)
        owners = self._owners[index - 1] if index else self._before
        return owners, self._starts[index] if index < len(self._starts) else None

    def is_edge(self, run_id: str, at_ns: int) -> bool:
        """Whether a hold of the run starts or ends at this very instant."""
        return (run_id, at_ns) in self._edges

    def _forget(self) -> None:
        if len(self._holds) <= REMEMBERED:
            return
        ended = [key for key, hold in self._holds.items() if hold.end_ns is not None]
        for key in ended[: len(self._holds) - REMEMBERED]:
            del self._holds[key]
            self._before = Owners.sole(REST)  # somebody may have held it: nobody knows any more

    def _draw(self) -> None:
        holds = [h for h in self._holds.values() if h.end_ns is None or h.end_ns > h.start_ns]
        self._starts = sorted(
            {h.start_ns for h in holds} | {h.end_ns for h in holds if h.end_ns is not None}
        )
        self._owners = _sweep(holds, self._starts)
        starts = {(h.run_id, h.start_ns) for h in holds}
        ends = {(h.run_id, h.end_ns) for h in holds if h.end_ns is not None}
        self._edges = frozenset(starts ^ ends)  # one hold that follows another is no end


def _sweep(holds: list[Hold], instants: list[int]) -> list[Owners]:
    starting: dict[int, list[Hold]] = {}
    for hold in holds:
        starting.setdefault(hold.start_ns, []).append(hold)
    active: list[Hold] = []
    found = []
    for instant in instants:
        active = [h for h in active if h.end_ns is None or h.end_ns > instant]
        active += starting.get(instant, [])
        found.append(Owners.of(active))
    return found
