"""CPU and memory energy that Linux reads from RAPL, through /sys/class/powercap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.errors import SourceAbsentError, TransientError
from meter.model import Component, Device, DeviceStatus, Method, ProcessUse
from meter.sampling.source import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RESOLUTION_NS = 1_000_000  # the counter moves about every millisecond
UJ_PER_MJ = 1_000
REMEDY = "let the meter read energy_uj under /sys/class/powercap (root, or a udev rule)"


class _Zone:
    """One counter, its wraps taken out."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range_uj = _number(folder / "max_energy_range_uj")
        self._last_uj = _number(self._file)
        self.total_uj = 0

    def read(self) -> int:
        """Energy in µJ since the zone was opened."""
        now_uj = _number(self._file)
        difference = now_uj - self._last_uj
        self.total_uj += difference if difference >= 0 else difference + self._range_uj
        self._last_uj = now_uj
        return self.total_uj


class Rapl:
    """A device for each CPU package and one for all DRAM; ``root`` is the powercap folder."""

    name = "rapl"
    driver_version = None
    incomplete = None

    def __init__(self, root: Path, clock: Callable[[], int]) -> None:
        self._root = root
        self._clock = clock
        self._zones: dict[str, tuple[_Zone, ...]] = {}

    def open(self) -> list[Device]:
        """The zones that can be read; SourceAbsentError if none can."""
        if not self._zones:
            self._zones = self._find()
        return [_device(device_id) for device_id in self._zones]

    def components(self) -> frozenset[Component]:
        """What is measured here, so that it is not modelled too."""
        return frozenset(_component(device_id) for device_id in self._zones)

    def look(self, device_id: str) -> Look:
        """Energy since the source was opened."""
        try:
            energy_uj = sum(zone.read() for zone in self._zones[device_id])
        except (OSError, ValueError) as error:
            raise TransientError(f"{device_id}: {error}") from error
        return Look(energy_uj // UJ_PER_MJ)

    def status(self, device_id: str) -> DeviceStatus | None:  # noqa: ARG002 - one interface
        """None: no gauges."""
        return None

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:  # noqa: ARG002 - one interface
        """None: no process lists."""
        return None

    def resolution_ns(self, device_id: str) -> int | None:  # noqa: ARG002 - one interface
        """A millisecond."""
        return RESOLUTION_NS

    def close(self) -> None:
        """Nothing to give back; the counters go on."""

    def _find(self) -> dict[str, tuple[_Zone, ...]]:
        found: dict[str, tuple[_Zone, ...]] = {}
        memory: list[_Zone] = []
        try:
            # The same counters are shown under intel-rapl-mmio once more: only one is taken.
            for folder in sorted(self._root.glob("intel-rapl:*")):
                name = (folder / "name").read_text(encoding="ascii").strip()
                if name.startswith("package"):
                    found[f"cpu-{len(found)}"] = (_Zone(folder),)
                elif name == "dram":
                    memory.append(_Zone(folder))
        except (OSError, ValueError) as error:
            raise SourceAbsentError(f"RAPL cannot be read ({error})", REMEDY) from error
        if memory:
            found["ram"] = tuple(memory)
        if not found:
            raise SourceAbsentError(
                "this kernel shows no RAPL counters", "CPU and RAM are modelled instead"
            )
        return found


def _component(device_id: str) -> Component:
    return Component.RAM if device_id == "ram" else Component.CPU


def _device(device_id: str) -> Device:
    component = _component(device_id)
    name = "RAPL dram" if component is Component.RAM else f"RAPL package {device_id[4:]}"
    return Device(device_id, component, name, Method.MEASURED)


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))
