"""A hosted job's estimates made anew, after an assumption behind them was corrected; pure.

What was booked stays: the difference is booked beside it, so that reports of an earlier instant
keep their figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.metering.past import Work, intervals
from meter.model import LedgerBatch, Notice, RunEstimate, Site
from meter.past.hosted import run_id_of, site_id_of, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meter.hosted_facts import HostedJob
    from meter.model import Interval
    from meter.past.hosted import Judged

MADE_AGAIN = "estimate_made_again"
_TEXT = (
    "The energy of this job was estimated again, since an assumption was corrected; reports of an"
    " earlier instant keep the earlier figure."
)


@dataclass(frozen=True, slots=True)
class Sums:
    """Energy and its bounds, in mJ."""

    energy_mj: int
    low_mj: int
    high_mj: int


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

    ``tiers`` are its newest estimates and ``booked`` what its run has: a run that has no energy
    gets none here.
    """
    best = None if judged.energy is None else judged.energy.tier
    now = tuple(
        Tier(one.tier, one.low_mj, one.mid_mj, one.high_mj, one.tier == best)
        for one in judged.estimates
    )
    if sorted(now, key=_number) == sorted(tiers, key=_number):
        return None
    run_id = run_id_of(job.provider, job.id)
    site = Site(site_id_of(run_id), judged.zone or "not known", judged.zone)
    return LedgerBatch(
        sites=(site,) if judged.zone else (),
        site_id=site.id,
        factors=judged.factors,
        hosted_energy=tuple(
            RunEstimate(run_id, one, booked=one.tier == best) for one in judged.estimates
        ),
        intervals=() if booked is None else tuple(_difference(job, booked, _sums(judged))),
        notices=(Notice(MADE_AGAIN, _TEXT, run_id=run_id, at_us=span_of(job)[1]),),
    )


def _number(one: Tier) -> int:
    return one.tier


def _sums(judged: Judged) -> Sums:
    best = judged.energy
    if best is None:
        return Sums(0, 0, 0)
    return Sums(best.high_mj if best.mid_mj is None else best.mid_mj, best.low_mj, best.high_mj)


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
    run_id = run_id_of(job.provider, job.id)
    start_us, end_us = span_of(job)
    work = Work(
        run_id=run_id, device_id=site_id_of(run_id), start_us=start_us, end_us=end_us,
        energy_mj=sums.energy_mj, low_mj=sums.low_mj, high_mj=sums.high_mj,
        held_us=end_us - start_us,
    )  # fmt: skip
    return intervals(work)
