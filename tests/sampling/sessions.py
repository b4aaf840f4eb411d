"""Runs a sampler on a stand-in scenario and reads its frames."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from meter.model import SamplerBatch
from meter.sampling.frames import Hello, decode
from standin import build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.model import DeviceFault, ProcessUse, Reading, TickLock
    from standin.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]
SESSION = Path(__file__).with_name("nvml_session.py")
S = 1_000_000_000


@dataclass
class Session:
    """All frames of a sampler, in order."""

    frames: list[Hello | SamplerBatch] = field(default_factory=list)

    @property
    def hellos(self) -> list[Hello]:
        return [frame for frame in self.frames if isinstance(frame, Hello)]

    @property
    def batches(self) -> list[SamplerBatch]:
        return [frame for frame in self.frames if isinstance(frame, SamplerBatch)]

    @property
    def faults(self) -> list[DeviceFault]:
        return [fault for batch in self.batches for fault in batch.faults]

    @property
    def locks(self) -> list[TickLock]:
        return [lock for batch in self.batches for lock in batch.locks]

    @property
    def processes(self) -> list[tuple[ProcessUse, ...]]:
        return [b.processes for b in self.batches if b.processes is not None]

    def readings(self, device_id: str | None = None) -> list[Reading]:
        found = [reading for batch in self.batches for reading in batch.readings]
        return [r for r in found if device_id in (None, r.device_id)]

    def longest_pause_s(self, device_id: str) -> float:
        times = [reading.at_ns for reading in self.readings(device_id)]
        return max((b - a) / S for a, b in itertools.pairwise(times))


def environment(scenario: Scenario, folder: Path, without: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a process that meets the scenario's GPUs."""
    library = build.library(build.default_folder(), without=without)
    scenario.write(folder)
    paths = os.pathsep.join((str(ROOT), str(ROOT / "exporters")))
    return {
        **os.environ,
        **scenario.environment(folder, library=library),
        "PYTHONPATH": paths,
    }


def sample(
    scenario: Scenario, folder: Path, seconds: float, without: Sequence[str] = ()
) -> Session:
    """What a sampler says of a scenario in some seconds of a manual clock."""
    manual = replace(scenario, manual=True, anchor_ns=0)
    env = environment(manual, folder, without)
    clock = manual.clock(folder)
    done = subprocess.run(
        [sys.executable, str(SESSION), str(clock.path), str(seconds)],
        env=env,
        capture_output=True,
        timeout=120,
        check=False,
    )
    clock.close()
    assert done.returncode == 0, done.stderr.decode()
    return Session([decode(line) for line in done.stdout.splitlines()])
