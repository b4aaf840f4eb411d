"""Time of one commit of a live flush: 100 intervals, and what comes with them.

``python benchmarks/ledger_flush.py``; the median and the slowest, in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from meter.ledger.session import Session
from meter.model import Counter, Interval, Kind, LedgerBatch, Method, RawReading

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


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=500)
    parser.add_argument("--intervals", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(
            Path(folder) / "ledger.duckdb",
            memory_limit_mb=64,
            now_us=lambda: time.time_ns() // 1_000,
        )
        took_ms = []
        for number in range(options.commits):
            batch = _batch(number, options.intervals)
            started = time.perf_counter()
            session.commit([batch])
            took_ms.append((time.perf_counter() - started) * 1e3)
        session.close()
    print(
        f"commit of {options.intervals} intervals: median {statistics.median(took_ms):.2f} ms,"
        f" slowest {max(took_ms):.1f} ms of {options.commits}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
