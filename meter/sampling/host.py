"""CPU and RAM by a model, for hosts whose energy nobody measures; always labelled so.

CPU power is TDP x (idle share + the rest x load), the load from /proc/stat; RAM power is constant
for each GiB. The constants, with their sources, are in ``data/host_model.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from meter.errors import SourceAbsentError, TransientError
from meter.model import Component, Device, DeviceStatus, Method, ProcessUse
from meter.sampling.cpu_list import list_path, read_list, tdp_watts
from meter.sampling.source import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIB_PER_GIB = 1024 * 1024
IDLE_COLUMNS = (3, 4)  # idle, iowait
COLUMNS = 8  # user to steal; guest time is in user already


@dataclass(frozen=True, slots=True)
class Constants:
    """The model's constants, in W and shares."""

    cpu_idle_share: float
    cpu_watts_per_thread: float
    ram_watts_per_gib: float

    @classmethod
    def bundled(cls) -> Constants:
        """Those of the data file."""
        text = (files("meter.sampling") / "data" / "host_model.json").read_text(encoding="utf-8")
        rows = json.loads(text)
        return cls(**{name: float(rows[name]["value"]) for name in cls.__slots__})


class Host:
    """Models what ``measured()`` does not name; ``proc`` is the folder /proc.

    It tells power only, the mean since the last look (the first: since the machine was started):
    a model has no counter that would go on while nobody looks.
    """

    name = "host"
    driver_version = None
    incomplete = None

    def __init__(
        self,
        proc: Path,
        *,
        measured: Callable[[], frozenset[Component]] = frozenset,
        cpu_list: Callable[[], Path | None] = list_path,
    ) -> None:
        self._proc = proc
        self._measured = measured
        self._cpu_list = cpu_list
        self._constants: Constants | None = None
        self._full_mw = 0
        self._idle_mw = 0
        self._ram_mw = 0
        self._ticks = (0, 0)
        self._devices: dict[str, Device] = {}

    def open(self) -> list[Device]:
        """The modelled devices; SourceAbsentError if /proc tells nothing."""
        if self._constants is None:
            try:
                self._describe(Constants.bundled())
            except (OSError, ValueError, IndexError) as error:
                raise SourceAbsentError(
                    f"CPU and RAM cannot be modelled ({error})", "mount /proc to meter the host"
                ) from error
        measured = self._measured()
        return [each for each in self._devices.values() if each.component not in measured]

    def look(self, device_id: str) -> Look:
        """Modelled mean power since the last look."""
        power_mw = self._ram_mw
        if self._devices[device_id].component is Component.CPU:
            try:
                power_mw = self._idle_mw + round((self._full_mw - self._idle_mw) * self._load())
            except (OSError, ValueError, IndexError) as error:
                raise TransientError(f"/proc/stat: {error}") from error
        return Look(mean_mw=power_mw)

    def status(self, device_id: str) -> DeviceStatus | None:  # noqa: ARG002 - one interface
        """None: no gauges."""
        return None

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:  # noqa: ARG002 - one interface
        """None: no process lists."""
        return None

    def resolution_ns(self, device_id: str) -> int | None:  # noqa: ARG002 - one interface
        """The model is as fresh as the look."""
        return 1

    def close(self) -> None:
        """Nothing to give back."""

    def _describe(self, constants: Constants) -> None:
        info = (self._proc / "cpuinfo").read_text(encoding="utf-8", errors="replace")
        model, threads, sockets = _cpu(info)
        file = self._cpu_list()
        known = tdp_watts(model, read_list(file)) if file else None
        if known is None:
            watts, method = threads * constants.cpu_watts_per_thread, Method.ASSUMED
            name = f"{model} (not in the CPU list: {constants.cpu_watts_per_thread:g} W a thread)"
        else:
            watts, method = sockets * known[1], Method.MODELLED
            name = f"{model} (TDP {known[1]:g} W x {sockets})"
        gib = _memory_kib(self._proc) / KIB_PER_GIB
        self._read_ticks()
        self._full_mw = round(watts * 1_000)
        self._idle_mw = round(self._full_mw * constants.cpu_idle_share)
        self._ram_mw = round(gib * constants.ram_watts_per_gib * 1_000)
        devices = (
            _device("cpu-0", Component.CPU, name, method, self._idle_mw, self._full_mw),
            _device(
                "ram",
                Component.RAM,
                f"{gib:.0f} GiB RAM",
                Method.MODELLED,
                self._ram_mw,
                self._ram_mw,
            ),
        )
        self._devices = {device.id: device for device in devices}
        self._constants = constants

    def _load(self) -> float:
        """Share of CPU time that was busy since the last look."""
        busy, total = self._read_ticks()
        former_busy, former_total = self._ticks
        self._ticks = (busy, total)
        passed = total - former_total
        return min(1.0, max(0.0, (busy - former_busy) / passed)) if passed > 0 else 0.0

    def _read_ticks(self) -> tuple[int, int]:
        with (self._proc / "stat").open(encoding="ascii") as lines:
            columns = [int(text) for text in lines.readline().split()[1 : COLUMNS + 1]]
        total = sum(columns)
        return total - sum(columns[column] for column in IDLE_COLUMNS), total


def _device(
    device_id: str, component: Component, name: str, method: Method, floor_mw: int, limit_mw: int
) -> Device:
    return Device(
        device_id, component, name, method, power_limit_mw=limit_mw, power_floor_mw=floor_mw
    )


def _cpu(info: str) -> tuple[str, int, int]:
    """Model name, threads and sockets."""
    lines = [line.partition(":") for line in info.splitlines()]
    rows = [(key.strip(), value.strip()) for key, _, value in lines]
    names = [value for key, value in rows if key == "model name"]
    threads = sum(key == "processor" for key, _ in rows)
    sockets = len({value for key, value in rows if key == "physical id"})
    return names[0] if names else "unknown CPU", max(1, threads), max(1, sockets)


def _memory_kib(proc: Path) -> int:
    text = (proc / "meminfo").read_text(encoding="ascii", errors="replace")
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    raise ValueError("no MemTotal in /proc/meminfo")
