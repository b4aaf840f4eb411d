"""One device's energy, given to its owners and open to change until it is written; pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from meter.metering.corrections import Corrections
from meter.metering.cut import edge
from meter.metering.holdings import Holdings, Owner
from meter.metering.joining import follows, joined
from meter.metering.part import moved, part_of
from meter.metering.pieces import Cutter
from meter.metering.point import Point, Written
from meter.metering.splits import splits_of
from meter.metering.stretch import Stretch, last_of, method_of, sums_between
from meter.model import Interval, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meter.metering.activity import IdlePolicy, Use
    from meter.metering.holdings import Owners
    from meter.metering.part import Part
    from meter.metering.splits import Split
    from meter.metering.wall import WallAnchor
    from meter.model import Hold, Segment


class Account:
    """Gives a device's energy to its owners, and changes that as long as time is open."""

    def __init__(self, device_id: str, idle: IdlePolicy, anchor: WallAnchor) -> None:
        self.closed_ns: int | None = None
        self._device_id = device_id
        self._holdings = Holdings(idle)
        self._cutter = Cutter(self._holdings, anchor)
        self._corrections = Corrections(self._holdings, self._cutter)
        self._segments: list[Segment] = []
        self._stretches: list[Stretch] = []
        self._first_ns: int | None = None  # where the curve began; a run there began between ticks
        self._carried: Stretch | None = None  # the last one closed; the next may go on with it
        self._written: dict[str, Written] = {}  # by run
        self._splits: list[Split] = []

    @property
    def settled_ns(self) -> int | None:
        """End of the last segment."""
        return self._segments[-1].end_ns if self._segments else self.closed_ns

    def reanchor(self, anchor: WallAnchor) -> None:
        """Go on under another wall time, where nothing is open."""
        self._cutter.anchor = anchor

    # -- who has it ---------------------------------------------------------------------------

    def hold(self, hold: Hold) -> list[Part]:
        """Note a hold, from where nothing is closed on; what changed hands by that."""
        closed = self.closed_ns
        if closed is not None and hold.start_ns < closed:
            hold = replace(hold, start_ns=closed)
            if hold.end_ns is not None and hold.end_ns <= closed:
                return []
        self._holdings.put(hold)
        return self._again(hold.start_ns)

    def has(self, run_id: str) -> bool:
        """Whether the run held the device at any time that is remembered."""
        return self._holdings.has(run_id)

    def weigh(self, use: Use) -> list[Part]:
        """Note who used it; what changed hands by that."""
        from_ns = max(use.from_ns, self.closed_ns or use.from_ns)
        if not self._holdings.look(replace(use, from_ns=from_ns)):
            return []
        return self._again(from_ns)

    def release(self, run_id: str, end_ns: int) -> list[Part]:
        """End a run's holds; what changed hands by that."""
        end_ns = max(end_ns, self.closed_ns or end_ns)
        return self._again(end_ns) if self._holdings.end(run_id, end_ns) else []

    def _again(self, from_ns: int) -> list[Part]:
        """Count the open time since an instant once more; what changed hands."""
        settled = self.settled_ns
        if settled is None or settled <= from_ns:
            return []
        kept = bisect_right(self._stretches, from_ns, key=lambda stretch: stretch.end_ns)
        if kept and not any(one.start_ns < from_ns for one in self._stretches[kept : kept + 1]):
            kept -= 1  # the one before may go on now
        former, self._stretches = self._stretches[kept:], self._stretches[:kept]
        again_ns = former[0].start_ns if former else settled
        again = [segment for segment in self._segments if segment.end_ns > again_ns]
        self._enter(self._stretches, again, since_ns=again_ns)
        return moved(self._device_id, (from_ns, settled), former, self._stretches[kept:])

    # -- what it used -------------------------------------------------------------------------

    def correct(self, segment: Segment) -> list[Part]:
        """Take a correction."""
        return self._corrections.take(segment)

    def extend(self, segments: list[Segment]) -> list[Part]:
        """Take the next segments, which are alike."""
        closed, stretches = self.closed_ns, self._stretches
        fresh = [one for one in segments if closed is None or one.end_ns > closed]
        if not fresh:
            return []
        if self._first_ns is None and closed is None:
            self._first_ns = fresh[0].start_ns
        known = max(0, len(stretches) - 1)
        before = [(stretch.total, stretch.end_ns) for stretch in stretches[known:]]
        self._segments += fresh
        self._enter(stretches, fresh)
        parts = []
        for index, stretch in enumerate(stretches[known:]):
            former, from_ns = (
                before[index] if index < len(before) else (stretch.base, stretch.start_ns)
            )
            if stretch.end_ns == from_ns:
                continue
            for owner, sums, split in zip(
                stretch.owners.owners,
                stretch.gained(former),
                stretch.owners.split,
                strict=True,
            ):
                parts.append(part_of(fresh[0], owner, from_ns, stretch.end_ns, sums, split=split))
        return parts

    def _enter(
        self,
        stretches: list[Stretch],
        segments: Iterable[Segment],
        until_ns: int | None = None,
        since_ns: int = 0,
    ) -> None:
        anchor, from_ns = self._cutter.anchor, max(self.closed_ns or 0, since_ns)
        for segment, start, end, minute, owners in self._cutter.cut(segments, from_ns, until_ns):
            stretch = last_of(stretches, minute, owners)
            if stretch is None:
                stretch = self._opened(stretches, minute, owners)
                stretch.start_ns = start
                stretch.start_edge = edge(segment, start)
                stretches.append(stretch)
            span_us = anchor.us(end) - anchor.us(start)
            sums = sums_between(segment, start, end, owners, span_us)
            stretch.take(segment, end, sums, span_us if segment.covered else 0)

    def _opened(self, stretches: list[Stretch], minute: int, owners: Owners) -> Stretch:
        """A new stretch; the first goes on with the sums of the one that was closed last."""
        carried = None if stretches else self._carried
        if carried and carried.minute == minute and carried.owners == owners:
            return Stretch(minute, owners, base=carried.total, total=carried.total)
        return Stretch(minute, owners)

    def _draw(self, until_ns: int | None = None) -> list[Stretch]:
        """The open stretches, counted from the segments."""
        stretches: list[Stretch] = []
        self._enter(stretches, self._segments, until_ns)
        return stretches

    # -- what is written ----------------------------------------------------------------------

    def close(self, until_ns: int) -> list[Interval]:
        """The intervals up to an instant that are not written yet."""
        closed: list[Interval] = []
        if self._segments and until_ns > (self.closed_ns or self._segments[0].start_ns):
            left = [one for one in self._stretches if one.end_ns > until_ns]
            cuts = bool(left) and left[0].start_ns < until_ns
            done = self._stretches[: len(self._stretches) - len(left)]
            if cuts:
                done = self._draw(until_ns)
            closed = self._intervals(done)
            self._splits += splits_of(self._device_id, done, self._cutter.anchor)
            self._carried = done[-1] if done else self._carried
            self.closed_ns = until_ns
            self._segments = [s for s in self._segments if s.end_ns > until_ns]
            self._stretches = self._draw() if cuts else left
        closed += self._corrections.close(self.closed_ns)
        anchor = self._cutter.anchor
        for one in closed:
            if one.run_id is not None:
                start_ns, end_ns = anchor.ns(one.start_us), anchor.ns(one.end_us)
                written = self._written.setdefault(one.run_id, Written())
                written.add(start_ns, end_ns, one.energy_mj, one.low_mj, one.high_mj)
        return closed

    def open(self) -> list[Interval]:
        """What is not written, left open."""
        return self._intervals(self._stretches)

    def drain_splits(self) -> list[Split]:
        """Runs of closed time that had a part only, since the last call."""
        splits, self._splits = self._splits, []
        return splits

    def forget(self, run_id: str) -> None:
        """Nobody asks for a run's energy here any more."""
        self._written.pop(run_id, None)

    def point(self, run_id: str, at_ns: int | None) -> Point:
        """Energy of a run up to an instant (None: all that is settled)."""
        written = self._written.get(run_id)
        if at_ns is not None and self.closed_ns is not None and at_ns < self.closed_ns:
            return written.at(at_ns) if written else Point()
        total = written.last if written else Point()
        owner = Owner(Kind.RUN, run_id)
        for stretch in self._stretches:
            begun = at_ns is None or stretch.start_ns < at_ns
            if begun and owner in stretch.owners.owners:
                total = total.plus(self._open_point(stretch, owner, at_ns))
        return total.plus(self._corrections.point(owner, at_ns))

    def _open_point(self, stretch: Stretch, owner: Owner, at_ns: int | None) -> Point:
        """An owner's part of a stretch up to an instant in it or after it (None: all of it)."""
        sums, (below, above) = stretch.total, (0, 0)
        if at_ns is not None:
            sums, (below, above) = stretch.at(at_ns)
        index = stretch.owners.owners.index(owner)
        given = stretch.unwritten(sums)[index]
        start_below, start_above = self._start_edges(stretch, owner)
        low = max(0, min(given.low, given.energy) - start_below)
        return Point(given.energy, low, max(given.high, given.energy) + start_above, below, above)

    def _intervals(self, stretches: Iterable[Stretch]) -> list[Interval]:
        """Intervals of stretches; each look begins a stretch, but not an interval."""
        found: list[Interval] = []
        last: dict[Owner, tuple[int, bool]] = {}
        for stretch in stretches:
            by_use = stretch.owners.by_use is not None
            for owner, one in zip(stretch.owners.owners, self._of_stretch(stretch), strict=True):
                index, also = last.get(owner, (-1, False))
                if index >= 0 and (by_use or also) and follows(found[index], one):
                    found[index] = joined(found[index], one)
                else:
                    index = len(found)
                    found.append(one)
                last[owner] = index, by_use
        return found

    def _of_stretch(self, stretch: Stretch) -> Iterator[Interval]:
        anchor, owners = self._cutter.anchor, stretch.owners
        start_us = anchor.us(stretch.start_ns)
        for owner, sums, split in zip(
            owners.owners, stretch.unwritten(), owners.split, strict=True
        ):
            below, above = self._edges(stretch, owner)
            yield Interval(
                device_id=self._device_id,
                kind=owner.kind,
                run_id=owner.run_id,
                start_us=start_us,
                end_us=max(anchor.us(stretch.end_ns), start_us + 1),
                energy_mj=sums.energy,
                low_mj=max(0, min(sums.low, sums.energy) - below),
                high_mj=max(sums.high, sums.energy) + above,  # each was rounded by itself
                covered_us=stretch.covered_us,
                measured_mj=min(sums.measured, sums.energy),
                method=method_of(stretch.method, split=split),
                held_us=sums.held_us,
            )

    def _start_edges(self, stretch: Stretch, owner: Owner) -> tuple[int, int]:
        """By how much less and more a run may have got because it began between ticks, in mJ."""
        begins = stretch.start_ns == self._first_ns
        if owner.run_id and (begins or self._holdings.is_edge(owner.run_id, stretch.start_ns)):
            return stretch.start_edge[1], stretch.start_edge[0]  # the curve was higher: it got less
        return 0, 0

    def _edges(self, stretch: Stretch, owner: Owner) -> tuple[int, int]:
        """By how much less and more a run may have got because it began or ended between ticks."""
        if owner.run_id is None:
            return 0, 0
        below, above = self._start_edges(stretch, owner)
        if self._holdings.is_edge(owner.run_id, stretch.end_ns):
            below += stretch.end_edge[0]
            above += stretch.end_edge[1]
        return below, above
