"""Segments of the curves in, intervals of runs, idle time and the rest out; exactly additive."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from meter.metering.account import Account
from meter.metering.activity import IdlePolicy
from meter.metering.point import Point
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.metering.activity import Use
    from meter.metering.part import Part
    from meter.metering.splits import Split
    from meter.metering.wall import WallAnchor
    from meter.model import Hold, Interval, Method, Segment

LATE_NS = 10 * NS_PER_S
"""A minute stays open this long, so that a run may be made known after it has begun."""


class IntervalBuilder:
    """Keeps an account of each device and closes the minutes that are over.

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
        return self._account(hold.device_id).hold(hold)

    def weigh(self, device_id: str, use: Use) -> list[Part]:
        """Note who used a device since the look before; the parts are what changed hands by that.

        It counts where several runs hold all of the device; what was closed stays as it is.
        """
        return self._account(device_id).weigh(use)

    def release(self, run_id: str, end_ns: int) -> list[Part]:
        """End a run's holds; the parts are what changed hands by that."""
        accounts = self._accounts.values()
        return [part for account in accounts for part in account.release(run_id, end_ns)]

    def resume(self, device_id: str, closed_ns: int) -> None:
        """Take up a device whose intervals are written up to an instant."""
        self._account(device_id).closed_ns = closed_ns

    def forget(self, run_id: str) -> None:
        """A run is over and settled: nobody asks for its energy here any more."""
        self._restored.pop(run_id, None)
        for account in self._accounts.values():
            account.forget(run_id)

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
                parts += [part for one in (first, *more) for part in account.correct(one)]
            else:
                parts += account.extend([first, *more])
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
            elif account.has(run_id):
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
        return [interval for account in self._accounts.values() for interval in account.open()]

    def reanchor(self, anchor: WallAnchor) -> list[Interval]:
        """Go on under another wall time; what is open is closed under the former."""
        closed = self.close_all()
        self._anchor = anchor
        for account in self._accounts.values():
            account.reanchor(anchor)
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
            total = total.plus(account.point(run_id, at_ns))
        return total

    def drain_splits(self) -> list[Split]:
        """Runs of closed time that had a part of a device only, since the last call."""
        splits, self._splits = self._splits, []
        return splits

    def _close(self, account: Account, until_ns: int) -> list[Interval]:
        closed = account.close(until_ns)
        self._splits += account.drain_splits()
        return closed

    def _account(self, device_id: str) -> Account:
        if device_id not in self._accounts:
            self._accounts[device_id] = Account(device_id, self._idle, self._anchor)
        return self._accounts[device_id]


def _alike(segment: Segment) -> tuple[str, Method, bool, bool]:
    return segment.device_id, segment.method, segment.covered, segment.correction
