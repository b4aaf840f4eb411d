"""A run whose energy another tool has told by component, as a batch for the ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter import limits
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
)
from meter.past.booking import (
    NODE,
    ORIGIN,
    PastRun,
    left_to_others,
    project_of,
    refuse_too_much,
)
from meter.past.facts import Place, facts_of
from meter.past.statement import check_span, checked_tags
from meter.reserved import check_label
from meter.units import NS_PER_US

if TYPE_CHECKING:
    from meter.config import Config
    from meter.model import Factor
    from meter.past.facts import Facts
    from meter.past.statement import Span, Statement


@dataclass(frozen=True, slots=True)
class Part:
    """What a component used, in mJ; ``name`` is its device's, ``held_us`` the time of all GPUs."""

    component: Component
    name: str
    energy_mj: int
    held_us: int = 0


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run as another tool tells it: of the statement only what is no energy and no time.

    ``place`` is where it stands in a file, for who has to correct it.
    """

    id: str
    statement: Statement
    span: Span
    parts: tuple[Part, ...]
    notices: tuple[Notice, ...] = ()
    place: int = 0

    @property
    def length_us(self) -> int:
        """How long it took."""
        return self.span.end_us - self.span.start_us


def booked_told(
    told: ToldRun, config: Config, now_us: int, known: tuple[Factor, ...] = ()
) -> PastRun:
    """The run, with everything that is not told left to the configuration and the books.

    Energies have no bounds: the tool has none. Raises UsageError where it cannot be, FactorError
    where the configuration is wrong.
    """
    stated = told.statement
    check_label("the name", stated.name)
    run_id = limits.check_run_id("the id", told.id)
    check_span(told.span, now_us)
    gpu = next((one.name for one in told.parts if one.component is Component.GPU), "no GPU")
    facts = facts_of(stated, Place(config, known), run_id, told.span, gpu)
    run = Run(
        id=run_id,
        name=stated.name,
        project=project_of(stated, config),
        started_us=told.span.start_us,
        started_ns=0,
        node_id=NODE,
        site_id=facts.site.id,
        tags=checked_tags(stated),
        origin=ORIGIN,
    )
    digest = _digest(told, facts)
    works = [_work(part, told.span, run_id, digest) for part in told.parts]
    batch = _batch(run, told, facts, works)
    return PastRun(run_id, frozenset(work.device_id for work in works), batch)


def _work(part: Part, span: Span, run_id: str, digest: str) -> Work:
    work = Work(
        run_id=run_id,
        device_id=f"past:{run_id}:{digest}:{part.component.value}",
        start_us=span.start_us,
        end_us=span.end_us,
        energy_mj=part.energy_mj,
        low_mj=part.energy_mj,
        high_mj=part.energy_mj,
        held_us=part.held_us,
    )
    refuse_too_much(work)
    return work


def _batch(run: Run, told: ToldRun, facts: Facts, works: list[Work]) -> LedgerBatch:
    length_ns = told.length_us * NS_PER_US
    notices = (*told.notices, *left_to_others(facts))
    return LedgerBatch(
        sites=(facts.site,),
        devices=tuple(
            Device(work.device_id, part.component, part.name, Method.MODELLED)
            for work, part in zip(works, told.parts, strict=True)
        ),
        runs=(run,),
        holds=tuple(Hold(run.id, work.device_id, 0, length_ns) for work in works),
        states=(RunState(run.id, RunStatus.COMPLETED, told.span.end_us),),
        intervals=tuple(interval for work in works for interval in intervals(work)),
        site_id=facts.site.id,
        factors=facts.factors,
        notices=tuple(replace(notice, run_id=run.id) for notice in notices),
    )


def _digest(told: ToldRun, facts: Facts) -> str:
    """Twelve digits that are equal for what is told equally, whatever is configured since."""
    stated = told.statement
    said = (
        stated.name,
        stated.project,
        checked_tags(stated),
        (told.span.start_us, told.span.end_us),
        [(one.component.value, one.energy_mj, one.held_us) for one in told.parts],
        facts.site.zone if stated.zone is not None else None,
        sorted((row.kind.value, row.value, row.low, row.high, row.unit) for row in facts.stated),
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]
