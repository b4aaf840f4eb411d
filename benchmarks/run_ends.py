"""How long the ends of runs take: one after another, and all at once."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.gpus import eight_gpus
from benchmarks.stage import Stage, cpu_s
from benchmarks.table import Table, quantile, show
from meter.errors import AgentError

SETTLED_S = 3.0
"""What a run lives at least: longer than the commit of its registration."""
FEWEST = 8
"""Runs of a row."""


def ended(stage: Stage, names: list[str], at_once: int) -> tuple[list[float | None], float]:
    """Seconds that each run's end took, None if it was not answered; and those of all of them."""

    def end(name: str) -> float | None:
        began = time.perf_counter()
        try:
            stage.end(name)
        except AgentError:
            return None
        return time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        taken = list(pool.map(end, names))
    return taken, time.perf_counter() - began


def measured(stage: Stage, held: str, at_once: int) -> tuple[object, ...]:
    """A row: runs, how long their ends took, and what they cost the agent."""
    names = [f"ends-{number}" for number in range(max(at_once, FEWEST))]
    for name in names:
        stage.register(name, name=name, project="ends", gpus=held)
    time.sleep(SETTLED_S)
    pid = 0 if stage.agent is None else stage.agent.pid
    before_s = cpu_s(pid)
    found, whole_s = ended(stage, names, at_once)
    cost_s = (cpu_s(pid) - before_s) / len(names)
    taken = [seconds for seconds in found if seconds is not None]
    cells = (f"{v:.2f}" for v in (quantile(taken, 0.5), max(taken), cost_s))
    return len(names), *cells, len(found) - len(taken), f"{len(taken) / whole_s:.1f}"


def main() -> None:
    """Register runs, and end them."""
    parser = argparse.ArgumentParser(description="ends of runs")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--gpus", nargs="+", default=["none", "all"])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.at_once = [1, 8]
    table = Table(
        "Ends of runs, from the request to the run's document (s)",
        ("GPUs", "at once", "runs", "p50", "most", "agent's CPU each", "no answer", "a second"),
        hold="32 at once: each answered within 10 s; 1.16 a second (100,000 a day)",
    )
    for held in options.gpus:
        for at_once in options.at_once:
            with eight_gpus() as gpus, Stage(gpus) as stage:
                stage.start_agent()
                table.add(held, at_once, *measured(stage, held, at_once))
    show([table])


if __name__ == "__main__":
    main()
