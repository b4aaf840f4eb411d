"""Meters a scenario of the stand-in as the agent does, and compares with its exact truth."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from meter.metering.intervals import IntervalBuilder
from meter.metering.wall import WallAnchor
from meter.model import Hold, Kind
from meter.sampling.curve import CurveBuilder
from meter.sampling.frames import Hello, decode
from standin import truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meter.model import Device, SamplerBatch, Segment
    from standin.scenario import Gpu, Scenario

ROOT = Path(__file__).resolve().parent.parent
ANCHOR = WallAnchor(0, 0)


@dataclass(frozen=True, slots=True)
class Window:
    """What a stretch of time came to, in mJ: as metered, with bounds, and in truth."""

    energy: int
    low: int
    high: int
    true: float

    @property
    def error(self) -> float:
        """Relative error."""
        return self.energy / self.true - 1

    @property
    def inside(self) -> bool:
        """Whether the truth lies within the bounds."""
        return self.low <= self.true <= self.high

    @property
    def band(self) -> float:
        """Half the distance of the bounds, relative to the truth."""
        return (self.high - self.low) / 2 / self.true


@dataclass(slots=True)
class Curve:
    """The settled curve of one GPU and what was said about it."""

    gpu: Gpu
    anchor_ns: int
    device: Device
    segments: list[Segment] = field(default_factory=list)
    notices: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    first_ns: int = 0
    gap_ns: int = 0

    @property
    def last_ns(self) -> int:
        """How far the curve is settled."""
        return max(segment.end_ns for segment in self.segments)

    def window(self, start_ns: int, end_ns: int) -> Window:
        """A run over this time, booked as every run is."""
        builder = IntervalBuilder(ANCHOR, [Hold("run", self.device.id, start_ns, end_ns)])
        for segment in self.segments:
            builder.add(segment)
        parts = [part for part in builder.close_all() if part.kind is Kind.RUN]
        return Window(
            sum(part.energy_mj for part in parts),
            sum(part.low_mj for part in parts),
            sum(part.high_mj for part in parts),
            truth.energy_mj(self.gpu, start_ns, end_ns, anchor_ns=self.anchor_ns),
        )


@dataclass(slots=True)
class Recording:
    """A sampler at work on a scenario; its frames are kept for later."""

    scenario: Scenario
    process: subprocess.Popen[bytes]
    reader: threading.Thread
    lines: list[bytes]

    def stop(self) -> list[Curve]:
        """End the sampler and build the curves of what it sent."""
        self.process.terminate()
        self.reader.join()
        self.process.wait()
        return curves(self.scenario, [decode(line) for line in self.lines])


@contextlib.contextmanager
def recorded(scenarios: Sequence[Scenario], seconds: float) -> Iterator[list[list[Curve]]]:
    """Meter scenarios at the same time, each by a sampler of its own; the curves of each."""
    with tempfile.TemporaryDirectory(prefix="metered-") as folder:
        running = [
            start(scenario, Path(folder) / str(number)) for number, scenario in enumerate(scenarios)
        ]
        time.sleep(seconds)
        yield [recording.stop() for recording in running]


def start(scenario: Scenario, folder: Path) -> Recording:
    """Start a sampler on a scenario."""
    scenario.write(folder)
    environment = {
        **os.environ,
        **scenario.environment(folder),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'exporters'}",
    }
    command = [sys.executable, "-m", "meter.sampling", "--config", json.dumps({"host": False})]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()
    return Recording(scenario, process, reader, lines)


def curves(scenario: Scenario, frames: Sequence[Hello | SamplerBatch]) -> list[Curve]:
    """The curve of each GPU, in the order of the scenario."""
    builders: dict[str, CurveBuilder] = {}
    found: dict[str, Curve] = {}
    for frame in frames:
        if isinstance(frame, Hello):
            for device in frame.devices:
                if device.id not in found:
                    gpu = scenario.gpus[device.index or 0]
                    found[device.id] = Curve(gpu, scenario.anchor_ns, device)
                    builders[device.id] = CurveBuilder(device)
        else:
            take(frame, builders, found)
    for identifier, curve in found.items():
        curve.gap_ns = builders[identifier].gap_ns
    return list(found.values())


def take(batch: SamplerBatch, builders: dict[str, CurveBuilder], found: dict[str, Curve]) -> None:
    """Feed a batch as the agent does: readings and faults, then the passing of time."""
    for reading in batch.readings:
        curve = found[reading.device_id]
        curve.first_ns = curve.first_ns or reading.at_ns
        curve.segments += builders[reading.device_id].feed(reading)
    for fault in batch.faults:
        for identifier, builder in builders.items():
            if fault.device_id in {None, identifier}:
                found[identifier].segments += builder.fault(fault)
                found[identifier].failed.add(fault.field)
    for identifier, builder in builders.items():
        found[identifier].segments += builder.advance(batch.at_ns)
        found[identifier].notices |= {notice.code for notice in builder.drain_notices()}
