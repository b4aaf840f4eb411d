"""A hosted job's estimates made anew, after an assumption behind them was corrected; pure.

What was booked stays: the difference is booked beside it, so that reports of an earlier instant
keep their figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.metering.past import intervals
from meter.model import LedgerBatch, Notice, RunEstimate, Site
from meter.past.hosted import NO_PARTS, Sums, energy_of, run_id_of, site_id_of, span_of, work_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meter.hosted_facts import HostedJob
    from meter.model import Interval
    from meter.past.hosted import Judged

MADE_AGAIN = "estimate_made_again"
NO_ENERGY = Sums(0, 0, 0)
_TEXT = (
    "The energy of this job was estimated again, since an assumption or the method was corrected or"
    " its provider told more; reports of an earlier instant keep the earlier figure."
)


@dataclass(frozen=True, slots=True)
class Tier:
    """One estimate, as far as it is a figure."""

    tier: int
    low_mj: int
    mid_mj: int | None
    high_mj: int
    booked: bool


def made_again(
    job: HostedJob, judged: Judged, tiers: Sequence[Tier], booked: Sums | None
) -> LedgerBatch | None:
    """What is to be written of a job that has ended, None where its estimates are as they were.

    ``tiers`` are its newest estimates and ``booked`` what its run has: None where no estimate had
    a number yet; the first that has one is booked whole.
    """
    best = None if judged.energy is None else judged.energy.tier
    now = tuple(
        Tier(one.tier, one.low_mj, one.mid_mj, one.high_mj, one.tier == best)
        for one in judged.estimates
    )
    as_before = sorted(now, key=_number) == sorted(tiers, key=_number)
    if as_before and _same(booked or NO_ENERGY, _sums(judged)):
        return None
    run_id = run_id_of(job.provider, job.id)
    devices, holds, energy = energy_of(job, judged) if booked is None else NO_PARTS
    site = Site(site_id_of(run_id), judged.zone or "not known", judged.zone)
    return LedgerBatch(
        sites=(site,) if judged.zone else (),
        site_id=site.id,
        factors=judged.factors,
        hosted_energy=tuple(
            RunEstimate(run_id, one, booked=one.tier == best) for one in judged.estimates
        ),
        devices=devices,
        holds=holds,
        intervals=energy if booked is None else tuple(_difference(job, booked, _sums(judged))),
        notices=(Notice(MADE_AGAIN, _TEXT, run_id=run_id, at_us=span_of(job)[1]),),
    )


def _number(one: Tier) -> int:
    return one.tier


def _sums(judged: Judged) -> Sums:
    return NO_ENERGY if judged.energy is None else Sums.of(judged.energy)


def _same(one: Sums, other: Sums) -> bool:
    """Whether they are the same figures, whatever they are called."""
    return replace(one, method=other.method) == other


def _difference(job: HostedJob, was: Sums, now: Sums) -> Iterator[Interval]:
    """By minute, what the run has too little, or too much: then it is negative."""
    for old, new in zip(_spread(job, was), _spread(job, now), strict=True):
        found = replace(
            new,
            energy_mj=new.energy_mj - old.energy_mj,
            low_mj=new.low_mj - old.low_mj,
            high_mj=new.high_mj - old.high_mj,
            covered_us=0,
            measured_mj=0,
            correction=True,
            held_us=None,
        )
        if found.energy_mj or found.low_mj or found.high_mj:
            yield found


def _spread(job: HostedJob, sums: Sums) -> tuple[Interval, ...]:
    return intervals(work_of(job, sums))
