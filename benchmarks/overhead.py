"""Processor time and memory of agent and sampler while 8 GPUs are metered and scraped."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from benchmarks.gpus import eight_gpus
from benchmarks.metrics_latency import ACCEPT, UnixConnection, scrape
from benchmarks.stage import Stage, children, cpu_s, memory_mb
from benchmarks.table import Table, show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WARM_UP_S = 20.0  # imports, learning the ticks, the first commits


def watched(stage: Stage, pids: Sequence[int], seconds: float) -> tuple[list[float], list[float]]:
    """Share of a core of each process, and the greatest resident memory of each in MB."""
    connection = UnixConnection(stage.socket)
    before = [cpu_s(pid) for pid in pids]
    most = [0.0] * len(pids)
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        scrape(connection, ACCEPT["text"])
        most = [max(was, memory_mb(pid)[0]) for was, pid in zip(most, pids, strict=True)]
        time.sleep(1.0)
    lasted = time.monotonic() - began
    used = [(cpu_s(pid) - was) / lasted for pid, was in zip(pids, before, strict=True)]
    return used, most


def driver(calls: Path) -> dict[str, Any]:
    """Calls that the stand-in counted, over all processes; a process' last line has all of its."""
    by_process = {}
    for line in calls.read_text().splitlines():
        told = json.loads(line)
        by_process[told["pid"]] = told["calls"].values()
    stats = [stat for calls_of_one in by_process.values() for stat in calls_of_one]
    return {name: sum(stat[name] for stat in stats) for name in ("count", "total_ns")}


def locked(stage: Stage) -> str:
    """How many GPUs the sampler has locked to, if the agent tells."""
    _, status = stage.ask("GET", "/v1/status")
    told = [d["locked"] for d in status.get("devices", ()) if d.get("locked") is not None]
    return f", {sum(told)} of {len(told)} locked" if told else ""


def main() -> None:
    """Measure for a minute."""
    parser = argparse.ArgumentParser(description="overhead of agent and sampler")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    seconds, warm_up_s = (10.0, 5.0) if options.quick else (options.seconds, WARM_UP_S)
    table = Table(
        f"Agent and sampler: 8 GPUs, 100 ms counters, one run, a scrape a second ({seconds:g} s)",
        ("process", "share of a core", "resident (MB, most)"),
        hold="<= 2 % of one core, driver cost apart; <= 150 MB resident together",
    )
    with eight_gpus() as gpus, Stage(gpus) as stage:
        calls = stage.home / "calls.jsonl"
        stage.environment["METER_STANDIN_CALLS"] = str(calls)
        began = time.monotonic()
        agent = stage.start_agent()
        stage.register("01K00000000000000000000001", name="overhead")
        time.sleep(warm_up_s)
        lock = locked(stage)
        pids = [agent.pid, *children(agent.pid)]
        used, most = watched(stage, pids, seconds)
        stage.stop_agent()
        lived_s = time.monotonic() - began
        names = ["agent", *(f"sampler {number or ''}".strip() for number in range(len(pids) - 1))]
        for name, share, resident in zip(names, used, most, strict=True):
            table.add(name, f"{share * 100:.2f} %", f"{resident:.0f}")
        table.add("together", f"{sum(used) * 100:.2f} %", f"{sum(most):.0f}")
        told = driver(calls)
        per_s = told["count"] / lived_s
        table.add(
            f"of it inside the stand-in's NVML ({per_s:.0f} calls/s{lock})",
            f"{told['total_ns'] / 1e9 / lived_s * 100:.2f} %",
            "",
        )
    show([table])


if __name__ == "__main__":
    main()
