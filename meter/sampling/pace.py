"""When to look at a value that moves in ticks: scan, lock, or plain looks; pure, no clock."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from meter.model import TickLock
from meter.sampling.lock import SLACK_NS, Lock, Scan, window

if TYPE_CHECKING:
    from meter.sampling.tick import Bracket, TickModel

PLAIN_COST_SHARE = 0.05  # of its time that a device may be asked for by plain looks
STEADY_NS = 500_000_000
RETRY_NS = 1_000_000_000
RETRY_MAX_NS = 60_000_000_000


def next_on_grid(at_ns: int, step_ns: int) -> int:
    """First multiple of the step after an instant: devices on one grid share wake-ups."""
    return (at_ns // step_ns + 1) * step_ns


class Pace:
    """A value that moves in ticks is scanned, then locked to.

    Where it has no grid or stands still, looks go on at a fixed rate, and a change is reason to
    scan again. ``peers`` devices share a budget of looks, each of which costs ``cost_ns``.
    """

    __slots__ = (
        "_id",
        "_locked",
        "_looks",
        "_relearn_ns",
        "_retry_ns",
        "_scan",
        "_untold",
        "cost_ns",
        "next",
        "peers",
        "told",
    )

    first_retry_ns = RETRY_NS
    """After a scan or lock that failed the next scan waits so long, then twice as long."""

    def __init__(self, device_id: str, now_ns: int) -> None:
        self._id = device_id
        self.peers = 1
        self.cost_ns = 0.0
        self.next = window(now_ns)
        self.told: TickLock | None = None
        """Set when the state of the lock has changed; whoever reads it clears it."""
        self._scan: Scan | None = self._new_scan()
        self._locked: Lock | None = None
        self._looks = 0  # of the scan that found the lock
        self._untold = False
        self._retry_ns = self.first_retry_ns
        self._relearn_ns = now_ns

    @property
    def plain(self) -> bool:
        """Whether looks go on at a fixed rate."""
        return self._locked is None and self._scan is None

    def looked(self, at_ns: int, bracket: Bracket | None, plain_ns: int) -> bool:
        """Take a look, with the change it saw; whether that is a point worth sending.

        ``plain_ns`` is the time between looks at a fixed rate.
        """
        if self._locked is not None:
            sharp = self._locked.looked(at_ns, bracket)
            self._after_lock(self._locked, at_ns, plain_ns)
            return sharp
        if self._scan is not None:
            self._step_scan(self._scan, at_ns, bracket, plain_ns)
        else:
            if bracket is not None:
                self._learn_plainly(at_ns, bracket)
            self._after_plain(at_ns, plain_ns)
        return bracket is not None

    def failed(self, at_ns: int, plain_ns: int) -> None:
        """Take a look that gave nothing."""
        if self._locked is not None:
            self._locked.failed(at_ns)
            self._after_lock(self._locked, at_ns, plain_ns)
        elif self._scan is not None:
            self._step_scan(self._scan, at_ns, None, plain_ns)
        else:
            self._step_plain(at_ns, plain_ns)

    # -- what another kind of value does otherwise ------------------------------------------

    def _new_scan(self) -> Scan:
        return Scan()

    def _new_lock(self, model: TickModel, at_ns: int) -> Lock:
        return Lock(model, at_ns, self.cost_ns, self.peers)

    def _learn_plainly(self, at_ns: int, bracket: Bracket) -> None:  # noqa: ARG002 - for others
        """A plain look saw a change."""
        if at_ns >= self._relearn_ns:
            self._scan = self._new_scan()

    # -- the same for all -------------------------------------------------------------------

    def _after_lock(self, lock: Lock, at_ns: int, plain_ns: int) -> None:
        if lock.lost:
            self._to_plain(at_ns, plain_ns)
        elif lock.silent:
            self._to_plain(at_ns, plain_ns)
            self._relearn_ns = at_ns  # it moves again whenever it likes
        else:
            if lock.steady:
                self._retry_ns = self.first_retry_ns
            if lock.settled and self._untold:
                self._tell_lock(lock)
            self.next = lock.next

    def _step_scan(self, scan: Scan, at_ns: int, bracket: Bracket | None, plain_ns: int) -> None:
        if not scan.looked(bracket):
            self.next = scan.next(at_ns, self.cost_ns, self.peers)
            return
        model = scan.model(self.cost_ns)
        if model is None:
            self._to_plain(at_ns, plain_ns)
        else:
            self._begin_lock(model, at_ns, scan.looks)

    def _begin_lock(self, model: TickModel, at_ns: int, looks: int) -> None:
        lock = self._new_lock(model, at_ns)
        self._scan, self._locked = None, lock
        self._looks, self._untold = looks, True
        self._tell_lock(lock)
        self.next = lock.next

    def _tell_lock(self, lock: Lock) -> None:
        """Tell the lock when it is found, and once more when its period is settled."""
        self._untold = not lock.settled
        self.told = TickLock(self._id, locked=True, tick_ns=lock.tick_ns, looks=self._looks)

    def _after_plain(self, at_ns: int, plain_ns: int) -> None:
        """Go on as what a plain look saw wants it."""
        if self._scan is not None:
            self.next = self._scan.next(at_ns, self.cost_ns, self.peers)
        elif self._locked is None:
            self._step_plain(at_ns, plain_ns)

    def _to_plain(self, at_ns: int, plain_ns: int) -> None:
        if not self.plain:
            looks = self._scan.looks if self._scan else 0
            self.told = TickLock(self._id, locked=False, looks=looks)
            self._relearn_ns = at_ns + self._retry_ns
            self._retry_ns = min(2 * self._retry_ns, RETRY_MAX_NS)
        self._scan = self._locked = None
        self._step_plain(at_ns, plain_ns)

    def _step_plain(self, at_ns: int, plain_ns: int) -> None:
        step = plain_ns
        if self.cost_ns > step * PLAIN_COST_SHARE:
            step = min(ceil(self.cost_ns / PLAIN_COST_SHARE / step) * step, STEADY_NS)
        self.next = window(next_on_grid(at_ns, step), 0, 4 * SLACK_NS)
