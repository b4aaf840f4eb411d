"""The real path, on a machine with an NVIDIA GPU and its driver; elsewhere these are skipped.

``pytest -m gpu`` runs them. They draw no conclusion about the GPU (benchmarks/gpu_probe.py does),
only about meter: that it finds the GPU, follows its counter, and books what the counter says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pynvml
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOAD = ROOT / "benchmarks" / "gpu_load.py"


def why_not() -> str | None:
    """Why there is no GPU to test with, None if there is one."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return f"no NVIDIA driver: {error}"
    count = pynvml.nvmlDeviceGetCount()
    pynvml.nvmlShutdown()
    return None if count else "no NVIDIA GPU"


REASON = why_not()

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(REASON is not None, reason=f"needs an NVIDIA GPU: {REASON}"),
]


def text(given: bytes | str) -> str:
    return given.decode() if isinstance(given, bytes) else given


@pytest.fixture
def gpu() -> object:
    pynvml.nvmlInit()
    yield pynvml.nvmlDeviceGetHandleByIndex(0)
    pynvml.nvmlShutdown()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "METER_HOME": str(tmp_path / "home"),
        "METER_LEASE_DIR": str(tmp_path / "leases"),
        "METER_LISTEN": "127.0.0.1:0",
    }


def metered(folder: Path, environment: dict[str, str], *job: str) -> dict[str, object]:
    """The document of a run on the first GPU."""
    summary = folder / "summary.json"
    meter = [sys.executable, "-m", "meter", "run", "--gpus", "0", "--summary-json", str(summary)]
    done = subprocess.run([*meter, "--", *job], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(summary.read_text())


def test_the_sampler_reads_the_first_gpu(gpu: object, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "meter.sampling", "--config", '{"host": false}']
    sampler = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert sampler.stdout is not None
    hello = json.loads(sampler.stdout.readline())
    batch = json.loads(sampler.stdout.readline())
    sampler.terminate()
    sampler.stdout.close()
    sampler.wait()
    assert text(pynvml.nvmlDeviceGetUUID(gpu)) in json.dumps(hello)
    assert batch["readings"]


def test_a_run_is_booked_what_the_counter_says(
    gpu: object, environment: dict[str, str], tmp_path: Path
) -> None:
    try:
        before = pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    except pynvml.NVMLError as error:
        pytest.skip(f"this GPU has no energy counter: {error}")
    bus = text(pynvml.nvmlDeviceGetPciInfo(gpu).busId)
    load = [sys.executable, str(LOAD), "--bus", bus, "steady:5"]
    document = metered(tmp_path, environment, *load)
    after = pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    energy = document["energy"]["by_component"]["gpu"]
    assert energy["method"] == "measured"
    # What the counter counted around the run is more than the run's, by start and end only.
    assert 0 < energy["low"] <= energy["value"] <= energy["high"]
    assert energy["value"] <= (after - before) / 1_000 * 1.05
    assert document["simulated"] is False


def test_an_idle_gpu_has_energy_too(environment: dict[str, str], tmp_path: Path) -> None:
    document = metered(tmp_path, environment, "sleep", "2")
    assert document["energy"]["by_component"]["gpu"]["value"] > 0
    assert document["coverage"] > 0.5


def test_the_probe_measures_this_gpu(tmp_path: Path) -> None:
    output = tmp_path / "probe.json"
    probe = ROOT / "benchmarks" / "gpu_probe.py"
    command = [sys.executable, probe, "--load", "none", "--seconds", "1", "-o", output]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(output.read_text())
    assert told["stand_in"] is False
    assert told["calls_us"]["idle"]["power_usage"]["n"] > 0
