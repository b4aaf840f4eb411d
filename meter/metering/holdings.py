"""Who holds a device at an instant: holds and looks in, owners whose shares add up to 1 out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.metering.activity import IdlePolicy, Looks
from meter.metering.cut import ratios, ratios_of
from meter.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.metering.activity import Use
    from meter.model import Hold

Ratios = tuple[tuple[int, int], ...]

REMEMBERED = 1_024
"""Ended holds a device remembers, for corrections that come late; a quarter goes at once."""
_CACHED = 16
_ALL = -(1 << 63)  # before every instant


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a part of a device's energy belongs to."""

    kind: Kind
    run_id: str | None = None


IDLE = Owner(Kind.IDLE)
REST = Owner(Kind.UNATTRIBUTED)


@dataclass(frozen=True, slots=True)
class ByUse:
    """How energy is split where it is known who used the device.

    What is above ``idle_mw`` goes by ``active``, the rest by ``idle``; without ``idle_mw`` nobody
    used it, and all is idle. ``since_ns`` keeps looks apart, ``idle_seen`` is as in :class:`Use`.
    """

    active: Ratios
    idle: Ratios
    idle_mw: int | None
    idle_seen: bool
    since_ns: int


@dataclass(frozen=True, slots=True)
class Owners:
    """All owners of a device for a while; ``ratios`` are for ``cut.allot``.

    ``split`` tells which of them have a part only, so that what they used is no measurement;
    ``scaled`` whether they claim more than the device has. Time goes by the shares; energy too,
    unless ``by_use`` says otherwise.
    """

    owners: tuple[Owner, ...]
    shares: tuple[Fraction, ...]
    ratios: Ratios
    split: tuple[bool, ...]
    scaled: bool = False
    by_use: ByUse | None = None

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

    @classmethod
    def of_users(cls, runs: Sequence[str], use: Use, policy: IdlePolicy, since_ns: int) -> Owners:
        """Owners of a device that these runs, all of them whole, hold and used like this."""
        held = [Owner(Kind.RUN, run) for run in runs]
        used = {Owner(Kind.RUN, run): weight for run, weight in use.runs if run in runs}
        if use.others is not None:
            used[REST] = use.others
        present = [owner for owner in held if owner in used] or list(used) or held
        idle_to = {IdlePolicy.OWNER: present, IdlePolicy.SHARED: held, IdlePolicy.NONE: [IDLE]}
        nobodys = [owner for owner in (REST, IDLE) if owner in used or owner in idle_to[policy]]
        owners = (*held, *nobodys)
        active = [used.get(owner, 0) for owner in owners]
        if not any(active):
            active = _equally(present, owners)
        by_use = ByUse(
            ratios_of(active),
            ratios_of(_equally(idle_to[policy], owners)),
            use.idle_mw if used else None,
            use.idle_seen,
            since_ns,
        )
        time = _equally(held, owners)
        part, nothing = Fraction(1, len(held)), Fraction(0)
        shares = tuple(part if each else nothing for each in time)
        return cls(owners, shares, ratios_of(time), (True,) * len(owners), by_use=by_use)


def _equally(some: Sequence[Owner], owners: Sequence[Owner]) -> list[int]:
    return [int(owner in some) for owner in owners]


@dataclass(frozen=True, slots=True)
class _Span:
    """Owners by what is held alone; the runs if several hold all of it, the last one's start."""

    owners: Owners
    whole: tuple[str, ...] = ()
    newest_ns: int = 0


class Holdings:
    """The holds of one device in time, and the looks at who used it; half-open, [start, end)."""

    def __init__(self, policy: IdlePolicy = IdlePolicy.OWNER) -> None:
        self._policy = policy
        self._holds: dict[tuple[str, int], Hold] = {}
        self._looks = Looks()
        self._starts: list[int] = []
        self._spans: list[_Span] = []
        self._by_use: dict[tuple[int, int, bool], Owners] = {}
        self._before = _Span(Owners.sole(IDLE))
        self._edges: frozenset[tuple[str, int]] = frozenset()

    def look(self, use: Use) -> bool:
        """Note who used the device; False if that is no news."""
        if not self._looks.put(use):
            return False
        recent = self._by_use.items() if len(self._by_use) < _CACHED else ()
        self._by_use = {key: owners for key, owners in recent if key[1] != use.from_ns}
        return True

    def put(self, hold: Hold) -> None:
        """Note a hold; the same run and start again replaces the former."""
        self._holds[hold.run_id, hold.start_ns] = hold
        self._draw(_ALL if self._forgets() else hold.start_ns)

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
            self._draw(end_ns)
        return bool(open_holds)

    def has(self, run_id: str) -> bool:
        """Whether the run held the device at any time that is remembered."""
        return any(hold.run_id == run_id for hold in self._holds.values())

    def at(self, at_ns: int) -> tuple[Owners, int | None]:
        """Owners at an instant, and the instant at which they may change next.

        A look tells nothing of the time after it where a run has come since.
        """
        index = bisect_right(self._starts, at_ns)
        span = self._spans[index - 1] if index else self._before
        change_ns = self._starts[index] if index < len(self._starts) else None
        if not span.whole:
            return span.owners, change_ns
        use, other_ns = self._looks.at(at_ns)
        if other_ns is not None:
            change_ns = other_ns if change_ns is None else min(change_ns, other_ns)
        if use is None or span.newest_ns > use.at_ns:
            return span.owners, change_ns
        carried = at_ns >= use.at_ns  # apart: the next look replaces this part alone
        key = index, use.from_ns, carried
        if key not in self._by_use:
            since_ns = use.at_ns if carried else use.from_ns
            self._by_use[key] = Owners.of_users(span.whole, use, self._policy, since_ns)
        return self._by_use[key], change_ns

    def is_edge(self, run_id: str, at_ns: int) -> bool:
        """Whether a hold of the run starts or ends at this very instant."""
        return (run_id, at_ns) in self._edges

    def _forgets(self) -> bool:
        """Make room if there are too many holds; whether any was forgotten."""
        if len(self._holds) <= REMEMBERED:
            return False
        ended = [key for key, hold in self._holds.items() if hold.end_ns is not None]
        some = ended[: len(self._holds) - REMEMBERED * 3 // 4]
        for key in some:
            del self._holds[key]
        if some:  # somebody may have held it: nobody knows any more
            self._before = _Span(Owners.sole(REST))
        return bool(some)

    def _draw(self, since_ns: int) -> None:
        """Find anew who owns the device from an instant on; what was before has not changed."""
        holds = [h for h in self._holds.values() if h.end_ns is None or h.end_ns > h.start_ns]
        recent = [h for h in holds if h.end_ns is None or h.end_ns >= since_ns]
        edges = {h.start_ns for h in recent} | {h.end_ns for h in recent if h.end_ns is not None}
        instants = sorted(edge for edge in edges if edge >= since_ns)
        kept = bisect_left(self._starts, since_ns)
        self._starts[kept:] = instants
        self._spans[kept:] = _sweep(recent, instants)
        self._by_use.clear()
        starts = {(h.run_id, h.start_ns) for h in holds}
        ends = {(h.run_id, h.end_ns) for h in holds if h.end_ns is not None}
        self._edges = frozenset(starts ^ ends)  # one hold that follows another is no end


def _sweep(holds: list[Hold], instants: list[int]) -> list[_Span]:
    starting: dict[int, list[Hold]] = {}
    for hold in holds:
        starting.setdefault(hold.start_ns, []).append(hold)
    active = [h for h in holds if h.start_ns < instants[0]] if instants else []
    found = []
    for instant in instants:
        active = [h for h in active if h.end_ns is None or h.end_ns > instant]
        active += starting.get(instant, [])
        found.append(_span(active))
    return found


def _span(holds: list[Hold]) -> _Span:
    owners = Owners.of(holds)
    real = [hold for hold in holds if hold.share]
    whole = sorted({hold.run_id for hold in real})
    if len(whole) < 2 or any(hold.share < 1 for hold in real):
        return _Span(owners)
    firsts = [min(h.start_ns for h in real if h.run_id == run) for run in whole]
    return _Span(owners, tuple(whole), max(firsts))
