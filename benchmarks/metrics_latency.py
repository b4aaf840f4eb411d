"""How long a scrape of /metrics with 1,000 series takes while 8 GPUs are metered."""

from __future__ import annotations

import argparse
import http.client
import socket
import time

from benchmarks.gpus import eight_gpus
from benchmarks.stage import Stage
from benchmarks.table import Table, quantile, show

ACCEPT = {
    "text": "text/plain;version=0.0.4",
    "OpenMetrics": "application/openmetrics-text;version=1.0.0",
}


GPUS = 8


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


def fill(stage: Stage, connection: UnixConnection, wanted: int) -> None:
    """Let runs of ever new projects come and go, one on each GPU, until the page is that long."""
    for number in range(0, 2_000, GPUS):
        runs = [f"01K{number + gpu:023d}" for gpu in range(GPUS)]
        for gpu, run in enumerate(runs):
            stage.register(run, name=run[-4:], project=f"project-{run[-4:]}", gpus=str(gpu))
        time.sleep(1.5)  # series appear once their first second is stored
        if series_in(scrape(connection, ACCEPT["text"])[1]) >= wanted:
            return  # and these go on while we scrape
        for run in runs:
            stage.end(run)


def main() -> None:
    """Fill the page, then scrape it many times in both formats."""
    parser = argparse.ArgumentParser(description="latency of /metrics")
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--scrapes", type=int, default=500)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    wanted, scrapes = (100, 50) if options.quick else (options.series, options.scrapes)
    table = Table(
        "Scrape of /metrics while 8 GPUs are metered (ms)",
        ("format", "series", "bytes", "scrapes", "p50", "p99", "most"),
        hold="1,000 series: p50 <= 5 ms, p99 <= 25 ms",
    )
    with eight_gpus() as gpus, Stage(gpus) as stage:
        stage.start_agent()
        connection = UnixConnection(stage.socket)
        fill(stage, connection, wanted)
        for name, accept in ACCEPT.items():
            taken = []
            page = ""
            for _ in range(scrapes):
                seconds, page = scrape(connection, accept)
                taken.append(seconds * 1e3)
                time.sleep(0.02)
            figures = (quantile(taken, 0.5), quantile(taken, 0.99), max(taken))
            cells = (f"{value:.2f}" for value in figures)
            table.add(name, series_in(page), len(page.encode()), scrapes, *cells)
    show([table])


if __name__ == "__main__":
    main()
