"""Looks at all devices, each when its follower wants, with wake-ups shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.errors import DeviceLostError, SourceError
from meter.model import DeviceFault, DeviceStatus, ProcessLook, ProcessUse, SamplerBatch
from meter.sampling.follow import SteadyFollower, TickFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meter.model import Reading, TickLock
    from meter.sampling.follow import Follower
    from meter.sampling.source import FieldFault, Source

FAULT_EVERY_NS = 1_000_000_000
RETRY_FAILED_NS = 3_000_000_000
IDLE_NS = 250_000_000
PROCESSES_NS = 10_000_000_000
CROWDED_NS = 2_000_000_000  # where several processes are on a device ...
PROCESSES_COSTS = 1_000  # ... unless a look costs more than a thousandth of that


class Watched:
    """A device that is looked at."""

    __slots__ = ("device_id", "failing_since_ns", "follower", "source")

    def __init__(self, device_id: str, source: Source, follower: Follower) -> None:
        self.device_id = device_id
        self.source = source
        self.follower = follower
        self.failing_since_ns: int | None = None


class Looker:
    """The looks at all devices and what they gave since the last :meth:`drain`.

    ``clock`` is CLOCK_BOOTTIME in ns. The owner sleeps until :meth:`wake_ns` and calls
    :meth:`look_due`; devices that fell off, or failed for 3 s, are handed over by
    :meth:`take_lost` and are no longer watched.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._watched: dict[str, Watched] = {}
        self._lost: list[tuple[Source, str]] = []
        self._readings: list[Reading] = []
        self._statuses: list[DeviceStatus] = []
        self._faults: list[DeviceFault] = []
        self._locks: list[TickLock] = []
        self._processes: list[ProcessUse] | None = None
        self._process_looks: list[ProcessLook] = []
        self._processes_at: dict[str, int] = {}
        self._processes_due: dict[str, int] = {}
        self._told: dict[tuple[str | None, str, int | None], int] = {}

    @property
    def device_ids(self) -> list[str]:
        """The devices that are looked at."""
        return list(self._watched)

    def watch(self, device_id: str, source: Source) -> None:
        """Begin, or begin anew, to look at a device."""
        now = self._clock()
        resolution = source.resolution_ns(device_id)
        follower: Follower
        if resolution is None:
            follower = TickFollower(device_id, now)
        else:
            follower = SteadyFollower(device_id, now, resolution)
        self._watched[device_id] = Watched(device_id, source, follower)
        self._count_peers()

    def unwatch(self, device_id: str) -> None:
        """Look no longer at a device."""
        self._watched.pop(device_id, None)
        self._count_peers()

    def wake_ns(self) -> int:
        """When to look next: at the most pressing look, or a little later if others can join."""
        windows = [watched.follower.next for watched in self._watched.values()]
        if not windows:
            return self._clock() + IDLE_NS
        latest_ns = min([window[2] for window in windows])
        joining_ns = max([due for earliest, due, _ in windows if earliest <= latest_ns])
        return min(latest_ns, joining_ns)

    def look_due(self) -> None:
        """Look at each device whose window is open."""
        now = before = self._clock()
        due = [each for each in self._watched.values() if each.follower.next[0] <= now]
        for watched in due:
            before = self._look(watched, before)

    def look_status(self, device_id: str) -> None:
        """Read the gauges of a device."""
        watched = self._watched.get(device_id)
        if watched is None:
            return
        try:
            status = watched.source.status(device_id)
        except SourceError as error:
            self.tell_error(device_id, "status", error)
            return
        if status is not None:
            self._statuses.append(status)

    def due_processes(self, now_ns: int) -> list[str]:
        """The devices whose processes are to be listed now."""
        due = self._processes_due
        return [each for each in self._watched if due.get(each, 0) <= now_ns + IDLE_NS]

    def look_processes(self, device_ids: Iterable[str]) -> None:
        """List the processes of the devices; one list for all of them."""
        for device_id in device_ids:
            watched = self._watched.get(device_id)
            if watched is None:
                continue
            began_ns = self._clock()
            self._processes_due[device_id] = began_ns + PROCESSES_NS
            try:
                found = watched.source.processes(device_id)
            except SourceError as error:
                self.tell_error(device_id, "processes", error)
                continue
            if found is None:
                continue
            self._processes = [*(self._processes or ()), *found]
            now = self._clock()
            self._process_looks.append(
                ProcessLook(device_id, now, self._processes_at.get(device_id))
            )
            self._processes_at[device_id] = now
            if len(found) > 1:
                pause_ns = max(CROWDED_NS, PROCESSES_COSTS * (now - began_ns))
                self._processes_due[device_id] = began_ns + min(PROCESSES_NS, pause_ns)

    def take_lost(self) -> list[tuple[Source, str]]:
        """Devices that were lost since the last call."""
        lost, self._lost = self._lost, []
        return lost

    def tell_error(
        self, device_id: str | None, field: str, error: SourceError, *, lost: bool = False
    ) -> None:
        """Report an error, each kind at most once a second."""
        self._tell(device_id, field, str(error), error.code, lost=lost)

    def drain(self, dropped: int = 0) -> SamplerBatch:
        """All since the last call; it is the heartbeat too."""
        batch = SamplerBatch(
            at_ns=self._clock(),
            readings=tuple(self._readings),
            statuses=tuple(self._statuses),
            faults=tuple(self._faults),
            locks=tuple(self._locks),
            processes=None if self._processes is None else tuple(self._processes),
            dropped=dropped,
            looks=tuple(self._process_looks),
        )
        for kept in (self._readings, self._statuses, self._faults, self._locks):
            kept.clear()
        self._process_looks.clear()
        self._processes = None
        return batch

    def _look(self, watched: Watched, before_ns: int) -> int:
        follower = watched.follower
        try:
            look = watched.source.look(watched.device_id)
        except SourceError as error:
            after_ns = self._clock()
            self._failed(watched, after_ns, error)
            return after_ns
        after_ns = self._clock()
        reading = follower.looked(before_ns, after_ns, look)
        if reading is not None:
            self._readings.append(reading)
        if follower.lock is not None:
            self._locks.append(follower.lock)
            follower.lock = None
        if look.faults:
            self._tell_fields(watched.device_id, look.faults)
        watched.failing_since_ns = None
        return after_ns

    def _failed(self, watched: Watched, at_ns: int, error: SourceError) -> None:
        watched.follower.failed(at_ns)
        if watched.failing_since_ns is None:
            watched.failing_since_ns = at_ns
        lost = isinstance(error, DeviceLostError)
        self.tell_error(watched.device_id, "look", error, lost=lost)
        if lost or at_ns - watched.failing_since_ns > RETRY_FAILED_NS:
            self._lost.append((watched.source, watched.device_id))
            self.unwatch(watched.device_id)

    def _tell_fields(self, device_id: str, faults: tuple[FieldFault, ...]) -> None:
        for fault in faults:
            self._tell(device_id, fault.field, fault.reason, fault.code, lost=False)

    def _tell(
        self, device_id: str | None, field: str, reason: str, code: int | None, *, lost: bool
    ) -> None:
        now, key = self._clock(), (device_id, field, code)
        told_ns = self._told.get(key)
        if told_ns is None or lost or now - told_ns >= FAULT_EVERY_NS:
            self._told[key] = now
            self._faults.append(DeviceFault(device_id, now, field, reason, code, lost))

    def _count_peers(self) -> None:
        followers = [watched.follower for watched in self._watched.values()]
        ticking = [each for each in followers if isinstance(each, TickFollower)]
        for follower in ticking:
            follower.peers = len(ticking)
