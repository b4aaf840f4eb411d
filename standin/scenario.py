"""Scenarios: a node's GPUs, written as the script that the stand-in reads.

::

    scenario = Scenario(gpus=[Gpu(power=Square(100, 700, period_s=0.9), sensor=H100)])
    scenario.write(folder)
    environment = {**os.environ, **scenario.environment(folder)}
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from standin import build
from standin.clock import ManualClock, boottime_ns
from standin.faults import Fault
from standin.models import (
    A100,
    GH200,
    H100,
    P100,
    RTX3090,
    V100,
    VGPU,
    Counter,
    Model,
    Sensor,
)
from standin.shapes import (
    Constant,
    Ramp,
    RandomSpikes,
    Shape,
    Sine,
    Spikes,
    Square,
    Step,
    Steps,
)
from standin.units import ns

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "A100",
    "GH200",
    "H100",
    "P100",
    "RTX3090",
    "V100",
    "VGPU",
    "Constant",
    "Counter",
    "Fault",
    "Gpu",
    "MigInstance",
    "Model",
    "Process",
    "Ramp",
    "RandomSpikes",
    "Scenario",
    "Sensor",
    "Shape",
    "Sine",
    "Spikes",
    "Square",
    "Step",
    "Steps",
]

SCRIPT = "standin.txt"
CLOCK = "clock"
CALLS = "calls.jsonl"


def _window(start_s: float | None, duration_s: float | None) -> str:
    words = "" if start_s is None else f" from={ns(start_s)}ns"
    return words if duration_s is None else f"{words} for={ns(duration_s)}ns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process with a context; ``pid`` is a number, ``self``, ``env:NAME`` or ``file:PATH``.

    ``usage_pid`` is what the utilisation calls say instead; ``type`` is C, G or M (MPS).
    """

    pid: int | str
    usage_pid: int | str | None = None
    type: str = "C"
    sm_percent: int = 0
    memory_percent: int = 0
    memory_bytes: int | None = None
    start_s: float | None = None
    duration_s: float | None = None
    gpu_instance: int = 0
    compute_instance: int = 0

    def line(self) -> str:
        """The script line."""
        usage = "" if self.usage_pid is None else f" usage_pid={self.usage_pid}"
        memory = "na" if self.memory_bytes is None else f"{self.memory_bytes}B"
        shares = f"sm={self.sm_percent} memory_use={self.memory_percent} memory={memory}"
        place = f"gi={self.gpu_instance} ci={self.compute_instance}"
        times = _window(self.start_s, self.duration_s)
        return f'process "pid={self.pid}"{usage} type={self.type} {shares} {place}{times}'


@dataclass(frozen=True, slots=True, kw_only=True)
class MigInstance:
    """A MIG compute instance."""

    uuid: str
    gpu_instance: int
    compute_instance: int = 0
    slices: int = 1
    memory_bytes: int = 10 << 30

    def line(self) -> str:
        """The script line."""
        place = f"gi={self.gpu_instance} ci={self.compute_instance}"
        return f"instance uuid={self.uuid} {place} slices={self.slices} memory={self.memory_bytes}B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU: its load, its model, what goes wrong with it; ``lines`` are added as they are."""

    power: Shape | Sequence[Shape]
    sensor: Model = H100
    faults: Sequence[Fault] = ()
    uuid: str | None = None
    processes: Sequence[Process] = ()
    instances: Sequence[MigInstance] = ()
    mig: bool = False
    fields_off: Sequence[int] = ()
    time_scale: float = 1
    start_s: float | None = None
    duration_s: float | None = None
    lines: Sequence[str] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The layers of its load."""
        return (self.power,) if isinstance(self.power, Shape) else tuple(self.power)

    def script(self, number: int) -> list[str]:
        """Its block of the script."""
        lines = [f"gpu {number}", *self.sensor.lines()]
        if self.uuid:
            lines.append(f"uuid {self.uuid}")
        if self.start_s is not None or self.duration_s is not None:
            lines.append(f"present{_window(self.start_s, self.duration_s)}")
        if self.time_scale != 1:
            lines.append(f"timescale {self.time_scale!r}")
        lines += [shape.line() for shape in self.shapes]
        lines += [f"field {identifier} off" for identifier in self.fields_off]
        lines += [instance.line() for instance in self.instances]
        if self.mig:
            lines.append("mig on")
        lines += [process.line() for process in self.processes]
        lines += [fault.line() for fault in self.faults]
        return [lines[0], *(f"  {line}" for line in [*lines[1:], *self.lines])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A node. Trace time 0 is ``anchor_ns`` of its clock: CLOCK_BOOTTIME, or a manual one.

    The anchor of a real clock is the instant at which the scenario was made, so that writing it
    again (dataclasses.replace keeps it) changes no load.
    """

    gpus: Sequence[Gpu]
    faults: Sequence[Fault] = ()
    manual: bool = False
    anchor_ns: int = field(default=-1)
    seed: int = 0
    driver_version: str = "580.65.06"

    def __post_init__(self) -> None:
        if self.anchor_ns < 0:
            object.__setattr__(self, "anchor_ns", 0 if self.manual else boottime_ns())

    def text(self, folder: Path | str) -> str:
        """The script; a manual clock lives in ``folder``."""
        clock = f'manual "file={Path(folder).absolute() / CLOCK}"' if self.manual else "real"
        lines = [
            f"clock {clock} anchor={self.anchor_ns}ns",
            f"driver version={self.driver_version} nvml=13.{self.driver_version}",
            f"seed {self.seed}",
            *(fault.line() for fault in self.faults),
        ]
        for number, gpu in enumerate(self.gpus):
            lines += ["", *gpu.script(number)]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path | str) -> Path:
        """Writes the script; processes that use the one before go on with this one."""
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        if self.manual:
            self.clock(home).close()
        script = home / SCRIPT
        draft = home / f"{SCRIPT}.{os.getpid()}"
        draft.write_text(self.text(home))
        return draft.replace(script)

    def clock(self, folder: Path | str) -> ManualClock:
        """The manual clock in ``folder``; it starts at the anchor."""
        return ManualClock(Path(folder) / CLOCK, self.anchor_ns)

    def environment(
        self,
        folder: Path | str,
        *,
        library: Path | None = None,
        search_path: str = "",
    ) -> dict[str, str]:
        """What a process needs in its environment to meet these GPUs; compiles if need be.

        ``search_path`` is an LD_LIBRARY_PATH to keep behind the stand-in's folder.
        """
        built = library or build.library(build.default_folder())
        home = Path(folder).absolute()
        return {
            "LD_LIBRARY_PATH": ":".join(filter(None, [str(built.parent), search_path])),
            "METER_STANDIN_SCRIPT": str(home / SCRIPT),
            "METER_STANDIN_CALLS": str(home / CALLS),
        }
