"""A statement about a past run as a batch for the ledger, written once however often it is sent."""

from __future__ import annotations

import hashlib
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from meter import limits
from meter.errors import ConflictError, LedgerError, UsageError
from meter.ids import new_id
from meter.metering.past import Work, intervals
from meter.model import (
    Component,
    Device,
    Hold,
    LedgerBatch,
    Method,
    Notice,
    Run,
    RunState,
    RunStatus,
    Severity,
)
from meter.past.facts import Place, facts_of
from meter.past.statement import checked_tags, effort_of
from meter.reserved import check_label
from meter.units import NS_PER_US, US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from decimal import Decimal

    from meter.config import Config
    from meter.ledger import Ledger
    from meter.ledger.reader import Reader
    from meter.model import Factor
    from meter.past.facts import Facts
    from meter.past.statement import Effort, Statement

ORIGIN = "past"
"""Origin of the id of a run that was not metered."""
NODE = "not metered"
"""Stands for the nodes of such a run, which nobody has seen."""

_MJ_PER_WH = 3_600_000
_MOST_PER_HOUR = 10**18
_DURABLE_S = 20.0
_NOT_METERED = "This run was not metered. Its energy is modelled, as stated when it was added:"
_ONLY_GPUS = "CPU, RAM and the rest of the servers are not in it."
_NO_HOURS = "How long the run took is not stated: all of it stands in the hour of its start."
_NO_DATE = "When the run was is not stated: it stands as if it had ended when it was added."


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as it will be in the ledger."""

    run_id: str
    device_ids: frozenset[str]
    batch: LedgerBatch


def booked(stated: Statement, config: Config, now_us: int, known: Iterable[Factor] = ()) -> PastRun:
    """The run that is stated, with everything that the statement leaves to the configuration.

    ``known`` are rows that the ledger has of the configured site.

    Raises UsageError where the statement is wrong or may mean two things, FactorError where the
    configuration is wrong.
    """
    check_label("the name", stated.name)
    run_id = new_id() if stated.id is None else limits.check_run_id("the id", stated.id)
    effort = effort_of(stated, now_us)
    name = device_name(effort)
    facts = facts_of(stated, Place(config, tuple(known)), run_id, effort.span, name)
    run = Run(
        id=run_id,
        name=stated.name,
        project=project_of(stated, config),
        started_us=effort.span.start_us,
        started_ns=0,
        node_id=NODE,
        site_id=facts.site.id,
        tags=checked_tags(stated),
        origin=ORIGIN,
    )
    work = _work(effort, run_id, f"past:{run_id}:{_digest(stated, effort, facts)}")
    return PastRun(run_id, frozenset({work.device_id}), _batch(run, work, name, facts, effort))


def _work(effort: Effort, run_id: str, device_id: str) -> Work:
    """Energy in mJ: GPU-hours times watts, rounded once."""
    energy_mj, low_mj, high_mj = (
        _rounded(effort.gpu_hours * Fraction(watts) * _MJ_PER_WH) for watts in _watts(effort)
    )
    work = Work(
        run_id=run_id,
        device_id=device_id,
        start_us=effort.span.start_us,
        end_us=effort.span.end_us,
        energy_mj=energy_mj,
        low_mj=low_mj,
        high_mj=high_mj,
        held_us=_rounded(effort.gpu_hours * US_PER_HOUR),
    )
    refuse_too_much(work)
    return work


def known_of(ledger: Ledger, config: Config) -> list[Factor]:
    """What the books have of the configured site, and stands."""
    from meter.ledger import books  # noqa: PLC0415 - DuckDB is imported when needed

    with ledger.reader() as reader:
        return books.standing(reader, books.Asked(scope=config.site_name))


def store(ledger: Ledger, past: PastRun, *, timeout_s: float = _DURABLE_S) -> bool:
    """Write a run, once; False where it is in the ledger as stated. Done when it is durable.

    Whoever shares the ledger between threads lets one at a time in here. Raises ConflictError for
    an id that stands for something else, LedgerError if it cannot be written.
    """
    with ledger.reader() as reader:
        if stands(reader, past):
            return False
    await_written(ledger, past, ledger.write(past.batch, urgent=True), timeout_s)
    return True


def stands(reader: Reader, past: PastRun) -> bool:
    """Whether the ledger has a run as stated. Raises ConflictError for another one of its id."""
    if not reader.rows("report/run", run_id=past.run_id):
        return False
    held = {row["device_id"] for row in reader.rows("report/run_holds", run_id=past.run_id)}
    if held == past.device_ids:
        return True
    raise ConflictError(
        f"there is a run {past.run_id} already, with other figures",
        "give another id, or leave it out",
    )


def await_written(
    ledger: Ledger, past: PastRun, written: Future[None], timeout_s: float = _DURABLE_S
) -> None:
    """Wait until a run is durable. Raises LedgerError."""
    try:
        written.result(timeout_s)
    except FutureTimeoutError:
        reason = ledger.health().last_error or "it is busy"
        raise LedgerError(
            f"the ledger has not written the run in time ({reason}); it may do so later",
            f"see `meter show {past.run_id}` before you add it again",
        ) from None


def device_name(effort: Effort) -> str:
    """What stands for the run's GPUs: ``2048 x A100 (modelled)``."""
    gpu = effort.power.gpu or ("GPU" if effort.count else "GPUs")
    return f"{effort.count} x {gpu} (modelled)" if effort.count else f"{gpu} (modelled)"


def _batch(run: Run, work: Work, name: str, facts: Facts, effort: Effort) -> LedgerBatch:
    length_ns = (work.end_us - work.start_us) * NS_PER_US
    return LedgerBatch(
        sites=(facts.site,),
        devices=(Device(work.device_id, Component.GPU, name, Method.MODELLED),),
        runs=(run,),
        holds=(Hold(run.id, work.device_id, 0, length_ns),),
        states=(RunState(run.id, RunStatus.COMPLETED, work.end_us),),
        intervals=intervals(work),
        site_id=facts.site.id,
        factors=(*facts.factors, *_power_rows(effort)),
        notices=tuple(_notices(run.id, facts, effort)),
    )


def _power_rows(effort: Effort) -> tuple[Factor, ...]:
    """The fact that the energy stands on, so that the ledger has it too."""
    return () if effort.power.fact is None else (effort.power.fact,)


def _notices(run_id: str, facts: Facts, effort: Effort) -> list[Notice]:
    """What the reader has to know: first of all that nothing was measured."""
    stated = f"{_plain(effort.gpu_hours)} GPU-hours times {effort.power.told}"
    found = [Notice("not_metered", f"{_NOT_METERED} {stated}. {_ONLY_GPUS}", Severity.WARNING)]
    if not effort.span.timed:
        found.append(Notice("hours_unknown", _NO_HOURS))
    if not effort.span.dated:
        found.append(Notice("start_unknown", _NO_DATE, Severity.WARNING))
    return [replace(notice, run_id=run_id) for notice in (*found, *left_to_others(facts))]


def left_to_others(facts: Facts) -> list[Notice]:
    """What the statement left to the configuration and to the books."""
    found = []
    if facts.configured:
        text = f"Not stated for this run, but configured: {', '.join(facts.configured)}."
        found.append(Notice("from_configuration", text))
    if facts.known:
        text = f"Not stated for this run, but known of the site: {', '.join(facts.known)}."
        found.append(Notice("from_books", text))
    return found


def project_of(stated: Statement, config: Config) -> str:
    """The project that pays; raises UsageError."""
    if stated.project is None:
        return config.project or limits.DEFAULT_PROJECT
    return check_label("the project", stated.project)


def _watts(effort: Effort) -> tuple[Decimal, Decimal, Decimal]:
    watts = effort.power.watts
    return watts.value, watts.low, watts.high


def refuse_too_much(work: Work) -> None:
    """The ledger's lines have 18 digits for what one run does in one hour."""
    length_us = max(US_PER_HOUR, work.end_us - work.start_us)
    if max(work.high_mj, work.held_us) * US_PER_HOUR // length_us >= _MOST_PER_HOUR:
        raise UsageError(
            "that is too much for one hour of one run",
            "state wall-hours, or start and end, so that it can be spread over its hours",
        )


def _digest(stated: Statement, effort: Effort, facts: Facts) -> str:
    """Twelve digits that are equal for equal statements, whatever the configuration says since."""
    span = effort.span
    said = (
        stated.name,
        stated.project,
        checked_tags(stated),
        effort.gpu_hours,
        effort.count,
        effort.power.gpu or [Fraction(watts) for watts in _watts(effort)],
        (span.start_us, span.end_us) if span.dated else span.end_us - span.start_us,
        facts.site.zone if stated.zone is not None else None,
        sorted((row.kind.value, row.value, row.low, row.high, row.unit) for row in facts.stated),
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


def _rounded(value: Fraction) -> int:
    """The nearest whole number, halves up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _plain(hours: Fraction) -> str:
    return f"{float(hours):,.3f}".rstrip("0").rstrip(".")
