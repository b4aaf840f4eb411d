"""A job at a provider as a run: its usage, what it is estimated to have used, where it stood.

A job is told many times while it goes on. Its usage and its energy are booked once, when it has
ended: what a provider bills is final then.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from meter import limits
from meter.hosted.parameters import billions_in
from meter.hosted_facts import DETAILS_MISSING, JobStatus, Meter, Quantity, Usage
from meter.metering.past import Work, intervals
from meter.model import (
    Component,
    Device,
    Hold,
    Interval,
    LedgerBatch,
    Method,
    Notice,
    Run,
    RunEstimate,
    RunJob,
    RunLink,
    RunState,
    RunStatus,
    Severity,
    Site,
)
from meter.past.booking import NODE
from meter.units import NS_PER_US, US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.hosted_facts import Estimate, HostedJob, Hosting
    from meter.model import Factor

ORIGIN = "hosted"
"""Origin of the id of a run that was a provider's job."""
NOT_BILLED = "not_billed"
"""Flag of a job whose quantities are counted, but cost nothing."""

_US_PER_DAY = 24 * US_PER_HOUR
_PLACES = Decimal("1E-6")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:-]+")
_ID_CHARS = 80
_STATUS = {
    JobStatus.SUCCEEDED: RunStatus.COMPLETED,
    JobStatus.FAILED: RunStatus.FAILED,
    JobStatus.CANCELLED: RunStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class Before:
    """What the ledger has of a job already."""

    status: JobStatus | None = None  # None: nothing
    has_energy: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What a job is estimated to have used, and where, by the books.

    ``estimates`` have the facility in them, the best evidence first; ``energy`` is the best one
    that is more than a bound, without it. ``factors`` are the facts behind them, and those that
    hold for its place alone.
    """

    estimates: tuple[Estimate, ...] = ()
    energy: Estimate | None = None
    zone: str | None = None
    factors: tuple[Factor, ...] = ()


@dataclass(frozen=True, slots=True)
class Sums:
    """Energy and its bounds, in mJ, and what the value is."""

    energy_mj: int
    low_mj: int
    high_mj: int
    method: Method = Method.MODELLED

    @classmethod
    def of(cls, best: Estimate) -> Sums:
        """What is booked by an estimate.

        An upper bound is no estimate: the middle between nothing and it stands in for the range,
        and is called assumed.
        """
        if best.mid_mj is None:
            middle_mj = (best.low_mj + best.high_mj) // 2
            return cls(middle_mj, best.low_mj, best.high_mj, Method.ASSUMED)
        return cls(best.mid_mj, best.low_mj, best.high_mj)


Parts = tuple[tuple[Device, ...], tuple[Hold, ...], tuple[Interval, ...]]
NO_PARTS: Parts = ((), (), ())
NOTHING_BEFORE = Before()
NOT_JUDGED = Judged()


def run_id_of(provider: str, job_id: str) -> str:
    """Id of a job's run: the job's own, made safe where it is a path."""
    last = _UNSAFE.sub("-", job_id.rstrip("/").rpartition("/")[2])[:_ID_CHARS].strip("-.:")
    plain = last == job_id and bool(last)
    digest = "" if plain else f"-{hashlib.sha256(job_id.encode()).hexdigest()[:8]}"
    return limits.check_run_id("the job's id", f"{provider}:{last}{digest}")


def site_id_of(run_id: str) -> str:
    """Id of the place of a job's run, which is its alone."""
    return f"hosted:{run_id}"


def booked_job(
    job: HostedJob, project: str, judged: Judged = NOT_JUDGED, before: Before = NOTHING_BEFORE
) -> LedgerBatch:
    """What is news of a job, as a batch; ``judged`` counts once it has ended."""
    run_id = run_id_of(job.provider, job.id)
    site = Site(site_id_of(run_id), judged.zone or "not known", judged.zone)
    books = job.status.ended and not before.has_energy
    devices, holds, energy = energy_of(job, judged) if books else NO_PARTS
    new = before.status is None
    return LedgerBatch(
        sites=(site,) if new or judged.zone else (),
        devices=devices,
        runs=(_run(job, run_id, site.id, project),) if new else (),
        links=(RunLink(run_id, job.provider, job.id),) if new else (),
        states=tuple(_states(job, run_id, before)),
        holds=holds,
        intervals=energy,
        site_id=site.id,
        factors=judged.factors if books else (),
        hosted_energy=tuple(_estimates(run_id, judged)) if books else (),
        usages=tuple(job_usage(job, run_id, project)),
        jobs=(RunJob(run_id, job),),
        notices=tuple(_notices(job, run_id)) if job.status.ended and not _ended(before) else (),
    )  # fmt: skip


def energy_of(job: HostedJob, judged: Judged) -> Parts:
    """The first energy of a job's run: its device, how long it was held, the intervals."""
    if judged.energy is None:
        return NO_PARTS
    run_id = run_id_of(job.provider, job.id)
    start_us, end_us = span_of(job)
    device = Device(
        site_id_of(run_id), Component.HOSTED, f"{job.provider} {job.base_model}", Method.MODELLED
    )
    hold = Hold(run_id, device.id, 0, (end_us - start_us) * NS_PER_US)
    return (device,), (hold,), intervals(work_of(job, Sums.of(judged.energy)))


def span_of(job: HostedJob) -> tuple[int, int]:
    """From when to when a job ran, as far as it was told."""
    start_us = job.created_us if job.started_us is None else job.started_us
    end_us = job.seen_us if job.ended_us is None else job.ended_us
    return start_us, max(start_us, end_us)


def hosting_usage(hosting: Hosting, project: str, seen_us: int) -> Iterator[Usage]:
    """Hours of a deployed model, an event for each UTC day that is over, or that it ended in.

    An end that is still to come is none.
    """
    ended = hosting.ended_us is not None and hosting.ended_us <= seen_us
    until_us = hosting.ended_us if ended and hosting.ended_us else seen_us
    day_us = hosting.started_us - hosting.started_us % _US_PER_DAY
    while day_us < until_us:
        next_us = day_us + _US_PER_DAY
        over = next_us <= seen_us or ended
        if over:
            spent_us = min(next_us, until_us) - max(day_us, hosting.started_us)
            yield _day(hosting, project, max(day_us, hosting.started_us), spent_us)
        day_us = next_us


def _day(hosting: Hosting, project: str, at_us: int, spent_us: int) -> Usage:
    return Usage(
        source=f"hosting:{hosting.provider}",
        id=f"{hosting.id}:{at_us // _US_PER_DAY}",
        at_us=at_us,
        provider=hosting.provider,
        model=hosting.model,
        quantities=(_hours_of(hosting.units, spent_us),),
        project=project,
        region=hosting.region,
        service_tier=hosting.service_tier,
    )


def _hours_of(units: Decimal | None, spent_us: int) -> Quantity:
    """Hours of all units; of a number that nobody tells they are not known."""
    if units is None:
        return Quantity(Meter.UNKNOWN, None)
    hours = Decimal(spent_us) / US_PER_HOUR * units
    return Quantity(Meter.HOST_HOUR, hours.quantize(_PLACES, ROUND_HALF_EVEN))


def _ended(before: Before) -> bool:
    return before.status is not None and before.status.ended


def work_of(job: HostedJob, sums: Sums) -> Work:
    """Energy of a job as work at its place, spread over its time."""
    run_id = run_id_of(job.provider, job.id)
    start_us, end_us = span_of(job)
    return Work(
        run_id=run_id, device_id=site_id_of(run_id), start_us=start_us, end_us=end_us,
        energy_mj=sums.energy_mj, low_mj=sums.low_mj, high_mj=sums.high_mj,
        held_us=end_us - start_us, method=sums.method,
    )  # fmt: skip


def _estimates(run_id: str, judged: Judged) -> Iterator[RunEstimate]:
    tier = None if judged.energy is None else judged.energy.tier
    for one in judged.estimates:
        yield RunEstimate(run_id, one, booked=one.tier == tier)


def _run(job: HostedJob, run_id: str, site_id: str, project: str) -> Run:
    tags = {"provider": job.provider, "base_model": job.base_model}
    return Run(
        id=run_id,
        name=job.name or job.tuned_model or job.base_model,
        project=project,
        started_us=span_of(job)[0],
        started_ns=0,
        node_id=NODE,
        site_id=site_id,
        tags=tuple(sorted(tags.items())),
        origin=ORIGIN,
    )


def _states(job: HostedJob, run_id: str, before: Before) -> Iterator[RunState]:
    was = None if before.status is None else _STATUS.get(before.status, RunStatus.RUNNING)
    now = _STATUS.get(job.status, RunStatus.RUNNING)
    if was is not now:
        at_us = span_of(job)[1] if job.status.ended else span_of(job)[0]
        yield RunState(run_id, now, at_us)


def job_usage(job: HostedJob, run_id: str, project: str) -> Iterator[Usage]:
    """What a job that has ended used, if that is billed."""
    if not (job.status.ended and job.quantities) or NOT_BILLED in job.flags:
        return
    yield Usage(
        source=f"jobs:{job.provider}",
        id=job.id,
        at_us=span_of(job)[1],
        provider=job.provider,
        model=job.base_model,
        quantities=tuple(_rounded(one) for one in job.quantities),
        project=project,
        run_id=run_id,
        region=job.region,
        service_tier=dict(job.told).get("trainingType"),
        training=job.training,
        adapter=job.adapter,
        parameters_b=job.parameters_b or _billions(job.base_model),
    )


def _billions(model: str) -> Decimal | None:
    """What the name of an open model tells of its size, by which training is priced."""
    found = billions_in(model)
    return None if found is None else Decimal(found.numerator) / Decimal(found.denominator)


def _rounded(one: Quantity) -> Quantity:
    amount = None if one.amount is None else one.amount.quantize(_PLACES, ROUND_HALF_EVEN)
    return replace(one, amount=amount)


def _notices(job: HostedJob, run_id: str) -> Iterator[Notice]:
    for flag in job.flags:
        if flag in _TOLD:
            yield Notice(flag, _TOLD[flag], Severity.WARNING, run_id=run_id)


_TOLD = {
    NOT_BILLED: "The provider bills nothing for this job; its quantities are in no sum.",
    "completed_steps_only": "Cancelled: billed for the steps that were completed.",
    "billing_unclear": "Whether the provider bills a job that ended like this is not documented.",
    "hours_upper_bound": "How long the training took was not told; from creation to end is more.",
    "epochs_unclear": "Whether the tokens told have the epochs in them is not documented.",
    "packing_off": "Without packing, more tokens are billed than the data has.",
    DETAILS_MISSING: "Some of what belongs to the job could not be read.",
}  # fmt: skip
