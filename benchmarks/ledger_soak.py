"""Memory and size of the ledger under commits without pause: both have to stay flat."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.table import Table, show
from meter.ledger import Ledger, recovery
from meter.ledger.ledger import Pace
from meter.model import Counter, Interval, Kind, LedgerBatch, Method, RawReading
from meter.units import NS_PER_S, US_PER_MINUTE, US_PER_S

COMMITS = 20_000
QUICK_COMMITS = 2_000
COUNTERS = 60
DEVICES = 10
STAGES = 10
START_US = 1_772_359_200 * US_PER_S
POWER_MW = 512_345


def main() -> None:
    """Write simulated seconds, one a commit, and print what that took."""
    parser = argparse.ArgumentParser(description="memory and size of the ledger under commits")
    parser.add_argument("--commits", type=int, default=COMMITS)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_COMMITS} commits")
    options = parser.parse_args()
    show([soak(QUICK_COMMITS if options.quick else options.commits)])


def soak(commits: int) -> Table:
    """Resident memory and file size after each tenth of the commits."""
    table = Table(
        f"{commits} commits of {COUNTERS} counters and {DEVICES} readings",
        ("commits", "resident MB", "file MB", "log MB", "ms per commit"),
        hold="resident memory flat; the file grows by readings and intervals only",
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "ledger.duckdb"
        second = iter(range(commits + 1))
        with Ledger.open(
            path, pace=Pace(commit_s=0.0), now_us=lambda: START_US + next(second) * US_PER_S
        ) as ledger:
            table.add(0, *sizes(path), "")
            for stage in range(STAGES):
                first, last = (commits * n // STAGES for n in (stage, stage + 1))
                began = time.perf_counter()
                for number in range(first, last):
                    ledger.write(batch(number)).result()
                each_ms = (time.perf_counter() - began) * 1e3 / max(1, last - first)
                table.add(last, *sizes(path), f"{each_ms:.2f}")
            with ledger.reader() as reader:
                found = {(c.name, c.labels): c.value for c in recovery.counters(reader)}
            want = {(c.name, c.labels): c.value for c in batch(commits - 1).counters}
            table.add("restored exactly" if found == want else "NOT RESTORED", "", "", "", "")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table.add("at most", f"{most:.0f}", "", "", "")
    return table


def sizes(path: Path) -> tuple[str, str, str]:
    """Resident memory, size of the file and of its log, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    log = path.with_name(f"{path.name}.wal")
    log_size = log.stat().st_size if log.exists() else 0
    figures = (pages * resource.getpagesize() / 2**20, path.stat().st_size / 1e6, log_size / 1e6)
    resident, file, logged = (f"{figure:.1f}" for figure in figures)
    return resident, file, logged


def batch(number: int) -> LedgerBatch:
    """A second of eight GPUs, a processor and memory, with the counters of six runs."""
    at_us = START_US + number * US_PER_S
    counters = tuple(
        Counter(
            f"meter_figure_{n % 10}_total",
            (("run", f"01SOAK{n // 10:020d}"), ("component", "gpu"), ("method", "measured")),
            Decimal(number * POWER_MW + n).scaleb(-9),
        )
        for n in range(COUNTERS)
    )
    readings = tuple(
        RawReading(
            f"GPU-{device:036d}",
            at_us,
            number * NS_PER_S,
            number * POWER_MW,
            number * NS_PER_S - NS_PER_S // 4,
            number * POWER_MW,
            POWER_MW + number % 977,
            0.93,
            60_000_000_000,
            61.0,
        )
        for device in range(DEVICES)
    )
    at_minute = at_us % US_PER_MINUTE == 0
    return LedgerBatch(
        counters=counters, readings=readings, intervals=_minute(at_us) if at_minute else ()
    )


def _minute(end_us: int) -> tuple[Interval, ...]:
    energy_mj = POWER_MW * 60
    return tuple(
        Interval(
            f"GPU-{device:036d}",
            Kind.IDLE,
            None,
            end_us - US_PER_MINUTE,
            end_us,
            energy_mj,
            energy_mj,
            energy_mj,
            US_PER_MINUTE,
            energy_mj,
            Method.MEASURED,
        )
        for device in range(DEVICES)
    )


if __name__ == "__main__":
    main()
