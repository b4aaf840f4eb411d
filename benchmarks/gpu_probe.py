"""Measure what NVML's energy readings are worth on this machine's GPU, and write it as JSON.

    python benchmarks/gpu_probe.py -o probe.json

Takes about two minutes and makes its own load (``--load none`` leaves that to you): the counter's
tick, the cost of each NVML call with the GPU idle and busy, the counter against integrated power
under constant and square loads, the driver's sample buffer, and what ``meter run`` costs the job.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pynvml as nvml

from benchmarks.looks import Look, compared, spread, ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LOAD = Path(__file__).with_name("gpu_load.py")
FIELDS = (
    nvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION,
    nvml.NVML_FI_DEV_POWER_AVERAGE,
    nvml.NVML_FI_DEV_POWER_INSTANT,
)
VALUE_TYPES = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
SQUARE_PERIODS_S = (0.9, 0.3, 0.1, 0.04)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part takes."""

    tick_s: float
    phase_s: float
    calls: int
    pairs: int

    @classmethod
    def of(cls, seconds: float) -> Plan:
        """A plan for phases of this length."""
        return cls(
            tick_s=seconds,
            phase_s=seconds,
            calls=200 if seconds >= 5 else 20,
            pairs=5 if seconds >= 5 else 1,
        )


def now_ns() -> int:
    """CLOCK_BOOTTIME in ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def attempt(call: Callable[[], Any]) -> Any:
    """What a call gives; an ``{"error": …}`` where it is refused."""
    try:
        given = call()
    except nvml.NVMLError as error:
        return {"error": str(error)}
    except nvml.NVMLLibraryMismatchError as error:
        return {"error": f"older driver: {error}"}
    return given.decode() if isinstance(given, bytes) else given


def look(handle: Any) -> Look:
    """One look at counter, mean and instant power, in one call."""
    values = nvml.nvmlDeviceGetFieldValues(handle, list(FIELDS))
    at_ns = now_ns()
    told = [
        int(getattr(value.value, VALUE_TYPES[value.valueType])) if value.nvmlReturn == 0 else None
        for value in values
    ]
    if told[2] is None:  # before these fields there was one power, of a kind that the GPU decides
        with contextlib.suppress(nvml.NVMLError):
            told[2] = int(nvml.nvmlDeviceGetPowerUsage(handle))
    return Look(at_ns, *told)


def watch(handle: Any, until: Callable[[], bool], step_s: float = 0.001) -> Iterator[Look]:
    """Looks one after the other until told to stop; a failed one is left out."""
    while not until():
        with contextlib.suppress(nvml.NVMLError):  # a gap, and it shows as one
            yield look(handle)
        time.sleep(step_s)


def after(seconds: float) -> Callable[[], bool]:
    """A condition that comes true this much later."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def identity(handle: Any) -> dict[str, Any]:
    """What GPU and which driver this is."""
    return {
        "name": attempt(lambda: nvml.nvmlDeviceGetName(handle)),
        "architecture": attempt(lambda: nvml.nvmlDeviceGetArchitecture(handle)),
        "driver": attempt(nvml.nvmlSystemGetDriverVersion),
        "nvml": attempt(nvml.nvmlSystemGetNVMLVersion),
        "cuda": attempt(nvml.nvmlSystemGetCudaDriverVersion),
        "power_limit_mw": attempt(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
        "persistence": attempt(lambda: nvml.nvmlDeviceGetPersistenceMode(handle)),
        "mig": attempt(lambda: list(nvml.nvmlDeviceGetMigMode(handle))),
    }


def bus_of(handle: Any) -> str:
    """PCI bus id as text."""
    bus: bytes | str = nvml.nvmlDeviceGetPciInfo(handle).busId
    return bus.decode() if isinstance(bus, bytes) else bus


def calls_of(handle: Any) -> dict[str, Callable[[], Any]]:
    """The calls whose cost is measured."""
    return {
        "field_values_83_185_186": lambda: nvml.nvmlDeviceGetFieldValues(handle, list(FIELDS)),
        "field_values_83": lambda: nvml.nvmlDeviceGetFieldValues(handle, [FIELDS[0]]),
        "total_energy": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle),
        "power_usage": lambda: nvml.nvmlDeviceGetPowerUsage(handle),
        "utilization": lambda: nvml.nvmlDeviceGetUtilizationRates(handle),
        "memory": lambda: nvml.nvmlDeviceGetMemoryInfo(handle),
        "temperature": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        "sm_clock": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
        "power_limit": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle),
        "compute_processes": lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle),
        "graphics_processes": lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle),
        "process_utilization": lambda: nvml.nvmlDeviceGetProcessUtilization(handle, 0),
        "power_samples": lambda: nvml.nvmlDeviceGetSamples(
            handle, nvml.NVML_TOTAL_POWER_SAMPLES, 0
        ),
    }


def cost_us(call: Callable[[], Any], times: int) -> dict[str, Any]:
    """How long a call takes in µs, and its error if it has one; gives up after two seconds."""
    taken: list[float] = []
    error: str | None = None
    over = after(2.0)
    while len(taken) < times and not over():
        began = time.perf_counter()
        answer = attempt(call)
        taken.append((time.perf_counter() - began) * 1e6)
        if isinstance(answer, dict) and "error" in answer:
            error = answer["error"]
        time.sleep(0.001)
    return {**spread(taken), **({"error": error} if error else {})}


def costs(handle: Any, times: int) -> dict[str, Any]:
    """Cost of each call in µs."""
    return {name: cost_us(call, times) for name, call in calls_of(handle).items()}


def samples(handle: Any) -> dict[str, Any]:
    """Length, period and age of the driver's buffer of power samples."""
    given = attempt(lambda: nvml.nvmlDeviceGetSamples(handle, nvml.NVML_TOTAL_POWER_SAMPLES, 0))
    if isinstance(given, dict):
        return given
    value_type, held = given
    stamps = [sample.timeStamp for sample in held]
    gaps = [(later - earlier) / 1e3 for earlier, later in pairwise(stamps)]
    return {
        "samples": len(stamps),
        "span_ms": (stamps[-1] - stamps[0]) / 1e3 if stamps else 0,
        "period_ms": spread(gaps),
        "newest_age_ms": round(time.time() * 1e3 - stamps[-1] / 1e3, 3) if stamps else None,
        "value_type": int(value_type),
    }


class Load:
    """The load process; without one the phases only take their time."""

    def __init__(self, bus: str, engine: str) -> None:
        self._command = [sys.executable, str(LOAD), "--bus", bus, "--engine", engine]
        self.engine = engine

    def command(self, *arguments: str) -> list[str]:
        """The command of a load with these phases."""
        return [*self._command, *arguments]

    def start(self, *phases: str) -> subprocess.Popen[str]:
        """Start these phases; answers once the GPU is warm."""
        return subprocess.Popen(self.command(*phases), stdout=subprocess.PIPE, text=True)


def play(handle: Any, load: Load | None, phases: Sequence[str]) -> dict[str, Any]:
    """Watch the GPU while phases run; each with its energies."""
    if load is None:
        return {"engine": None, "phases": [idle_phase(handle, phase) for phase in phases]}
    process = load.start(*phases)
    looks = list(watch(handle, lambda: process.poll() is not None))
    output = process.stdout.read() if process.stdout else ""
    lines = [json.loads(line) for line in output.splitlines()]
    if process.returncode != 0 or not lines:
        return {"error": "the load could not be made; see standard error"}
    settle_ns = 200_000_000  # not the first moments: clocks and averages settle
    return {
        **lines[0],
        "phases": [
            {**line, **compared(looks, line["start_ns"] + settle_ns, line["end_ns"])}
            for line in lines[1:]
        ],
    }


def idle_phase(handle: Any, phase: str) -> dict[str, Any]:
    """Watch without a load of ours, for as long as the phase would last."""
    seconds = float(phase.rsplit(":", 1)[1])
    began = now_ns()
    looks = list(watch(handle, after(seconds)))
    return {"phase": f"as found, for {phase}", **compared(looks, began, now_ns())}


def phases_of(plan: Plan) -> list[str]:
    """Idle, steady, and squares from far above to far below the tick."""
    squares = [f"square:{period}:0.5:{plan.phase_s:g}" for period in SQUARE_PERIODS_S]
    return [f"idle:{plan.phase_s:g}", f"steady:{plan.phase_s:g}", *squares]


def busy_costs(handle: Any, load: Load | None, plan: Plan) -> dict[str, Any] | None:
    """Cost of each call while the GPU works; None without a load."""
    if load is None:
        return None
    process = load.start("steady:30")
    first = process.stdout.readline() if process.stdout else ""
    try:
        return costs(handle, plan.calls) if first else None
    finally:
        process.terminate()
        process.wait()


def work_ns(command: Sequence[str], environment: dict[str, str]) -> int | None:
    """How long the fixed work of a load took, by its own account."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    work = next((line for line in lines if str(line.get("phase", "")).startswith("work")), None)
    return None if work is None else work["end_ns"] - work["start_ns"]


def meter_run(load: Load | None, rounds: int | None, plan: Plan) -> dict[str, Any] | None:
    """Fixed GPU work plain and under ``meter run``, in turns; None without a load."""
    if load is None or rounds is None:
        return None
    launches = max(50, round(plan.phase_s * 1000 / 2))
    plain = load.command("--rounds", str(rounds), f"work:{launches}")
    metered = [sys.executable, "-m", "meter", "run", "--quiet", "--", *plain]
    with tempfile.TemporaryDirectory(prefix="probe-") as home:
        environment = {**os.environ, "METER_HOME": home, "METER_LEASE_DIR": home}
        pairs = [
            (work_ns(plain, environment), work_ns(metered, environment)) for _ in range(plan.pairs)
        ]
    ratios = [under / alone - 1 for alone, under in pairs if alone and under]
    return {
        "launches": launches,
        "plain_ms": [None if alone is None else round(alone / 1e6, 3) for alone, _ in pairs],
        "metered_ms": [None if under is None else round(under / 1e6, 3) for _, under in pairs],
        "slowdown_ratio": spread(ratios),
    }


def is_stand_in() -> bool:
    """Whether the NVML loaded here is the programmable stand-in, which needs this variable."""
    return "METER_STANDIN_SCRIPT" in os.environ


def probe(index: int, engine: str, plan: Plan) -> dict[str, Any]:
    """Everything measured on one GPU."""
    began = time.perf_counter()
    nvml.nvmlInit()
    init_ms = round((time.perf_counter() - began) * 1e3, 3)
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        load = None if engine == "none" else Load(bus_of(handle), engine)
        told: dict[str, Any] = {
            "schema": "meter.gpu_probe/1",
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "stand_in": is_stand_in(),
            "gpu": identity(handle),
            "host": {"kernel": platform.release(), "python": platform.python_version()},
            "init_ms": init_ms,
        }
        told["counter"] = ticks(list(watch(handle, after(plan.tick_s), step_s=0.0002)))
        told["samples"] = samples(handle)
        told["calls_us"] = {"idle": costs(handle, plan.calls), "busy": None}
        told["energy"] = play(handle, load, phases_of(plan))
        if "error" in told["energy"]:
            load = None
        told["calls_us"]["busy"] = busy_costs(handle, load, plan)
        told["meter_run"] = meter_run(load, told["energy"].get("rounds"), plan)
        return told
    finally:
        nvml.nvmlShutdown()


def show(told: dict[str, Any]) -> None:
    """Print what matters, one line each."""
    if told["stand_in"]:
        print("*** the stand-in's NVML: figures of a simulation, not of a GPU ***")
    print(f"{told['gpu']['name']}, driver {told['gpu']['driver']}, NVML init {told['init_ms']} ms")
    for name in ("energy_mj", "mean_mw", "instant_mw"):
        field = told["counter"][name]
        period = "not supported" if field is None else field["period_ms"]
        print(f"{name:12} changes every (ms): {period}")
    print(f"sample buffer: {told['samples']}")
    for state, calls in told["calls_us"].items():
        for name, cost in (calls or {}).items():
            figures = f"{cost.get('median', 0):9.1f} µs  p99 {cost.get('p99', 0):9.1f}"
            print(f"{name:26} {state:5} {figures} {cost.get('error', '')}")
    for phase in told["energy"].get("phases", ()):
        ratios = {key: value for key, value in phase.items() if key.startswith("counter_over")}
        print(f"{phase['phase']:24} counter {phase.get('counter_j')} J {ratios}")
    print(f"meter run: {told['meter_run']}")


def main() -> int:
    """Probe the GPU named on the command line; 1 where there is none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here")
    parser.add_argument("--gpu", type=int, default=0, help="NVML index (default: 0)")
    parser.add_argument("--load", choices=("auto", "torch", "ptx", "none"), default="auto")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a phase")
    options = parser.parse_args()
    try:
        told = probe(options.gpu, options.load, Plan.of(options.seconds))
    except nvml.NVMLError as error:
        print(f"gpu_probe: no GPU to measure: {error}", file=sys.stderr)
        return 1
    if options.output:
        options.output.write_text(json.dumps(told, indent=1) + "\n")
    show(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
