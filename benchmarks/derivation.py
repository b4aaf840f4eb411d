"""How long reports over a year of 8 GPUs take: 4.2 million intervals, 2,000 runs, one thread.

Two ledgers: ``plain`` has a time-of-use tariff, PUE and a GPU-hour rate; ``rich`` also hourly grid
intensity, three instruments, grid loss, water and embodied carbon.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.table import Table, show
from meter.config import Banded, Electricity
from meter.factors import factors_of
from meter.identified import identified
from meter.ledger import open_reader
from meter.ledger.reports import run_document
from meter.ledger.session import Session
from meter.model import Factor, FactorKind, LedgerBatch, Method
from tests.ledger import year

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meter.ledger import Reader

HOUR_US = 3_600_000_000
LIMITS_MB = (64, 256)
TIMES = 3
KINDS = ("energy", "electricity", "gpu_time", "location")
RICH = ("market", "tnd", "water", "embodied_board")


def facts(days: int) -> Iterator[Factor]:
    """What the rich ledger knows beside its configuration."""

    def fact(kind: FactorKind, value: str, **changes: Any) -> Factor:
        values: dict[str, Any] = {
            "id": "", "kind": kind, "scope": "lab", "value": Decimal(value),
            "low": Decimal(value), "high": Decimal(value), "unit": "", "source": "benchmark",
            "method": Method.SOURCED, "recorded_us": year.FIRST_US, "rank": 400, "book": "import",
        }  # fmt: skip
        return identified(Factor(**{**values, **changes}))

    yield fact(FactorKind.WUE, "1.8")
    yield fact(FactorKind.TND_UPLIFT, "0.08")
    yield fact(FactorKind.EMBODIED_BOARD, "4.7", item="H100", scope="world")
    yield fact(FactorKind.EMBODIED_SERVER, "20.3", scope="world")
    for rank, share in ((440, "0.3"), (430, "0.3"), (420, "0.2")):
        yield fact(FactorKind.MARKET_INTENSITY, "20", rank=rank, item=f"{rank}",
                   share=Decimal(share))  # fmt: skip
    for hour in range(days * 24):
        at_us = year.FIRST_US + hour * HOUR_US
        yield fact(FactorKind.GRID_INTENSITY, str(20 + hour % 60), rank=300, book="uk",
                   valid_from_us=at_us, valid_to_us=at_us + HOUR_US)  # fmt: skip


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Medians of several warm calls: seconds, and seconds of processor."""
    what()
    taken, worked = [], []
    for _ in range(TIMES):
        began, began_cpu = time.perf_counter(), time.process_time()
        what()
        taken.append(time.perf_counter() - began)
        worked.append(time.process_time() - began_cpu)
    return sorted(taken)[TIMES // 2], sorted(worked)[TIMES // 2]


def questions(reader: Reader, *, rich: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    """The aggregate reports, by name."""
    for kind in (*KINDS, *(RICH if rich else ())):
        yield f"by project: {kind}", _total(reader, "project", kind)
    for group in ("run", "device", "day"):
        yield f"by {group}: electricity", _total(reader, group, "electricity")
    yield "list of 50 runs", lambda: reader.rows("report/runs", project=None, limit=50)
    yield "document of a run", lambda: run_document(reader, year.run_id(2))


def _total(reader: Reader, group: str, kind: str | None) -> Callable[[], object]:
    return lambda: reader.rows(f"totals/by_{group}", only_kind=kind)


def ask(table: Table, path: Path, *, rich: bool) -> None:
    """Each question at each memory limit."""
    for limit in LIMITS_MB:
        with open_reader(path, memory_limit_mb=limit) as reader:
            for name, what in questions(reader, rich=rich):
                taken, worked = timed(what)
                table.add(
                    "rich" if rich else "plain", name, f"{limit} MB", f"{taken:.2f}",
                    f"{worked:.2f}",
                )  # fmt: skip


def export(table: Table, path: Path) -> None:
    """Every line, streamed as exports do."""
    for name in ("energy_line", "cost_line"):
        with open_reader(path) as reader:
            began = time.perf_counter()
            lines = sum(1 for _ in reader.plain(f"lines/{name}"))
            table.add(f"{name}: {lines:,} rows, cold", f"{time.perf_counter() - began:.2f}")


def rerate(table: Table, path: Path) -> None:
    """A corrected tariff for the whole year: learn it, then report all projects' cost anew."""
    ticks = itertools.count(int(time.time() * 1e6), 1_000_000)
    session = Session(path, memory_limit_mb=64, now_us=lambda: next(ticks))
    price = Decimal("0.31")
    dearer = Banded(price, price, price)
    corrected = year.config(electricity=Electricity("EUR", dearer))
    began = time.perf_counter()
    session.commit([LedgerBatch(factors=tuple(factors_of(corrected, year.SITE, next(ticks))))])
    learned = time.perf_counter() - began
    session.close()
    with open_reader(path) as reader:
        began = time.perf_counter()
        reader.rows("totals/by_project", only_kind="electricity")
        table.add("learn a corrected tariff", f"{learned:.2f}")
        table.add("cost of all projects by it, cold", f"{time.perf_counter() - began:.2f}")


def main() -> None:
    """Make the ledgers, ask, export, correct."""
    parser = argparse.ArgumentParser(description="reports over a year")
    parser.add_argument("--quick", action="store_true", help="a month instead of a year")
    options = parser.parse_args()
    days = 30 if options.quick else 365
    asked = Table(
        f"Reports over {days} days of 8 GPUs, one thread, warm (s)",
        ("ledger", "report", "memory", "median", "processor"),
        hold="any aggregate report of one kind <= 0.5 s with 64-256 MB",
    )
    other = Table("Lines and corrections (s)", ("what", "s"), hold="each <= 2 s")
    with tempfile.TemporaryDirectory() as folder:
        for rich in (False, True):
            path = Path(folder) / ("rich" if rich else "plain")
            year.make(path, days=days, more=tuple(facts(days)) if rich else ())
            ask(asked, path, rich=rich)
            if not rich:
                export(other, path)
                rerate(other, path)
    show([asked, other])


if __name__ == "__main__":
    main()
