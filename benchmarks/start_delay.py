"""How much later a job starts under ``meter run`` than without it.

The job tells the instant at which its first instruction ran, on the clock that all processes
share.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gpus import eight_gpus
from benchmarks.stage import Stage
from benchmarks.table import Table, ms, show

SOURCE = r"""
#include <stdio.h>
#include <time.h>
int main(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    printf("%lld\n", (long long)t.tv_sec * 1000000000LL + t.tv_nsec);
    return 0;
}
"""


def compiled(folder: Path) -> str:
    """A program that prints when it started."""
    source, program = folder / "now.c", folder / "now"
    source.write_text(SOURCE)
    subprocess.run(["cc", "-O1", "-o", program, source], check=True)
    return str(program)


def delay_s(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to the job's first instruction, and to the end of the command."""
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return (int(done.stdout) - began) / 1e9, (ended - began) / 1e9


def main() -> None:
    """Measure plain, with an agent to start, and with one that runs."""
    parser = argparse.ArgumentParser(description="start delay of meter run")
    parser.add_argument("--times", type=int, default=25)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    times = 5 if options.quick else options.times
    rows: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, eight_gpus() as gpus:
        program = compiled(Path(folder))
        plain = [delay_s([program], dict(os.environ)) for _ in range(times)]
        python = [
            delay_s([sys.executable, "-S", "-c", f"import os; os.execv({program!r}, ['now'])"],
                    dict(os.environ))
            for _ in range(times)
        ]  # fmt: skip
        rows["the job alone"] = plain
        rows["a bare Python that starts it (no meter)"] = python
        with Stage(gpus) as stage:
            stage.start_agent()
            rows["meter run, agent runs"] = [
                delay_s(stage.command("run", "--quiet", "--", program), stage.environment)
                for _ in range(times)
            ]
        cold = []
        for _ in range(times):
            with Stage(gpus) as stage:
                command = stage.command("run", "--quiet", "--", program)
                cold.append(delay_s(command, stage.environment))
        rows["meter run, agent to be started"] = cold
    table = Table(
        f"Time to the job's first instruction, 8 GPUs, {times} starts each (ms)",
        ("", "median", "p90", "most", "over the job alone (median)", "whole command (median)"),
        hold="<= 150 ms when an agent must be started, <= 50 ms when one runs",
    )
    base = statistics.median(first for first, _ in plain)
    for name, found in rows.items():
        starts = [first for first, _ in found]
        over = (statistics.median(starts) - base) * 1e3
        whole = statistics.median(end for _, end in found) * 1e3
        table.add(name, *ms(starts), f"{over:.1f}", f"{whole:.1f}")
    show([table])


if __name__ == "__main__":
    main()
