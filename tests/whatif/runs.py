"""Runs, places and ledgers for the tests of comparisons."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from meter.factors import factors_of
from meter.factors.books import HOURLY
from meter.identified import identified
from meter.ledger import profiles, reports
from meter.ledger.reader import Reader
from meter.ledger.session import Session
from meter.model import (
    Component,
    Factor,
    FactorKind,
    Interval,
    Kind,
    LedgerBatch,
    Method,
    Site,
)
from meter.units import US_PER_HOUR, US_PER_MINUTE, US_PER_QUARTER
from meter.whatif.place import Place, factor_of
from meter.whatif.profile import Amount, Profile, Use
from tests.ledger.facts import GPUS, registered, site

RUN = "01RUN0"
DEVICES = (*GPUS, "cpu-0", "ram")


def at(text: str) -> int:
    """UTC µs."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def hourly(
    start_us: int,
    values: list[int],
    *,
    kind: FactorKind = FactorKind.GRID_INTENSITY,
    scope: str = "FRA",
    currency: str | None = None,
    rank: int = HOURLY,
) -> tuple[Factor, ...]:
    """A row for each hour from a start, with bounds around it."""
    rows = []
    for number, value in enumerate(values):
        begin = start_us + number * US_PER_HOUR
        amount = Decimal(value) / 10
        low, high = sorted((amount * Decimal("0.9"), amount * Decimal("1.2")))
        low, high = min(low, amount), max(high, amount)
        row = Factor(
            "", kind, scope, amount, low, high,
            f"{currency}/kWh" if currency else "g/kWh", "a feed", Method.SOURCED, 1, rank,
            currency=currency, valid_from_us=begin, valid_to_us=begin + US_PER_HOUR, book="feed",
        )  # fmt: skip
        rows.append(identified(row))
    return tuple(rows)


def minute(start_us: int, number: int, energy_mj: int, device: str = GPUS[0]) -> Interval:
    """A minute of the run."""
    begin = start_us + number * US_PER_MINUTE
    return Interval(
        device, Kind.RUN, RUN, begin, begin + US_PER_MINUTE, energy_mj, energy_mj * 95 // 100,
        -(-energy_mj * 105 // 100), US_PER_MINUTE, energy_mj, Method.MEASURED,
    )  # fmt: skip


def ledger(config, start_us, intervals, more=(), zone="FRA"):
    """The run's document, its profile and the home that its ledger's facts make."""
    ticks = itertools.count(start_us, 1_000_000)
    session = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    factors = (*factors_of(config, site(zone), start_us), *more)
    try:
        session.commit([registered(zone=zone, started_us=start_us)])
        session.commit([LedgerBatch(factors=factors)])
        session.commit([LedgerBatch(intervals=tuple(intervals), site_id="lab")])
        with Reader(session.cursor()) as reader:
            read = profiles.run_profile(reader, RUN)
            scopes = ["lab", "world", *([zone] if zone else [])]
            rows = profiles.factor_rows(reader, scopes, (start_us - 1, start_us + 10**14))
            home = {"lab": Place(Site("lab", "lab", zone), tuple(map(factor_of, rows)))}
            return reports.run_document(reader, RUN), read, home
    finally:
        session.close()


def profile(energies: list[int], start_us: int) -> Profile:
    """Quarter hours of one GPU."""
    uses = tuple(
        Use(
            start_us + number * US_PER_QUARTER, "lab", GPUS[0], Component.GPU,
            Amount(energy * 9 // 10, energy, energy * 12 // 10),
            Amount.exactly(US_PER_QUARTER), Method.MEASURED,
        )
        for number, energy in enumerate(energies)
    )  # fmt: skip
    return Profile(start_us, len(energies) * US_PER_QUARTER, uses)


def home(*factors: Factor, zone: str | None = "FRA") -> dict[str, Place]:
    """A place for the site of :func:`profile`."""
    return {"lab": Place(Site("lab", "lab", zone), tuple(factors))}
