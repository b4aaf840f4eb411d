"""A recording of the sampler's frames, played again as devices; labelled simulated."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from meter.errors import SourceAbsentError, SourceError, TransientError
from meter.sampling.frames import Hello, decode
from meter.sampling.source import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meter.model import Device, DeviceStatus, ProcessUse, Reading

MAX_BYTES = 512 * 2**20


class Replay:
    """Plays a file of frames from its first reading on, once, at the speed it was recorded."""

    name = "replay"
    driver_version = None
    incomplete = None

    def __init__(self, file: Path, clock: Callable[[], int]) -> None:
        self._file = file
        self._clock = clock
        self._devices: dict[str, Device] = {}
        self._readings: dict[str, list[Reading]] = {}
        self._offset_ns = 0
        self._end_ns = 0

    def open(self) -> list[Device]:
        """The recorded devices; SourceAbsentError if the file cannot be played."""
        if not self._devices:
            try:
                self._load()
            except (OSError, SourceError) as error:
                raise SourceAbsentError(f"{self._file}: {error}") from error
        return list(self._devices.values())

    def look(self, device_id: str) -> Look:
        """What the device had shown at this point of the recording; TransientError after it."""
        at_ns = self._clock() - self._offset_ns
        if at_ns > self._end_ns:
            raise TransientError("the recording is at its end", "record for longer")
        readings = self._readings[device_id]
        index = bisect_right(readings, at_ns, key=lambda reading: reading.at_ns)
        if index == 0:
            raise TransientError(f"{device_id} was not recorded yet")
        reading = readings[index - 1]
        return Look(reading.energy_mj, reading.mean_mw, reading.instant_mw)

    def status(self, device_id: str) -> DeviceStatus | None:  # noqa: ARG002 - one interface
        """None: gauges are not played."""
        return None

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:  # noqa: ARG002 - one interface
        """None: process lists are not played."""
        return None

    def resolution_ns(self, device_id: str) -> int | None:  # noqa: ARG002 - one interface
        """None: the counter ticks as it was seen to."""
        return None

    def close(self) -> None:
        """Nothing to give back; a recording does not start anew."""

    def _load(self) -> None:
        if self._file.stat().st_size > MAX_BYTES:
            raise SourceError(f"more than {MAX_BYTES >> 20} MiB", "play a shorter recording")
        with self._file.open("rb") as lines:
            for line in lines:
                frame = decode(line)
                if isinstance(frame, Hello):
                    for device in frame.devices:
                        self._devices[device.id] = replace(device, simulated=True)
                    continue
                for reading in frame.readings:
                    self._readings.setdefault(reading.device_id, []).append(reading)
        self._devices = {key: self._devices[key] for key in self._devices if key in self._readings}
        if not self._devices:
            raise SourceError("no readings", "play a file of the sampler's frames")
        for readings in self._readings.values():
            readings.sort(key=lambda reading: reading.at_ns)
        first_ns = min(readings[0].at_ns for readings in self._readings.values())
        self._end_ns = max(readings[-1].at_ns for readings in self._readings.values())
        self._offset_ns = self._clock() - first_ns
