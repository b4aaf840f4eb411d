"""Time of one commit of a live flush, of its live totals, and what the audit chain adds."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.table import Table, show
from meter.agent.booking import Account, Books
from meter.config import Banded, Config, Electricity, GpuTime
from meter.factors import Rates, factors_of
from meter.ledger import rows
from meter.ledger.chain import content_sha256
from meter.ledger.forms import chained_forms
from meter.ledger.instants import timestamp
from meter.ledger.session import Session
from meter.metering.part import Part
from meter.model import (
    Component,
    Counter,
    Device,
    Interval,
    Kind,
    LedgerBatch,
    Method,
    RawReading,
    Site,
)

COMMITS = 500
QUICK_COMMITS = 50
_ROUNDS = 50
_MINUTE_US = 60_000_000
_MINUTES_A_YEAR = 525_600


def _batch(number: int, intervals: int) -> LedgerBatch:
    start_us = (number % _MINUTES_A_YEAR) * _MINUTE_US
    return LedgerBatch(
        intervals=tuple(
            Interval(
                device_id=f"GPU-{device}",
                kind=Kind.RUN,
                run_id="01RUN",
                start_us=start_us,
                end_us=start_us + _MINUTE_US,
                energy_mj=36_000_000 + number,
                low_mj=34_000_000,
                high_mj=38_000_000,
                covered_us=_MINUTE_US,
                measured_mj=36_000_000,
                method=Method.MEASURED,
            )
            for device in range(intervals)
        ),
        readings=tuple(
            RawReading(f"GPU-{device}", start_us, number, number, number, number)
            for device in range(8)
        ),
        counters=(Counter("written_total", (), Decimal(number)),),
        site_id="lab",
    )


def flushes(commits: int, intervals: int) -> tuple[float, float]:
    """Median and slowest milliseconds of a commit, the audit chain included."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "ledger.duckdb"
        session = Session(path, memory_limit_mb=64, now_us=lambda: time.time_ns() // 1_000)
        took_ms = []
        for number in range(commits):
            batch = _batch(number, intervals)
            started = time.perf_counter()
            session.commit([batch])
            took_ms.append((time.perf_counter() - started) * 1e3)
        session.close()
    return statistics.median(took_ms), max(took_ms)


def hashed_ms(intervals: int) -> float:
    """Milliseconds that canonical text and hash of a commit's intervals take of it."""
    form = chained_forms()["interval"]
    made = list(rows.intervals(_batch(0, intervals), 1, timestamp(0)))
    started = time.process_time()
    for _ in range(_ROUNDS):
        content_sha256(map(form.line, made))
    return (time.process_time() - started) * 1e3 / _ROUNDS


def booked_ms(parts: int) -> float:
    """Median time to book a flush of parts at the rates of the hour, in ms."""
    site = Site("lab", "lab", "FRA")
    began_us = 1_767_225_600_000_000
    rates = Rates.at(factors_of(_config(), site, began_us), site, began_us)
    devices = {
        f"GPU-{n}": Device(f"GPU-{n}", Component.GPU, "H100", Method.MEASURED) for n in range(parts)
    }
    made = [
        Part(device, Kind.RUN, f"run {n % 8}", 0, 10**9, 600_000, 570_000, 630_000,
             covered=True, method=Method.MEASURED, held_us=10**6)
        for n, device in enumerate(devices)
    ]  # fmt: skip
    accounts = {f"run {n}": Account(f"run {n}", "project") for n in range(8)}
    books, took_ms = Books(), []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        books.book(made, devices, accounts, rates)
        took_ms.append((time.perf_counter() - started) * 1e3)
    return statistics.median(took_ms)


def _config() -> Config:
    def band(value: str) -> Banded:
        return Banded(Decimal(value), Decimal(value), Decimal(value))

    return Config(
        Path("/"), Path("/"), Path("/"), site_name="lab", zone="FRA", pue=band("1.2"),
        electricity=Electricity("EUR", band("0.25")), gpu_time=GpuTime("USD", band("2")),
    )  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="time of a live flush")
    parser.add_argument("--commits", type=int, default=COMMITS)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_COMMITS} commits")
    options = parser.parse_args()
    commits = QUICK_COMMITS if options.quick else options.commits
    table = Table(
        f"A live flush: one commit of intervals, 8 readings and a counter ({commits} commits)",
        ("intervals", "median ms", "slowest ms", "of it text and hash"),
        hold="100 intervals: <= 10 ms",
    )
    for intervals in (8, 100):
        median, slowest = flushes(commits, intervals)
        table.add(intervals, f"{median:.2f}", f"{slowest:.1f}", f"{hashed_ms(intervals):.2f}")
    live = Table(
        "Live totals of a flush, at the rates of the hour", ("parts", "median ms"), hold="<= 10 ms"
    )
    for parts in (8, 100):
        live.add(parts, f"{booked_ms(parts):.2f}")
    show([table, live])


if __name__ == "__main__":
    main()
