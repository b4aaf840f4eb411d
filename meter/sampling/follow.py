"""When to look at one device, and which looks are worth a reading; pure, no clock.

What is followed is the counter, or the updates of the power sensor where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from meter.model import Reading
from meter.sampling.lock import SLACK_NS, Window, window
from meter.sampling.pace import STEADY_NS, Pace, next_on_grid
from meter.sampling.power_pace import POWER_NS, PowerPace

if TYPE_CHECKING:
    from meter.model import TickLock
    from meter.sampling.source import Look

PLAIN_NS = 50_000_000
KEEP_ALIVE_NS = 900_000_000  # so that, with a look to come, there is a reading each second
STILL_KEEP_ALIVE_NS = 250_000_000

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
        "_by_power",
        "_cost_ns",
        "_energy",
        "_energy_ns",
        "_id",
        "_moved_ns",
        "_pace",
        "_peers",
        "_pending",
        "_power",
        "_power_ns",
        "_sent_ns",
        "lock",
        "next",
    )

    def __init__(self, device_id: str, now_ns: int, *, peers: int = 1) -> None:
        self._id = device_id
        self._peers = peers
        self._pace: Pace = Pace(device_id, now_ns)
        self._by_power: PowerPace | None = None  # the pace, if it follows power
        self.next = self._pace.next
        self.lock: TickLock | None = None
        self._energy: int | None = None
        self._energy_ns = now_ns  # begin of the last look that gave the counter
        self._moved_ns = now_ns  # end of the first look that showed its present value
        self._power = NO_POWER
        self._power_ns = now_ns  # begin of the last look that gave power
        self._sent_ns = now_ns
        self._pending: Point | None = None  # a blurred point, sent only if none better comes
        self._cost_ns = 0.0

    @property
    def peers(self) -> int:
        """How many devices are followed so."""
        return self._peers

    @peers.setter
    def peers(self, peers: int) -> None:
        self._peers = self._pace.peers = peers

    def looked(self, before_ns: int, after_ns: int, look: Look) -> Reading | None:
        """Take a look; a reading if it is worth one."""
        self._learn_cost(after_ns - before_ns)
        energy = look.energy_mj
        if energy is None:
            return self._without_counter(before_ns, after_ns, look)
        if self._by_power is not None:
            self._by_power = None
            self._take_pace(Pace(self._id, after_ns))
        former, bracket = self._energy, None
        if energy != former:
            if former is not None:
                bracket = (self._energy_ns, after_ns)
            self._energy, self._moved_ns = energy, after_ns
        self._energy_ns = before_ns
        power_moved = self._take_power(before_ns, look)
        fell = former is not None and energy < former  # set back, at an instant that is no tick's
        tick = None if fell else bracket
        worth = self._pace.looked(after_ns, tick, self._plain_ns(after_ns))
        worth = worth or (power_moved and self._pace.plain)
        self._plan()
        if bracket is None:
            if worth or former is None:
                return self._send(after_ns, None, look)
        elif worth or fell:
            return self._send(after_ns, bracket[0], look)
        else:
            self._pending = (after_ns, bracket[0], look)
        return self._keep_alive(after_ns, look)

    def failed(self, at_ns: int) -> None:
        """A look that gave nothing proves nothing: go on with the next."""
        self._pace.failed(at_ns, self._plain_ns(at_ns))
        self._plan()

    # -- what is sent -----------------------------------------------------------------------

    def _without_counter(self, before_ns: int, after_ns: int, look: Look) -> Reading | None:
        """Power is the primary value where the counter is missing, or was for a second."""
        refusals = [fault for fault in look.faults if fault.field == "energy"]
        if any(fault.lasting for fault in refusals) or not (refusals or self._energy):
            self._follow_power(after_ns)
        if look.mean_mw is None and look.instant_mw is None:
            self.failed(after_ns)
            return None
        former, since_ns = self._power, self._power_ns
        changed = self._take_power(before_ns, look)
        if self._by_power is None:
            self.failed(after_ns)
        else:
            updated = changed and _leads(former, self._power)
            bracket = (since_ns, after_ns) if updated else None
            self._by_power.looked(after_ns, bracket, POWER_NS)
            since_ns = max(since_ns, self._by_power.not_before_ns)
            self._plan()
        counts = self._energy is not None and after_ns - self._energy_ns <= KEEP_ALIVE_NS
        if counts or not changed:
            return self._keep_alive(after_ns, look)
        return self._send(after_ns, None if former == NO_POWER else since_ns, look)

    def _follow_power(self, at_ns: int) -> None:
        self._energy = None
        if self._by_power is None:
            self._by_power = PowerPace(self._id, at_ns)
            self._take_pace(self._by_power)

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
        still = (self._pace.plain or self._by_power) and at_ns - self._moved_ns > KEEP_ALIVE_NS
        if age < KEEP_ALIVE_NS and not still:
            return None
        return self._send(*(self._pending or (at_ns, None, look)))

    # -- when to look next ------------------------------------------------------------------

    def _learn_cost(self, took_ns: int) -> None:
        if self._cost_ns:  # a look that was preempted tells nothing of the cost
            self._cost_ns += (min(took_ns, 4 * self._cost_ns) - self._cost_ns) / 8
        else:
            self._cost_ns = took_ns
        self._pace.cost_ns = self._cost_ns

    def _plain_ns(self, at_ns: int) -> int:
        by_power = self._energy is None or at_ns - self._moved_ns > KEEP_ALIVE_NS
        return POWER_NS if by_power else PLAIN_NS

    def _take_pace(self, pace: Pace) -> None:
        pace.peers, pace.cost_ns = self._peers, self._cost_ns
        self._pace = pace
        self._plan()

    def _plan(self) -> None:
        self.next = self._pace.next
        if self._pace.told is not None:
            self.lock, self._pace.told = self._pace.told, None


def _leads(former: Power, power: Power) -> bool:
    """Whether the sensor had an update: of both its fields, the instant one tells when."""
    if former[1] is None or power[1] is None:
        return former[0] is not None and former[0] != power[0]
    return former[1] != power[1]
