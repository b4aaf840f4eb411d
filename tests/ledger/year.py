"""A year of eight GPUs in a ledger: 4.2 million intervals, 2,000 runs; for benchmarks.

Run as ``python tests/ledger/year.py FOLDER`` to make ``FOLDER/ledger.duckdb``.
"""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from meter.config import Banded, Config, Electricity, GpuTime, Window
from meter.factors import factors_of
from meter.ledger.instants import timestamp
from meter.ledger.session import Session
from meter.model import Component, Device, LedgerBatch, Method, Run, Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.model import Factor

MINUTE_US = 60_000_000
MINUTES = 365 * 24 * 60
GPUS = 8
RUNS = 2_000
FIRST_US = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
SITE = Site("lab", "lab", "FRA")
CHUNK = 60 * 24 * 7


def gpu_id(number: int) -> str:
    """Id of a GPU, as long as real ones."""
    return f"GPU-{number:08d}-4b1d-9c55-22aa-7d0e5b9a1f01"


def run_id(number: int) -> str:
    """Id of a run."""
    return f"01K92F5D4RZ8Q7XW3M6T{number:06d}"


def config(**changes: object) -> Config:
    """A time-of-use tariff, a PUE and a rate."""

    def band(value: str) -> Banded:
        return Banded(Decimal(value), Decimal(value), Decimal(value))

    night = Window((0, 1, 2, 3, 4, 5, 6), 22 * 60, 6 * 60, band("0.17"))
    values = {
        "site_name": "lab", "zone": "FRA", "pue": band("1.2"),
        "electricity": Electricity("EUR", band("0.25"), (night,), "Europe/Paris"),
        "gpu_time": GpuTime("USD", band("2")),
    }  # fmt: skip
    return Config(Path("/"), Path("/"), Path("/"), **{**values, **changes})


def rows(first: int, last: int):
    """Interval rows of minutes [first, last), in order of time."""
    recorded = timestamp(FIRST_US)
    for minute in range(first, last):
        start = FIRST_US + minute * MINUTE_US
        at, end = timestamp(start), timestamp(start + MINUTE_US)
        hour = at.replace(minute=0)
        run = minute * RUNS // MINUTES
        for gpu in range(GPUS):
            energy = 24_000_000 + (minute * 7_919 + gpu * 104_729) % 18_000_000
            yield (
                gpu_id(gpu), "run", run_id(run),
                SITE.id, at, end, hour, energy, energy * 95 // 100, energy * 105 // 100, energy,
                MINUTE_US, MINUTE_US, MINUTE_US, "measured", False, 1, recorded,
            )  # fmt: skip


def make(path: Path, *, days: int = 365, more: Sequence[Factor] = ()) -> None:
    """Write the year, or its first days, into a new ledger; with more factors than configured."""
    minutes = days * 24 * 60
    ticks = itertools.count(FIRST_US, 1)
    session = Session(path, memory_limit_mb=256, now_us=lambda: next(ticks))
    devices = tuple(
        Device(gpu_id(gpu), Component.GPU, "H100", Method.MEASURED) for gpu in range(GPUS)
    )
    runs = tuple(
        Run(run_id(n), f"run {n}", f"project {n % 20}",
            FIRST_US + n * MINUTES // RUNS * MINUTE_US, 0, "node", SITE.id)
        for n in range(RUNS)
    )  # fmt: skip
    session.commit([LedgerBatch(sites=(SITE,), devices=devices, runs=runs)])
    for first in range(0, minutes, CHUNK):
        appender = session.con.appender("interval")
        appender.append_rows(rows(first, min(first + CHUNK, minutes)))
        appender.flush()
    session.close()
    again = Session(path, memory_limit_mb=256, now_us=lambda: next(ticks))
    again.commit([LedgerBatch(factors=(*factors_of(config(), SITE, FIRST_US), *more))])
    again.close()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    make(target / "ledger.duckdb")
