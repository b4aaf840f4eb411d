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
import multiprocessing, sys, time
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
    print(time.perf_counter() - began)
"""


def job(workers: int, rounds: int) -> list[str]:
    """Command of the job."""
    return [sys.executable, "-S", "-c", WORK, str(workers), str(rounds)]


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """How long the work took, as the job says."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def rounds_for(length_s: float) -> int:
    """How much work takes about this long."""
    return round(2_000_000 * length_s / seconds(job(1, 2_000_000), dict(os.environ)))


def ratios(stage: Stage, workers: int, rounds: int, pairs: int) -> list[float]:
    """Metered over plain minus one, pair by pair, the first of each pair changing."""
    plain = job(workers, rounds)
    metered = stage.command("run", "--quiet", "--", *plain)
    found = []
    for pair in range(pairs):
        order = (plain, metered) if pair % 2 else (metered, plain)
        taken = {len(command): seconds(command, stage.environment) for command in order}
        found.append(taken[len(metered)] / taken[len(plain)] - 1)
    return found


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
        f"Slow-down of a CPU-bound job, 8 GPUs metered ({pairs} pairs of about {length_s:g} s)",
        ("workers", "agent", "median", "standard error", "least", "most"),
        hold="job slowed <= 0.5 %",
    )
    cores = len(os.sched_getaffinity(0))
    with eight_gpus() as gpus:
        for workers, runs in itertools.product(sorted({1, cores}), (True, False)):
            with Stage(gpus) as stage:
                if runs:
                    stage.start_agent()
                found = ratios(stage, workers, rounds, pairs)
            error = statistics.stdev(found) / len(found) ** 0.5 * 1.253  # of a median
            figures = (statistics.median(found), error, min(found), max(found))
            cells = (f"{value * 100:+.2f} %" for value in figures)
            table.add(workers, "runs" if runs else "started by it", *cells)
    show([table])


if __name__ == "__main__":
    main()
