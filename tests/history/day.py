"""A day in a ledger: runs that come and go on two GPUs, hosted usage, a tariff, a correction."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from meter.config import Window
from meter.factors import factors_of
from meter.factors.hosted import hosted_factors
from meter.hosted_facts import (
    Adapter,
    Estimate,
    HostedJob,
    JobStatus,
    Meter,
    Quantity,
    Training,
    Usage,
)
from meter.ledger.session import Session
from meter.model import (
    Budget,
    FactorKind,
    Interval,
    Kind,
    LedgerBatch,
    Mark,
    Method,
    Price,
    RawReading,
    Run,
    RunState,
    RunStatus,
)
from meter.past.hosted import Judged, booked_job
from tests.ledger.facts import (
    BOOT_NS,
    HOUR_US,
    MINUTE_US,
    NODE,
    START_US,
    band,
    devices,
    priced,
    site,
)
from tests.ledger.test_derivation import fact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FROM_US = START_US // (24 * HOUR_US) * 24 * HOUR_US  # midnight
TO_US = FROM_US + 24 * HOUR_US
NIGHT = Window((0, 1, 2, 3, 4, 5, 6), 22 * 60, 6 * 60, band("0.17"))
QUARTER = Window((0, 1, 2, 3, 4, 5, 6), 12 * 60 + 15, 13 * 60 + 30, band("0.31"))


class Plan(NamedTuple):
    """A run: who, on which GPU, from which minute of the day to which."""

    id: str
    project: str
    gpu: str
    start: int
    end: int | None  # None: it still runs
    watts: int


RUNS = (
    Plan("before", "chat", "GPU-0", -90, 200, 611),  # began the evening before
    Plan("short", "eval", "GPU-1", 61, 62, 333),
    Plan("long", "chat", "GPU-1", 100, 1_000, 487),
    Plan("noon", "lab", "GPU-0", 700, 900, 702),
    Plan("weird \"'\\\u202e🙂", "lab", "GPU-0", 1_000, 1_200, 251),
    Plan("still", "eval", "GPU-1", 1_300, None, 366),
)
HOSTED = "hosted"
JOB = HostedJob(
    provider="openai",
    id="ftjob-1",
    status=JobStatus.SUCCEEDED,
    provider_status="succeeded",
    created_us=FROM_US + 500 * MINUTE_US,
    seen_us=FROM_US + 700 * MINUTE_US,
    ended_us=FROM_US + 620 * MINUTE_US,
    base_model="gpt-4o",
    training=Training.SFT,
    adapter=Adapter.LORA,
)
ESTIMATED_MJ = 900_000_000
"""What it is estimated to have used: beside the energy of runs, never in it."""


def make(path: Path) -> Path:
    """Write the day into a new ledger."""
    ticks = itertools.count(TO_US + HOUR_US, 1_000)
    session = Session(path, memory_limit_mb=64, now_us=lambda: next(ticks))
    session.commit([_things()])
    session.commit([LedgerBatch(intervals=tuple(_intervals()), site_id="lab")])
    session.commit([LedgerBatch(readings=tuple(_readings()), marks=tuple(_marks()))])
    session.commit([LedgerBatch(usages=tuple(_usage()))])
    session.commit([LedgerBatch(factors=tuple(hosted_factors(FROM_US)))])
    estimate = Estimate(3, 400_000_000, ESTIMATED_MJ, 2_000_000_000, "tokens")
    session.commit([booked_job(JOB, "bot", Judged((estimate,), estimate))])
    session.close()
    return path


def _things() -> LedgerBatch:
    configured = priced(windows=(NIGHT, QUARTER))
    instrument = fact(FactorKind.MARKET_INTENSITY, "10", share=Decimal("0.4"), rank=430, item="ppa")
    runs = [_run(plan.id, plan.project, plan.start) for plan in RUNS]
    runs.append(_run(HOSTED, "bot", 300))
    ended = [(plan.id, plan.end) for plan in RUNS if plan.end is not None] + [(HOSTED, 420)]
    states = [RunState(id_, RunStatus.COMPLETED, _at(end), 0) for id_, end in ended]
    return LedgerBatch(
        nodes=(NODE,),
        sites=(site("FRA"),),
        devices=devices(),
        runs=tuple(runs),
        states=tuple(states),
        budgets=(Budget("long", Decimal(9), "kWh"),),
        factors=(*factors_of(configured, site("FRA"), FROM_US), instrument),
        prices=(_price("input", "2.5"), _price("train_token", "25"), _price("host_hour", "1.7", 1)),
        site_id="lab",
    )


def _at(minute: int) -> int:
    return FROM_US + minute * MINUTE_US


def _run(run_id: str, project: str, start: int) -> Run:
    return Run(run_id, f"name\nof {run_id}", project, _at(start), BOOT_NS, NODE.id, "lab")


def _price(meter: str, value: str, per: int = 1_000_000) -> Price:
    amount = Decimal(value)
    return Price(
        id="", provider="openai", model="gpt-4o", meter=meter, per=per, currency="USD",
        value=amount, low=amount, high=amount, source="list", recorded_us=0, rank=300,
    )  # fmt: skip


def _intervals() -> Iterator[Interval]:
    for minute in range(-120, 24 * 60):
        for gpu in ("GPU-0", "GPU-1"):
            found = [p for p in RUNS if p.gpu == gpu and p.start <= minute < (p.end or 9_999)]
            owner = (Kind.RUN, found[0].id, found[0].watts) if found else (Kind.IDLE, None, 71)
            yield _interval(gpu, minute, *owner)
        yield (
            _interval("cpu-0", minute, Kind.RUN, "long", 55)
            if 100 <= minute < 1_000
            else (_interval("cpu-0", minute, Kind.UNATTRIBUTED, None, 40))
        )
    # what a stuck counter had told too much, taken back later
    wrong = _interval("GPU-1", 500, Kind.RUN, "long", -480)
    yield Interval(
        wrong.device_id, wrong.kind, wrong.run_id, wrong.start_us, wrong.end_us, wrong.energy_mj,
        2 * wrong.energy_mj, 0, 0, 0, Method.MODELLED, correction=True,
    )  # fmt: skip
    yield Interval(
        "GPU-1", Kind.RUN, "long", wrong.start_us + MINUTE_US, wrong.end_us + MINUTE_US,
        -40_000_000, -50_000_000, -30_000_000, 0, 0, Method.MEASURED, correction=True,
    )  # fmt: skip


def _interval(device: str, minute: int, kind: Kind, run_id: str | None, watts: int) -> Interval:
    energy = watts * 60_000 + minute * 7 % 1_000
    measured = device.startswith("GPU")
    return Interval(
        device, kind, run_id, _at(minute), _at(minute + 1), energy, min(energy, energy * 2),
        max(energy, 0) * 2, MINUTE_US, max(energy, 0) if measured else 0,
        Method.MEASURED if measured else Method.MODELLED,
    )  # fmt: skip


def _readings() -> Iterator[RawReading]:
    for minute in range(1_300, 24 * 60):
        for gpu in ("GPU-0", "GPU-1"):
            yield RawReading(
                gpu, _at(minute) + 30_000_000, BOOT_NS, minute, BOOT_NS, None, 300_000,
                0.01 if gpu == "GPU-0" else 0.93, 1 << 30, 41.5,
            )  # fmt: skip


def _marks() -> Iterator[Mark]:
    energy = 0
    for number, minute in enumerate(range(110, 1_000, 10)):
        energy += 542 * 600_000 - 3_000_000
        yield Mark(
            "long", _at(minute) + 5_000_000, energy, step=100 * (number + 1),
            tokens=4_096 * (number + 1),
            phase=("train", "eval")[number % 2] if number % 20 < 2 else None,
            source="rank 0", number=number + 1,
        )  # fmt: skip


def _usage() -> Iterator[Usage]:
    def event(name: str, minute: int, meter: Meter, amount: str, **changes: str) -> Usage:
        model, project = changes.get("model", "gpt-4o"), changes.get("project", "bot")
        quantities = (Quantity(meter, Decimal(amount)),)
        one = Usage("openai", name, _at(minute) + 17, "openai", model, quantities)
        run = changes.get("run")
        return one._replace(run_id=run) if run else one._replace(project=project)

    for number, minute in enumerate(range(3, 24 * 60, 7)):
        yield event(f"in {number}", minute, Meter.INPUT, f"{1_000 + number}")
        yield event(f"odd {number}", minute, Meter.OUTPUT, "17", model="nobody-knows")
        yield event(f"host {number}", minute, Meter.HOST_HOUR, "0.116667", project="lab")
    yield event("training", 415, Meter.TRAIN_TOKEN, "1234567", run=HOSTED)
