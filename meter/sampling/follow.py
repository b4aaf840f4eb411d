"""When to look at one device, and which looks are worth a reading; pure, no clock.

A counter that moves in ticks is scanned, then locked to; where it has no grid or stands still,
and where there is no counter but only power, looks go on at a fixed rate.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Protocol

from meter.model import Reading, TickLock
from meter.sampling.lock import SLACK_NS, Lock, Scan, Window, window

if TYPE_CHECKING:
    from meter.sampling.source import Look
    from meter.sampling.tick import Bracket

PLAIN_NS = 50_000_000
POWER_NS = 20_000_000
PLAIN_COST_SHARE = 0.05  # of its time that a device may be asked for by plain looks
STEADY_NS = 500_000_000
KEEP_ALIVE_NS = 900_000_000  # so that, with a look to come, there is a reading each second
STILL_KEEP_ALIVE_NS = 250_000_000
RETRY_NS = 1_000_000_000
RETRY_MAX_NS = 60_000_000_000

Power = tuple[int | None, int | None]
Point = tuple[int, int | None, "Look"]
"""When a value was first seen, when the one before it was last seen, and the look."""
NO_POWER: Power = (None, None)


class Follower(Protocol):
    """Says when to look at one device, and makes readings of the looks."""

    next: Window
    lock: TickLock | None
    """Set when the state of the lock has changed; whoever reads it clears it."""

    def looked(self, before_ns: int, after_ns: int, look: Look) -> Reading | None:
        """Take a look made between two instants; plan the next one."""

    def failed(self, at_ns: int) -> None:
        """Take a look that gave nothing; plan the next one."""


def next_on_grid(at_ns: int, step_ns: int) -> int:
    """First multiple of the step after an instant: devices on one grid share wake-ups."""
    return (at_ns // step_ns + 1) * step_ns


class SteadyFollower:
    """Looks twice a second at a counter that is never older than ``resolution_ns``."""

    __slots__ = ("_id", "_resolution_ns", "_seen_ns", "_value", "lock", "next")

    def __init__(self, device_id: str, now_ns: int, resolution_ns: int) -> None:
        self._id = device_id
        self._resolution_ns = resolution_ns
        self._value: int | None = None
        self._seen_ns = 0
        self.next = window(now_ns)
        self.lock: TickLock | None = None

    def looked(self, before_ns: int, after_ns: int, look: Look) -> Reading | None:
        """A reading of each look: the counter is as fresh as the look."""
        since = None
        if self._value is not None and look.energy_mj not in (None, self._value):
            since = max(self._seen_ns, before_ns - self._resolution_ns)
        self._value, self._seen_ns = look.energy_mj, before_ns
        self.failed(after_ns)
        return Reading(self._id, after_ns, since, *look[:3])

    def failed(self, at_ns: int) -> None:
        """Look again on the common grid of half seconds."""
        self.next = window(next_on_grid(at_ns, STEADY_NS), 0, 4 * SLACK_NS)


class TickFollower:
    """Follows a counter that moves in ticks, or power where there is none.

    ``peers`` is how many devices are followed so, to keep all their looks inside a budget.
    """

    __slots__ = (
        "_cost_ns",
        "_energy",
        "_energy_ns",
        "_id",
        "_locked",
        "_looks",
        "_moved_ns",
        "_pending",
        "_power",
        "_power_ns",
        "_relearn_ns",
        "_retry_ns",
        "_scan",
        "_sent_ns",
        "_untold",
        "lock",
        "next",
        "peers",
    )

    def __init__(self, device_id: str, now_ns: int, *, peers: int = 1) -> None:
        self._id = device_id
        self.peers = peers
        self.next = window(now_ns)
        self.lock: TickLock | None = None
        self._scan: Scan | None = Scan()
        self._locked: Lock | None = None
        self._looks = 0  # of the scan that found the lock
        self._untold = False
        self._energy: int | None = None
        self._energy_ns = now_ns  # begin of the last look that gave the counter
        self._moved_ns = now_ns  # end of the first look that showed its present value
        self._power = NO_POWER
        self._power_ns = now_ns  # begin of the last look that gave power
        self._sent_ns = now_ns
        self._pending: Point | None = None  # a blurred point, sent only if none better comes
        self._cost_ns = 0.0
        self._retry_ns = RETRY_NS
        self._relearn_ns = now_ns

    def looked(self, before_ns: int, after_ns: int, look: Look) -> Reading | None:
        """Take a look; a reading if it is worth one."""
        self._learn_cost(after_ns - before_ns)
        energy = look.energy_mj
        if energy is None:
            return self._without_counter(before_ns, after_ns, look)
        former, bracket = self._energy, None
        if energy != former:
            if former is not None:
                bracket = (self._energy_ns, after_ns)
            self._energy, self._moved_ns = energy, after_ns
        self._energy_ns = before_ns
        power_moved = self._take_power(before_ns, look)
        worth = self._plan(after_ns, bracket) or (power_moved and self._plain)
        if bracket is None:
            if worth or former is None:
                return self._send(after_ns, None, look)
        elif worth or energy < (former or 0):
            return self._send(after_ns, bracket[0], look)
        else:
            self._pending = (after_ns, bracket[0], look)
        return self._keep_alive(after_ns, look)

    def failed(self, at_ns: int) -> None:
        """A look that gave nothing proves nothing: go on with the next."""
        if self._locked is not None:
            self._locked.failed(at_ns)
            self._after_lock(self._locked, at_ns)
        elif self._scan is not None:
            self._step_scan(self._scan, at_ns, None)
        else:
            self._step_plain(at_ns)

    @property
    def _plain(self) -> bool:
        return self._locked is None and self._scan is None

    # -- what is sent -----------------------------------------------------------------------

    def _without_counter(self, before_ns: int, after_ns: int, look: Look) -> Reading | None:
        """Power is the primary value where the counter is missing, or was for a second."""
        if any(fault.field == "energy" and fault.lasting for fault in look.faults):
            self._energy = None
            self._to_plain(after_ns)
        else:
            self.failed(after_ns)
        if look.mean_mw is None and look.instant_mw is None:
            return None
        former, former_ns = self._power, self._power_ns
        changed = self._take_power(before_ns, look)
        counts = self._energy is not None and after_ns - self._energy_ns <= KEEP_ALIVE_NS
        if counts or not changed:
            return self._keep_alive(after_ns, look)
        return self._send(after_ns, None if former == NO_POWER else former_ns, look)

    def _take_power(self, before_ns: int, look: Look) -> bool:
        """Whether power is another than at the last look that gave it."""
        _, mean_mw, instant_mw, _ = look
        if mean_mw is None and instant_mw is None:
            return False
        power = (mean_mw, instant_mw)
        changed = power != self._power
        self._power, self._power_ns = power, before_ns
        return changed

    def _send(self, at_ns: int, since_ns: int | None, look: Look) -> Reading:
        self._sent_ns = at_ns
        self._pending = None
        return Reading(self._id, at_ns, since_ns, *look[:3])

    def _keep_alive(self, at_ns: int, look: Look) -> Reading | None:
        age = at_ns - self._sent_ns
        if age < STILL_KEEP_ALIVE_NS:
            return None
        if age < KEEP_ALIVE_NS and not (self._plain and at_ns - self._moved_ns > KEEP_ALIVE_NS):
            return None
        return self._send(*(self._pending or (at_ns, None, look)))

    def _learn_cost(self, took_ns: int) -> None:
        if self._cost_ns:  # a look that was preempted tells nothing of the cost
            self._cost_ns += (min(took_ns, 4 * self._cost_ns) - self._cost_ns) / 8
        else:
            self._cost_ns = took_ns

    # -- when to look next ------------------------------------------------------------------

    def _plan(self, at_ns: int, bracket: Bracket | None) -> bool:
        """Plan the next look; whether this one gave a point worth sending."""
        if self._locked is not None:
            sharp = self._locked.looked(at_ns, bracket)
            self._after_lock(self._locked, at_ns)
            return sharp
        if self._scan is not None:
            self._step_scan(self._scan, at_ns, bracket)
        elif bracket is not None and at_ns >= self._relearn_ns:
            self._scan = Scan()
            self.next = self._scan.next(at_ns, self._cost_ns, self.peers)
        else:
            self._step_plain(at_ns)
        return bracket is not None

    def _after_lock(self, lock: Lock, at_ns: int) -> None:
        if lock.lost:
            self._to_plain(at_ns)
        elif lock.silent:
            self._to_plain(at_ns)
            self._relearn_ns = at_ns  # it moves again whenever it likes
        else:
            if lock.steady:
                self._retry_ns = RETRY_NS
            if lock.settled and self._untold:
                self._tell_lock(lock)
            self.next = lock.next

    def _step_scan(self, scan: Scan, at_ns: int, bracket: Bracket | None) -> None:
        if not scan.looked(bracket):
            self.next = scan.next(at_ns, self._cost_ns, self.peers)
            return
        lock = scan.lock(at_ns, self._cost_ns, self.peers)
        if lock is None:
            self._to_plain(at_ns)
            return
        self._scan, self._locked = None, lock
        self._looks, self._untold = scan.looks, True
        self._tell_lock(lock)
        self.next = lock.next

    def _tell_lock(self, lock: Lock) -> None:
        """Tell the lock when it is found, and once more when its period is settled."""
        self._untold = not lock.settled
        self.lock = TickLock(self._id, locked=True, tick_ns=lock.tick_ns, looks=self._looks)

    def _to_plain(self, at_ns: int) -> None:
        if not self._plain:
            self.lock = TickLock(
                self._id, locked=False, looks=self._scan.looks if self._scan else 0
            )
            self._relearn_ns = at_ns + self._retry_ns
            self._retry_ns = min(2 * self._retry_ns, RETRY_MAX_NS)
        self._scan = self._locked = None
        self._step_plain(at_ns)

    def _step_plain(self, at_ns: int) -> None:
        by_power = self._energy is None or at_ns - self._moved_ns > KEEP_ALIVE_NS
        step = POWER_NS if by_power else PLAIN_NS
        if self._cost_ns > step * PLAIN_COST_SHARE:
            step = min(ceil(self._cost_ns / PLAIN_COST_SHARE / step) * step, STEADY_NS)
        self.next = window(next_on_grid(at_ns, step), 0, 4 * SLACK_NS)
