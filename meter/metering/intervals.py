"""Segments of the curves in, intervals of runs, idle time and the rest out; exactly additive."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from meter.metering.account import Account
from meter.metering.activity import IdlePolicy
from meter.metering.cut import edge
from meter.metering.holdings import REST, Holdings, Owner, Owners
from meter.metering.joining import follows, joined
from meter.metering.point import Point, Written
from meter.metering.splits import Split, splits_of
from meter.metering.stretch import (
    Stretch,
    Sums,
    allotted,
    by_owner,
    last_of,
    method_of,
    methods_of,
    sums_between,
)
from meter.model import Basis, Interval, Kind, Method
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meter.metering.activity import Use
    from meter.metering.wall import WallAnchor
    from meter.model import Hold, Segment

LATE_NS = 10 * NS_PER_S
"""A minute stays open this long, so that a run may be made known after it has begun."""


@dataclass(frozen=True, slots=True)
class Part:
    """Energy that came to an owner just now; what live counters book.

    A late hold moves energy and device time from one owner to another: the former then gets a
    negative part.
    """

    device_id: str
    kind: Kind
    run_id: str | None
    start_ns: int
    end_ns: int
    energy_mj: int
    low_mj: int
    high_mj: int
    covered: bool
    method: Method
    correction: bool = False
    held_us: int = 0  # device time, shares applied


class IntervalBuilder:
    """Cuts segments at minutes and holds and keeps what is not written yet.

    All instants are CLOCK_BOOTTIME ns. ``late_ns`` is how long after its end a minute may still
    change hands, ``idle`` who gets the idle power of a device that several runs hold.
    """

    def __init__(
        self,
        anchor: WallAnchor,
        holds: Iterable[Hold] = (),
        *,
        late_ns: int = LATE_NS,
        idle: IdlePolicy = IdlePolicy.OWNER,
    ) -> None:
        self._anchor = anchor
        self._late_ns = late_ns
        self._idle = idle
        self._accounts: dict[str, Account] = {}
        self._restored: dict[str, Point] = {}
        self._splits: list[Split] = []
        for hold in holds:
            self.hold(hold)

    @property
    def anchor(self) -> WallAnchor:
        """What the intervals' labels come from."""
        return self._anchor

    def hold(self, hold: Hold) -> list[Part]:
        """Give a run a device from an instant on; the parts are what changed hands by that.

        What was closed already stays with its owner: an earlier start counts from there. The
        same run, device and start again replaces the former share and end.
        """
        account = self._account(hold.device_id)
        closed = account.closed_ns
        if closed is not None and hold.start_ns < closed:
            hold = replace(hold, start_ns=closed)
            if hold.end_ns is not None and hold.end_ns <= closed:
                return []
        account.holdings.put(hold)
        return self._again(account, hold.start_ns)

    def weigh(self, device_id: str, use: Use) -> list[Part]:
        """Note who used a device since the look before; the parts are what changed hands by that.

        It counts where several runs hold all of the device; what was closed stays as it is.
        """
        account = self._account(device_id)
        from_ns = max(use.from_ns, account.closed_ns or use.from_ns)
        if not account.holdings.look(replace(use, from_ns=from_ns)):
            return []
        return self._again(account, from_ns)

    def release(self, run_id: str, end_ns: int) -> list[Part]:
        """End a run's holds; the parts are what changed hands by that."""
        parts: list[Part] = []
        for account in self._accounts.values():
            end = max(end_ns, account.closed_ns or end_ns)
            if account.holdings.end(run_id, end):
                parts += self._again(account, end)
        return parts

    def resume(self, device_id: str, closed_ns: int) -> None:
        """Take up a device whose intervals are written up to an instant."""
        self._account(device_id).closed_ns = closed_ns

    def forget(self, run_id: str) -> None:
        """A run is over and settled: nobody asks for its energy here any more."""
        self._restored.pop(run_id, None)
        for account in self._accounts.values():
            account.written.pop(run_id, None)

    def restore(self, run_id: str, written: Point) -> None:
        """Take up a run of which so much is written."""
        self._restored[run_id] = written

    def add(self, *segments: Segment) -> list[Part]:
        """Take the next settled segments of devices, or corrections.

        A device's segments come in order; devices among each other in any. The parts of a
        correction are marked: reports show it, live counters do not. Segments of a device that
        follow each other and are alike give parts together.
        """
        parts = []
        for _, alike in groupby(segments, key=_alike):
            first, *more = alike
            account = self._account(first.device_id)
            if first.correction:
                parts += [part for one in (first, *more) for part in self._correct(account, one)]
            else:
                parts += self._extend(account, [first, *more])
        return parts

    def _correct(self, account: Account, segment: Segment) -> list[Part]:
        account.corrections.append((segment, segment.start_ns))
        return [
            _part(segment, owner, start, end, sums, split=split)
            for start, end, owner, sums, split in self._shares(account, segment, segment.start_ns)
        ]

    def _extend(self, account: Account, segments: list[Segment]) -> list[Part]:
        closed, stretches = account.closed_ns, account.stretches
        fresh = [one for one in segments if closed is None or one.end_ns > closed]
        if not fresh:
            return []
        if account.first_ns is None and closed is None:
            account.first_ns = fresh[0].start_ns
        known = max(0, len(stretches) - 1)
        before = [(stretch.total, stretch.end_ns) for stretch in stretches[known:]]
        account.segments += fresh
        self._enter(account, stretches, fresh)
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
                parts.append(_part(fresh[0], owner, from_ns, stretch.end_ns, sums, split=split))
        return parts

    def close(self, until_ns: int, *, run_id: str | None = None) -> list[Interval]:
        """Intervals of all minutes that are over, once each.

        A minute is over when the device's curve has come ``late_ns`` past it. With a run, its
        devices are closed up to the instant (or where their curve has come to), in mid-minute
        too, whoever else holds them; call it after their curves have settled past the run's end.
        """
        closed: list[Interval] = []
        for account in self._accounts.values():
            settled = account.settled_ns
            if settled is None:
                continue
            until = min(until_ns, settled)
            if run_id is None:
                minute = self._anchor.minute(until - self._late_ns)
                closed += self._close(account, self._anchor.minute_ns(minute))
            elif account.holdings.has(run_id):
                closed += self._close(account, until)
        return closed

    def close_all(self) -> list[Interval]:
        """Everything that is not written yet: the meter stops."""
        closed: list[Interval] = []
        for account in self._accounts.values():
            if account.settled_ns is not None:
                closed += self._close(account, account.settled_ns)
        return closed

    def open(self) -> list[Interval]:
        """What ``close_all`` would give, left open."""
        return [
            interval
            for account in self._accounts.values()
            for interval in self._written_as(account, account.stretches)
        ]

    def reanchor(self, anchor: WallAnchor) -> list[Interval]:
        """Go on under another wall time; what is open is closed under the former."""
        closed = self.close_all()
        self._anchor = anchor
        return closed

    def energy_mj(self, run_id: str, at_ns: int | None = None) -> int:
        """Energy of a run up to an instant (None: all that is settled), in mJ."""
        return self.point(run_id, at_ns).energy

    def point(self, run_id: str, at_ns: int | None = None) -> Point:
        """Energy of a run up to an instant (None: all that is settled), and how sure it is.

        It adds up to the run's intervals, exactly. Of an instant that is closed already only
        those around it are remembered, so that its bounds are theirs.
        """
        total = self._restored.get(run_id, Point())
        for account in self._accounts.values():
            written = account.written.get(run_id)
            if at_ns is not None and account.closed_ns is not None and at_ns < account.closed_ns:
                total = total.plus(written.at(at_ns) if written else Point())
                continue
            total = total.plus(written.last if written else Point())
            total = total.plus(self._open_point(account, Owner(Kind.RUN, run_id), at_ns))
        return total

    def _open_point(self, account: Account, owner: Owner, at_ns: int | None) -> Point:
        """The part that is not written yet, corrections included."""
        total = Point()
        for stretch in account.stretches:
            begun = at_ns is None or stretch.start_ns < at_ns
            if begun and owner in stretch.owners.owners:
                total = total.plus(account.point(stretch, owner, at_ns))
        for segment, from_ns in account.corrections:
            for _, _, whose, sums, _ in self._shares(account, segment, from_ns, at_ns):
                if whose == owner:
                    total = total.plus(Point(sums.energy, sums.low, sums.high))
        return total

    def drain_splits(self) -> list[Split]:
        """Runs of closed time that had a part of a device only, since the last call."""
        splits, self._splits = self._splits, []
        return splits

    def _account(self, device_id: str) -> Account:
        if device_id not in self._accounts:
            self._accounts[device_id] = Account(device_id, Holdings(self._idle))
        return self._accounts[device_id]

    def _again(self, account: Account, from_ns: int) -> list[Part]:
        """Count the open time since an instant once more; what changed hands."""
        settled = account.settled_ns
        if settled is None or settled <= from_ns:
            return []
        kept = bisect_right(account.stretches, from_ns, key=lambda stretch: stretch.end_ns)
        if kept and not any(one.start_ns < from_ns for one in account.stretches[kept : kept + 1]):
            kept -= 1  # the one before may go on now
        former, account.stretches = account.stretches[kept:], account.stretches[:kept]
        again_ns = former[0].start_ns if former else settled
        again = [segment for segment in account.segments if segment.end_ns > again_ns]
        self._enter(account, account.stretches, again, since_ns=again_ns)
        fresh = account.stretches[kept:]
        before, after = by_owner(former), by_owner(fresh)
        methods = methods_of([*fresh, *former])
        return [
            Part(
                account.device_id,
                owner.kind,
                owner.run_id,
                from_ns,
                settled,
                *moved[:3],
                covered=True,
                method=methods[owner],
                held_us=moved.held_us,
            )
            for owner in sorted(before | after, key=lambda o: (o.kind, o.run_id or ""))
            if any(moved := after.get(owner, Sums()).minus(before.get(owner, Sums())))
        ]

    def _draw(self, account: Account, until_ns: int | None = None) -> list[Stretch]:
        """The open stretches, counted from the segments."""
        stretches: list[Stretch] = []
        self._enter(account, stretches, account.segments, until_ns)
        return stretches

    def _enter(
        self,
        account: Account,
        stretches: list[Stretch],
        segments: Iterable[Segment],
        until_ns: int | None = None,
        since_ns: int = 0,
    ) -> None:
        from_ns = max(account.closed_ns or 0, since_ns)
        for segment, start, end, minute, owners in self._pieces(
            account, segments, from_ns, until_ns
        ):
            stretch = last_of(stretches, minute, owners)
            if stretch is None:
                stretch = account.opened(stretches, minute, owners)
                stretch.start_ns = start
                stretch.start_edge = edge(segment, start)
                stretches.append(stretch)
            span_us = self._anchor.us(end) - self._anchor.us(start)
            sums = sums_between(segment, start, end, owners, span_us)
            stretch.take(segment, end, sums, span_us if segment.covered else 0)

    def _pieces(
        self,
        account: Account,
        segments: Iterable[Segment],
        from_ns: int,
        until_ns: int | None = None,
    ) -> Iterator[tuple[Segment, int, int, int, Owners]]:
        """The segments' time, cut at minutes and holds: segment, start, end, minute, owners."""
        spans = self._spans(account)
        for segment in segments:
            start = max(segment.start_ns, from_ns)
            stop = segment.end_ns if until_ns is None else min(segment.end_ns, until_ns)
            while start < stop:
                minute, owners, change_ns = spans(start)
                end = min(stop, change_ns)
                yield segment, start, end, minute, owners
                start = end

    def _spans(self, account: Account) -> Callable[[int], tuple[int, Owners, int]]:
        """Minute and owners at an instant, and when they change; asked in order, looked up once."""
        since_ns, until_ns, minute, owners = 0, 0, 0, Owners.sole(REST)

        def at(at_ns: int) -> tuple[int, Owners, int]:
            nonlocal since_ns, until_ns, minute, owners
            if not since_ns <= at_ns < until_ns:
                owners, change_ns = account.holdings.at(at_ns)
                minute = self._anchor.minute(at_ns)
                since_ns, until_ns = at_ns, self._anchor.minute_ns(minute + 1)
                if change_ns is not None:
                    until_ns = min(until_ns, change_ns)
            return minute, owners, until_ns

        return at

    def _shares(
        self, account: Account, segment: Segment, from_ns: int, until_ns: int | None = None
    ) -> Iterator[tuple[int, int, Owner, Sums, bool]]:
        """A correction's time and energy, cut at minutes and holds, by owner."""
        for _, start, end, _, owners in self._pieces(account, [segment], from_ns, until_ns):
            given = allotted(sums_between(segment, start, end, owners), owners)
            for owner, sums, split in zip(owners.owners, given, owners.split, strict=True):
                yield start, end, owner, sums, split

    def _close(self, account: Account, until_ns: int) -> list[Interval]:
        closed: list[Interval] = []
        if account.segments and until_ns > (account.closed_ns or account.segments[0].start_ns):
            left = [one for one in account.stretches if one.end_ns > until_ns]
            cuts = bool(left) and left[0].start_ns < until_ns
            done = account.stretches[: len(account.stretches) - len(left)]
            if cuts:
                done = self._draw(account, until_ns)
            closed = self._written_as(account, done)
            self._splits += splits_of(account.device_id, done, self._anchor)
            account.carried = done[-1] if done else account.carried
            account.closed_ns = until_ns
            account.segments = [s for s in account.segments if s.end_ns > until_ns]
            account.stretches = self._draw(account) if cuts else left
        closed += self._corrections(account, account.closed_ns)
        for one in closed:
            if one.run_id is not None:
                start_ns, end_ns = self._anchor.ns(one.start_us), self._anchor.ns(one.end_us)
                written = account.written.setdefault(one.run_id, Written())
                written.add(start_ns, end_ns, one.energy_mj, one.low_mj, one.high_mj)
        return closed

    def _written_as(self, account: Account, stretches: Iterable[Stretch]) -> list[Interval]:
        """Intervals of stretches; each look begins a stretch, but not an interval."""
        found: list[Interval] = []
        last: dict[Owner, tuple[int, bool]] = {}
        for stretch in stretches:
            by_use = stretch.owners.by_use is not None
            for owner, one in zip(
                stretch.owners.owners, self._intervals(account, stretch), strict=True
            ):
                index, also = last.get(owner, (-1, False))
                if index >= 0 and (by_use or also) and follows(found[index], one):
                    found[index] = joined(found[index], one)
                else:
                    index = len(found)
                    found.append(one)
                last[owner] = index, by_use
        return found

    def _intervals(self, account: Account, stretch: Stretch) -> Iterator[Interval]:
        start_us = self._anchor.us(stretch.start_ns)
        owners = stretch.owners
        for owner, sums, split in zip(
            owners.owners, stretch.unwritten(), owners.split, strict=True
        ):
            below, above = account.run_edges(stretch, owner)
            yield Interval(
                device_id=account.device_id,
                kind=owner.kind,
                run_id=owner.run_id,
                start_us=start_us,
                end_us=max(self._anchor.us(stretch.end_ns), start_us + 1),
                energy_mj=sums.energy,
                low_mj=max(0, min(sums.low, sums.energy) - below),
                high_mj=max(sums.high, sums.energy) + above,  # each was rounded by itself
                covered_us=stretch.covered_us,
                measured_mj=min(sums.measured, sums.energy),
                method=method_of(stretch.method, split=split),
                held_us=sums.held_us,
            )

    def _corrections(self, account: Account, until_ns: int | None) -> list[Interval]:
        """Corrections of what is closed; the others wait, so that late holds reach them too."""
        if until_ns is None:
            return []
        found: dict[tuple[int, Owner, Method], Interval] = {}
        waiting = []
        for segment, from_ns in account.corrections:
            for start, end, owner, sums, split in self._shares(account, segment, from_ns, until_ns):
                method = method_of(segment.method, split=split)
                one = self._correction(account, segment, start, end, owner, sums, method)
                key = (self._anchor.minute(start), owner, method)
                found[key] = joined(found[key], one) if key in found else one
            if segment.end_ns > until_ns:
                waiting.append((segment, max(from_ns, until_ns)))
        account.corrections = waiting
        return list(found.values())

    def _correction(
        self,
        account: Account,
        segment: Segment,
        start_ns: int,
        end_ns: int,
        owner: Owner,
        sums: Sums,
        method: Method,
    ) -> Interval:
        start_us, end_us = self._anchor.us(start_ns), self._anchor.us(end_ns)
        below, above = account.correction_edges(segment, start_ns, end_ns, owner)
        bridges = segment.basis is Basis.COUNTER_GAP  # it was unknown, and is known now
        return Interval(
            device_id=segment.device_id,
            kind=owner.kind,
            run_id=owner.run_id,
            start_us=start_us,
            end_us=max(end_us, start_us + 1),
            energy_mj=sums.energy,
            low_mj=max(0, sums.low - below) if bridges else sums.low,
            high_mj=sums.high + above,
            covered_us=end_us - start_us if bridges else 0,
            measured_mj=sums.measured,
            method=method,
            correction=True,
            held_us=0,
        )


def _alike(segment: Segment) -> tuple[str, Method, bool, bool]:
    return segment.device_id, segment.method, segment.covered, segment.correction


def _part(
    segment: Segment, owner: Owner, start_ns: int, end_ns: int, sums: Sums, *, split: bool
) -> Part:
    return Part(
        segment.device_id,
        owner.kind,
        owner.run_id,
        start_ns,
        end_ns,
        sums.energy,
        sums.low,
        sums.high,
        segment.covered,
        method_of(segment.method, split=split),
        segment.correction,
        sums.held_us,
    )
