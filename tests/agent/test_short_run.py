"""Short runs end to end: launcher, agent, sampler and stand-in against exact truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from standin import build
from standin.scenario import H100, Gpu, Scenario, Square
from standin.truth import energy_mj

if TYPE_CHECKING:
    from pathlib import Path

RUN_S = 2
LIMIT_W = 700.0
LATE_S = 1.0  # how late a busy machine may look


@dataclass(frozen=True)
class Node:
    """Two GPUs under square loads, and a user who runs jobs on them."""

    folder: Path
    scenario: Scenario

    def run(self, number: int) -> dict[str, Any]:
        file = self.folder / f"summary-{number}.json"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "METER_HOME": str(self.folder / "home"),
            "METER_SOCKET": str(self.folder / "agent.sock"),
            "METER_LEASE_DIR": str(self.folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            **self.scenario.environment(self.folder, library=build.library(build.default_folder())),
        }
        words = ["run", "--summary-json", str(file), "--", "sleep", str(RUN_S)]
        subprocess.run(
            [sys.executable, "-m", "meter", *words],
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
        return json.loads(file.read_text())

    def truth_j(self, gpu: int, run: dict[str, Any]) -> float:
        start, end = (_boot_ns(run[name]) - self.scenario.anchor_ns for name in ENDS)
        return energy_mj(self.scenario.gpus[gpu], start, end) / 1_000


ENDS = ("started_at", "ended_at")


def _boot_ns(text: str) -> int:
    offset = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    at = datetime.fromisoformat(text)
    return round(at.timestamp() * 1e6) * 1_000 - offset


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A fresh home; its first run has an agent that never saw these GPUs."""
    gpus = [
        Gpu(power=Square(low, 680, period_s=period), sensor=H100)
        for low, period in ((100, 0.9), (250, 1.03))
    ]
    scenario = Scenario(gpus=gpus)
    scenario.write(tmp_path)
    return Node(tmp_path, scenario)


def test_a_short_run_is_inside_its_bounds_and_so_is_one_after_a_pause(node: Node) -> None:
    for number in range(2):
        document = node.run(number)
        devices = {each["id"]: each for each in document["energy"]["devices"]}
        gpus = sorted(name for name in devices if name.startswith("GPU"))
        assert len(gpus) == 2
        for index, name in enumerate(gpus):
            energy = devices[name]["energy"]
            assert energy["low"] <= node.truth_j(index, document["run"]) <= energy["high"]
            _as_narrow_as_it_can_be(devices[name], document["run"])
        for name in ("cpu-0", "ram"):
            energy = devices[name]["energy"]
            assert 0 < energy["low"] < energy["value"] < energy["high"]
        ram = devices["ram"]["energy"]
        assert ram["high"] < 1.6 * ram["value"]
        assert ram["low"] > 0.4 * ram["value"]
        time.sleep(1)  # nobody looks


def _as_narrow_as_it_can_be(device: dict[str, Any], run: dict[str, Any]) -> None:
    """Gain, a tick at each end, what was drawn at most while nobody looked; far from 3 kW."""
    energy = device["energy"]
    unseen_s = (1 - device["coverage"]) * run["duration_s"]
    slack = 0.06 * energy["value"] + 1.2 * LIMIT_W * (LATE_S + unseen_s)
    assert energy["high"] - energy["value"] <= slack
    assert energy["value"] - energy["low"] <= slack
