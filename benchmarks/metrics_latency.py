"""How long a scrape of /metrics takes while 8 GPUs are metered, idle and beside long questions."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from benchmarks.gpus import eight_gpus
from benchmarks.stage import Stage, children, memory_mb
from benchmarks.table import Table, quantile, show
from meter.errors import AgentError
from meter.ledger import Ledger
from meter.model import Counter, LedgerBatch
from tests.ledger import year

if TYPE_CHECKING:
    from pathlib import Path

ACCEPT = {
    "text": "text/plain;version=0.0.4",
    "OpenMetrics": "application/openmetrics-text;version=1.0.0",
}

GPUS = 8
OWN_SERIES = 142
"""Series that eight live runs and the agent itself have."""
LIVE = 31
"""Runs beside those that ended: fewer than a page has room for."""
ENDING = 2
"""Runs that are ended at once."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the agent's socket, kept open between requests as Prometheus does."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def scrape(connection: UnixConnection, accept: str) -> tuple[float, str]:
    """Seconds of one scrape, and its page."""
    began = time.perf_counter()
    connection.request("GET", "/metrics", headers={"Accept": accept})
    page = connection.getresponse().read()
    return time.perf_counter() - began, page.decode()


def series_in(page: str) -> int:
    """Lines of a page that hold a sample."""
    return sum(1 for line in page.splitlines() if line and not line.startswith("#"))


def fill(path: Path, wanted: int, days: int) -> None:
    """Make a ledger with days of eight GPUs, and counters that a page then has so many series of.

    They are restored when the agent starts: it is months of projects and models, not a load.
    """
    year.make(path, days=days)
    counters = tuple(
        Counter(
            "meter_tokens_total",
            (("project", f"project-{number % 100}"), ("provider", "openai"),
             ("model", f"ft:gpt-4o:lab:{number // 100}"), ("token_type", "input")),
            Decimal(number * 1_000),
        )
        for number in range(wanted)
    )  # fmt: skip
    with Ledger.open(path) as ledger:
        ledger.write(LedgerBatch(counters=counters), urgent=True).result(60)


class Asker:
    """Processes that each ask the agent one thing after the other, and time the answers."""

    def __init__(self, stage: Stage, path: str, at_once: int = 1) -> None:
        command = [sys.executable, "-c", ASKER, stage.socket, path]
        self._processes = [
            subprocess.Popen(
                command, env=stage.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(at_once)
        ]
        self.seconds_each = 0.0

    def __enter__(self) -> Self:
        time.sleep(1.0)  # it is at work
        return self

    def __exit__(self, *_: object) -> None:
        told = [process.communicate(timeout=300)[0].split() for process in self._processes]
        taken = [float(seconds) for seconds in itertools.chain.from_iterable(told)]
        self.seconds_each = statistics.median(taken)


ASKER = """
import http.client, select, socket, sys, time
while not select.select([sys.stdin], [], [], 0)[0]:
    began = time.monotonic()
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    asking = http.client.HTTPConnection("localhost")
    asking.sock = sock
    asking.request("GET", sys.argv[2])
    answer = asking.getresponse()
    assert answer.status == 200, answer.read()
    while answer.read(1 << 16):
        pass
    print(time.monotonic() - began)
    asking.close()
"""


def measured(connection: UnixConnection, accept: str, scrapes: int) -> tuple[list[float], str]:
    """Milliseconds of many scrapes, and the last page."""
    taken, page = [], ""
    for _ in range(scrapes):
        seconds, page = scrape(connection, accept)
        taken.append(seconds * 1e3)
        time.sleep(0.02)
    return taken, page


def while_asked(path: str, days: int) -> dict[str, tuple[str, int]]:
    """What the agent may be busy with beside the scrapes: long questions, or many short ones.

    Each with how many ask at once.
    """
    begin = "2025-01-01"
    end = time.strftime("%Y-%m-%d", time.gmtime(year.FIRST_US // 10**6 + days * 86_400))
    history = f"/v1/history?from={begin}&to={end}&runs=false"
    return {
        "nothing": ("", 0),
        f"history of {days} days": (history, 1),
        f"two of {days} days": (history, 2),
        "documents of runs": (path, 1),
    }


def row(
    table: Table,
    words: tuple[str, str],
    found: tuple[list[float], str],
    memory: tuple[float, float],
) -> None:
    """Add what was measured."""
    taken, page = found
    cells = (f"{v:.2f}" for v in (quantile(taken, 0.5), quantile(taken, 0.99), max(taken)))
    held = f"{memory[0]:.0f}"
    table.add(*words, series_in(page), len(page.encode()), len(taken), *cells, held)


def agent_memory(stage: Stage) -> tuple[float, float]:
    """Resident memory of the agent and its sampler, MB: all, and its proportional share."""
    if stage.agent is None:
        return 0.0, 0.0
    every = [memory_mb(pid) for pid in (stage.agent.pid, *children(stage.agent.pid))]
    return sum(rss for rss, _ in every), sum(pss for _, pss in every)


def crowd(stage: Stage, live: int, ended: int) -> None:
    """Runs that live on the host's processors, and such that have ended: 50 of all are shown."""
    for number in range(live + ended):
        stage.register(f"crowd-{number}", name=f"run {number}", project="crowd", gpus="none")

    def end(number: int) -> None:
        with contextlib.suppress(AgentError):  # it ends, also where the answer comes late
            stage.end(f"crowd-{number}")

    with ThreadPoolExecutor(ENDING) as pool:
        list(pool.map(end, range(live, live + ended)))


def among_runs(scrapes: int, runs: list[int]) -> Table:
    """Scrape where so many runs live, and so many more have ended a short while ago."""
    table = Table(
        "Scrape of /metrics on a node with many runs (ms)",
        ("format", "runs", "series", "bytes", "scrapes", "p50", "p99", "most", "MB"),
        hold="a scrape costs what it shows, however many runs have no place on the page",
    )
    for ended in runs:
        with eight_gpus() as gpus, Stage(gpus) as stage:
            stage.start_agent()
            crowd(stage, LIVE, ended)
            time.sleep(3)
            for name, accept in ACCEPT.items():
                found = measured(UnixConnection(stage.socket), accept, scrapes)
                row(table, (name, f"{LIVE} live, {ended} ended"), found, agent_memory(stage))
    return table


def main() -> None:
    """Scrape pages of several lengths in both formats, idle and under questions."""
    parser = argparse.ArgumentParser(description="latency of /metrics")
    parser.add_argument("--series", type=int, nargs="*", default=[100, 1_000, 5_000])
    parser.add_argument("--scrapes", type=int, default=500)
    parser.add_argument("--days", type=int, default=30, help="days of eight GPUs in the ledger")
    parser.add_argument("--ended", type=int, nargs="*", default=[0, 120], help="runs that ended")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.series, options.scrapes, options.days, options.ended = [100], 50, 2, [30]
    table = Table(
        "Scrape of /metrics while 8 GPUs are metered (ms)",
        ("format", "asked beside it", "series", "bytes", "scrapes", "p50", "p99", "most", "MB"),
        hold="1,000 series: p50 <= 5 ms, p99 <= 25 ms, also while a long question is answered",
    )
    for wanted in options.series:
        with eight_gpus() as gpus, Stage(gpus) as stage:
            fill(stage.home / "ledger.duckdb", max(0, wanted - OWN_SERIES), options.days)
            stage.start_agent()
            for gpu in range(GPUS):
                stage.register(f"01K{gpu:023d}", name=f"run {gpu}", project="live", gpus=str(gpu))
            time.sleep(3)
            asked = while_asked(f"/v1/runs/{year.run_id(1)}", options.days)
            for beside, (path, at_once) in asked.items():
                for name, accept in ACCEPT.items():
                    connection = UnixConnection(stage.socket)  # one that rests is closed
                    if not path:
                        found = measured(connection, accept, options.scrapes)
                    elif wanted != options.series[min(1, len(options.series) - 1)]:
                        continue  # under questions one length tells it
                    else:
                        with Asker(stage, path, at_once) as asker:
                            found = measured(connection, accept, options.scrapes)
                            memory = agent_memory(stage)
                        told = f"{beside}, {asker.seconds_each:.1f} s each"
                        row(table, (name, told), found, memory)
                        continue
                    row(table, (name, beside), found, agent_memory(stage))
    tables = [table, among_runs(options.scrapes, options.ended)]
    show([one for one in tables if one.rows])


if __name__ == "__main__":
    main()
