"""Time of one commit of a live flush, and what the audit chain adds to it."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.table import Table, show
from meter.ledger import rows
from meter.ledger.chain import content_sha256
from meter.ledger.forms import chained_forms
from meter.ledger.instants import timestamp
from meter.ledger.session import Session
from meter.model import Counter, Interval, Kind, LedgerBatch, Method, RawReading

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
    show([table])


if __name__ == "__main__":
    main()
