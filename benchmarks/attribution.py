"""What it costs to tell who used which GPU: 64 jobs on 8 GPUs, and 32 ranks that start at once."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gpus import eight_gpus, node
from benchmarks.overhead import watched
from benchmarks.stage import Stage, children
from benchmarks.table import Table, show
from standin.scenario import Process
from standin.truth import energy_mj

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS, GPUS, RANKS = 64, 8, 32
WARM_UP_S = 20.0
RUN_ID = "01K0000000000000000000RANK"


@contextlib.contextmanager
def sleepers(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that do nothing, as jobs."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            process = subprocess.Popen(["sleep", "3600"])
            stack.callback(process.wait)
            stack.callback(process.kill)
            found.append(process)
        yield found


def crowd(seconds: float, warm_up_s: float) -> Table:
    """Processor time of agent and sampler while every GPU is held by eight runs."""
    table = Table(
        f"{JOBS} jobs on {GPUS} GPUs, looked at every 2 s, a scrape a second ({seconds:g} s)",
        ("process", "share of a core", "resident (MB, most)"),
        hold="agent <= 2 % of one core; every mJ has an owner",
    )
    with sleepers(JOBS) as jobs, tempfile.TemporaryDirectory(prefix="gpus-") as folder:
        scenario = node(GPUS)
        used = [Process(pid=job.pid, sm_percent=5 + n % 40) for n, job in enumerate(jobs)]
        gpus = [
            replace(gpu, processes=used[number::GPUS]) for number, gpu in enumerate(scenario.gpus)
        ]
        scenario = replace(scenario, gpus=gpus)
        scenario.write(folder)
        with Stage(scenario.environment(folder)) as stage:
            agent = stage.start_agent()
            for number, job in enumerate(jobs):
                stage.register(f"job-{number}", gpus=str(number % GPUS), launcher_pid=job.pid)
            time.sleep(warm_up_s)
            pids = [agent.pid, *children(agent.pid)]
            shares, most = watched(stage, pids, seconds)
            names = ["agent", *(f"sampler {n or ''}".strip() for n in range(len(pids) - 1))]
            for name, share, resident in zip(names, shares, most, strict=True):
                table.add(name, f"{share * 100:.2f} %", f"{resident:.0f}")
            told = notices(stage, [f"job-{n}" for n in range(JOBS)])
            stage.stop_agent()
            table.add(f"notices of the runs: {told}", "", "")
            table.add(f"GPUs less their owners: {balance_mj(stage)} mJ", "", "")
            table.add(
                f"the machine's load then, other work included: {os.getloadavg()[0]:.1f}", "", ""
            )
    return table


def notices(stage: Stage, run_ids: list[str]) -> str:
    """How many runs were told which way of splitting."""
    counts: dict[str, int] = {}
    for run_id in run_ids:
        _, document = stage.ask("GET", f"/v1/runs/{run_id}")
        for notice in document["notices"]:
            if notice["code"].startswith("shared_"):
                counts[notice["code"]] = counts.get(notice["code"], 0) + 1
    return ", ".join(f"{code} {count}" for code, count in sorted(counts.items())) or "none"


def balance_mj(stage: Stage) -> int:
    """The devices' own curves less all intervals of the ledger."""
    import duckdb  # noqa: PLC0415 - the ledger is free only now

    sql = (
        "SELECT (SELECT sum(curve_mj) FROM (SELECT max(curve_mj) AS curve_mj FROM reading"
        " JOIN device ON device.id = device_id WHERE component = 'gpu' GROUP BY device_id))"
        " - (SELECT sum(energy_mj) FROM interval JOIN device ON device.id = device_id"
        " WHERE component = 'gpu')"
    )
    with duckdb.connect(str(stage.home / "ledger.duckdb"), read_only=True) as con:
        (row,) = con.execute(sql).fetchall()
    return int(row[0])


def ranks(seconds: float) -> Table:
    """As many launchers of one run, started in the same moment."""
    table = Table(
        f"{RANKS} ranks that start at once and run for {seconds:g} s",
        ("meters", "runs", "GPU energy, of the truth", "all ranks began within", "no summary"),
        hold="one meter, no loss",
    )
    scenario = node(GPUS)
    with eight_gpus() as variables, tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        scenario.write(folder)
        with Stage({**variables, **scenario.environment(folder)}) as stage:
            stage.environment["METER_RUN_ID"] = RUN_ID
            summary = stage.home / "summary.json"
            words = ["run", "--quiet", "--summary-json", str(summary), "--", "sleep", str(seconds)]
            began = time.monotonic()
            started = [
                subprocess.Popen(
                    stage.command(*words), env=stage.environment, stderr=subprocess.PIPE
                )
                for _ in range(RANKS)
            ]
            within = time.monotonic() - began
            time.sleep(seconds / 2)
            _, status = stage.ask("GET", "/v1/status")
            meters = len(agents(stage))
            told = [process.communicate(timeout=120)[1] for process in started]
            codes = [process.returncode for process in started]
            document = json.loads(summary.read_text(encoding="utf-8"))
            truth = truth_mj(scenario.anchor_ns, scenario.gpus, document["run"])
            gpu = document["energy"]["by_component"]["gpu"]["value"] * 1_000
            failed = f", {sum(map(bool, codes))} failed" if any(codes) else ""
            table.add(
                meters,
                f"{len(status['runs'])}{failed}",
                f"{gpu / truth * 100:.2f} %",
                f"{within:.1f} s",
                sum(b"no summary" in text for text in told),
            )
    return table


def agents(stage: Stage) -> list[int]:
    """PIDs of the agents that live on this stage, by the home in their environment."""
    home = f"METER_HOME={stage.home}".encode()
    found = []
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            agent = b"meter.agent" in (place / "cmdline").read_bytes()
            if agent and home in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


def truth_mj(anchor_ns: int, gpus: Any, run: dict[str, Any]) -> float:
    """What the GPUs drew between a run's ends."""
    offset_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    start, end = (
        round(datetime.fromisoformat(run[name]).timestamp() * 1e6) * 1_000 - offset_ns
        for name in ("started_at", "ended_at")
    )
    return sum(energy_mj(gpu, start, end, anchor_ns=anchor_ns) for gpu in gpus)


def main() -> None:
    """Measure for a minute."""
    parser = argparse.ArgumentParser(description="cost of attribution")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    seconds, warm_up_s = (10.0, 12.0) if options.quick else (options.seconds, WARM_UP_S)
    show([crowd(seconds, warm_up_s), ranks(10.0 if options.quick else 30.0)])


if __name__ == "__main__":
    main()
