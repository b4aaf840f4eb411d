"""The probe's logic against the stand-in; what it measures there says nothing about a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from standin.models import H100, P100
from standin.scenario import Gpu, Scenario
from standin.shapes import Constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from standin.models import Model

ROOT = Path(__file__).resolve().parents[2]
PROBE = ROOT / "benchmarks" / "gpu_probe.py"


def probe(
    folder: Path, model: Model, load: str = "none", libraries: str = ""
) -> tuple[dict[str, Any], str]:
    scenario = Scenario(gpus=[Gpu(power=Constant(300), sensor=model)])
    scenario.write(folder)
    output = folder / "probe.json"
    command = [sys.executable, PROBE, "--load", load, "--seconds", "0.8", "-o", output]
    given = scenario.environment(folder, search_path=libraries)
    environment = {**os.environ, **given, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text()), done.stdout


@pytest.fixture
def compiler(require_tool: Callable[[str], str]) -> str:
    return require_tool("cc")


def test_the_probe_finds_the_tick_and_says_that_it_met_a_stand_in(
    compiler: str, tmp_path: Path
) -> None:
    told, text = probe(tmp_path, H100)
    assert told["schema"] == "meter.gpu_probe/1"
    assert told["stand_in"] is True
    assert "simulation" in text
    assert told["gpu"]["name"] == "NVIDIA H100 80GB HBM3"
    assert told["counter"]["energy_mj"]["changes"] >= 3
    assert told["samples"]["samples"] > 0
    assert told["calls_us"]["idle"]["power_usage"]["n"] > 0
    assert told["meter_run"] is None
    for phase in told["energy"]["phases"]:
        assert phase["counter_over_instant_power"] == pytest.approx(1, abs=0.05)


def test_a_gpu_without_counter_is_told_as_such(compiler: str, tmp_path: Path) -> None:
    told, text = probe(tmp_path, P100)
    assert told["counter"]["energy_mj"] is None
    assert told["counter"]["instant_mw"]["changes"] == 0
    assert "not supported" in text
    assert "error" in told["calls_us"]["idle"]["total_energy"]


def test_the_probe_makes_its_load_and_meters_it(compiler: str, tmp_path: Path) -> None:
    library = tmp_path / "libcuda.so.1"
    source = Path(__file__).with_name("fake_cuda.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    told, _ = probe(tmp_path, H100, "ptx", str(tmp_path))
    assert told["energy"]["engine"] == "ptx"
    phases = {phase["phase"]: phase for phase in told["energy"]["phases"]}
    assert phases["idle:0.8"]["launches"] == 0
    assert phases["steady:0.8"]["launches"] > phases["square:0.1:0.5:0.8"]["launches"] > 0
    assert told["calls_us"]["busy"]["power_usage"]["n"] > 0
    assert len(told["meter_run"]["plain_ms"]) == len(told["meter_run"]["metered_ms"]) == 1
    assert told["meter_run"]["metered_ms"][0] > 0


def test_without_a_driver_the_probe_says_so(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has an NVIDIA driver")
    done = subprocess.run([sys.executable, PROBE], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no GPU to measure" in done.stderr
