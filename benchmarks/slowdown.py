"""How much slower a CPU-bound job gets under ``meter run``.

The job times its own fixed work, so that starting and ending do not count; plain and metered
take turns, because a machine's speed drifts.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys

from benchmarks.gpus import eight_gpus
from benchmarks.stage import Stage
from benchmarks.table import Table, show

WORK = """
import multiprocessing, os, sys, time
def work(n):
    x = 1
    for i in range(n):
        x = (x * 1103515245 + i) & 0xFFFFFFFF
    return x
if __name__ == "__main__":
    workers, n = int(sys.argv[1]), int(sys.argv[2])
    began = time.perf_counter()
    jobs = [multiprocessing.Process(target=work, args=(n,)) for _ in range(workers - 1)]
    for job in jobs: job.start()
    work(n)
    for job in jobs: job.join()
    print(time.perf_counter() - began, sum(os.times()[:4]))
"""


def job(workers: int, rounds: int) -> list[str]:
    """Command of the job."""
    return [sys.executable, "-S", "-c", WORK, str(workers), str(rounds)]


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """How long the work took, and how much processor time, as the job says."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    wall, processor = done.stdout.split()
    return float(wall), float(processor)


def rounds_for(length_s: float) -> int:
    """How much work takes about this long."""
    return round(2_000_000 * length_s / seconds(job(1, 2_000_000), dict(os.environ))[0])


def ratios(stage: Stage, workers: int, rounds: int, pairs: int) -> list[tuple[float, float]]:
    """Metered over plain minus one, of wall and processor time, pair by pair, in turns first."""
    plain = job(workers, rounds)
    metered = stage.command("run", "--quiet", "--", *plain)
    found = []
    for pair in range(pairs):
        taken = {}
        for command in (plain, metered) if pair % 2 else (metered, plain):
            taken[command is metered] = seconds(command, stage.environment)
        wall, processor = (
            under / alone - 1 for under, alone in zip(taken[True], taken[False], strict=True)
        )
        found.append((wall, processor))
    return found


def median_and_error(values: list[float]) -> str:
    """Median and its standard error, in percent."""
    error = statistics.stdev(values) / len(values) ** 0.5 * 1.253
    return f"{statistics.median(values) * 100:+.2f} ± {error * 100:.2f} %"


def main() -> None:
    """Measure with one worker and with as many as there are cores."""
    parser = argparse.ArgumentParser(description="slow-down of a CPU-bound job under meter run")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    pairs, length_s = (3, 1.0) if options.quick else (options.pairs, options.seconds)
    rounds = rounds_for(length_s)
    table = Table(
        f"Slow-down of a CPU-bound job, 8 GPUs metered: median of {pairs} pairs of {length_s:g} s",
        ("workers", "agent", "wall time", "the job's own processor time"),
        hold="job slowed <= 0.5 %",
    )
    cores = len(os.sched_getaffinity(0))
    with eight_gpus() as gpus:
        for workers, runs in itertools.product(sorted({1, cores}), (True, False)):
            with Stage(gpus) as stage:
                if runs:
                    stage.start_agent()
                found = ratios(stage, workers, rounds, pairs)
            wall, processor = (list(values) for values in zip(*found, strict=True))
            agent = "runs" if runs else "started by it"
            table.add(workers, agent, median_and_error(wall), median_and_error(processor))
    show([table])


if __name__ == "__main__":
    main()
