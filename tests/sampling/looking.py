"""A manual clock and a programmable counter for tests of the looker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.model import Component, Device, Method

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.model import DeviceStatus, ProcessUse, Reading, TickLock
    from meter.sampling.looker import Looker
    from meter.sampling.source import Look

MS = 1_000_000
S = 1_000 * MS


class ManualClock:
    """A clock that only moves when told."""

    def __init__(self, now_ns: int = 1_000 * S) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


class FakeSource:
    """Devices whose look is a function of (device id, now); each look takes ``cost_ns``."""

    name = "fake"
    incomplete = None
    driver_version = None

    def __init__(
        self,
        clock: ManualClock,
        answer: Callable[[str, int], Look],
        *,
        cost_ns: int = 10_000,
        resolution_ns: int | None = None,
    ) -> None:
        self.clock = clock
        self.answer = answer
        self.cost_ns = cost_ns
        self._resolution_ns = resolution_ns
        self.looks: list[tuple[str, int]] = []

    def open(self) -> list[Device]:
        return [Device("GPU-0", Component.GPU, "fake", Method.MEASURED, index=0)]

    def look(self, device_id: str) -> Look:
        self.clock.now_ns += self.cost_ns // 2
        self.looks.append((device_id, self.clock.now_ns))
        look = self.answer(device_id, self.clock.now_ns)
        self.clock.now_ns += self.cost_ns // 2
        return look

    def status(self, device_id: str) -> DeviceStatus | None:
        return None

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:
        return None

    def resolution_ns(self, device_id: str) -> int | None:
        return self._resolution_ns

    def close(self) -> None:
        pass


class Taken:
    """What a looker gave in a stretch of time."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.locks: list[TickLock] = []
        self.faults: list[object] = []
        self.wakes = 0


def run(
    looker: Looker,
    clock: ManualClock,
    seconds: float,
    *,
    late_ns: Callable[[], int] = lambda: 80_000,
) -> Taken:
    """Let the looker look for a while; each wake-up comes ``late_ns`` after it was due."""
    taken = Taken()
    end = clock.now_ns + round(seconds * S)
    while clock.now_ns < end:
        clock.now_ns = max(clock.now_ns, looker.wake_ns()) + late_ns()
        looker.look_due()
        taken.wakes += 1
        batch = looker.drain()
        taken.readings += batch.readings
        taken.locks += batch.locks
        taken.faults += batch.faults
    return taken
