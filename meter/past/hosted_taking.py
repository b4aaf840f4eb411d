"""Jobs and deployments of providers, all that is news of them into the ledger."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from meter import reserved
from meter.hosted.jobs.billing import with_quantities
from meter.hosted.wire import job_of
from meter.hosted_facts import DETAILS_MISSING, JobStatus, Meter
from meter.ledger.hosted_rows import job_sha256
from meter.model import Outcome
from meter.past.hosted import (
    NOT_JUDGED,
    NOTHING_BEFORE,
    Before,
    Sums,
    booked_job,
    run_id_of,
)
from meter.past.hosted_again import Tier, made_again
from meter.past.hosted_held import (
    LATER,
    NOTHING_HELD,
    amounts_by_event,
    as_held,
    conflict_of,
    keys_of,
)
from meter.past.hosting_taking import HoursTaken, awaited, take_hours
from meter.usage_entries import event_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meter.hosted_facts import HostedJob, Hosting
    from meter.ledger import Ledger
    from meter.model import LedgerBatch, Notice
    from meter.past.hosted import Judged
    from meter.past.hosted_held import Amounts, Conflict

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class JobsTold:
    """What a provider told; ``project`` pays for jobs that name none.

    ``asked`` is the project that whoever tells it named: it pays whatever a job says.
    """

    jobs: Sequence[HostedJob]
    project: str
    hosting: Sequence[Hosting] = ()
    seen_us: int = 0
    asked: str | None = None

    def pays(self, job: HostedJob | None = None) -> str:
        """The project that pays for a job, or for hosting."""
        return self.asked or (job and job.project) or self.project


@dataclass(slots=True)
class JobsTaken:
    """Runs that were new, those of which there was news, and how many were known as told.

    ``conflicts`` are jobs of which the provider tells other amounts than before: the first hold.
    ``changed`` are those, and jobs of which it tells anything else that their usage has otherwise.
    """

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    again: list[str] = field(default_factory=list)  # estimated again by corrected assumptions
    hours: HoursTaken = field(default_factory=HoursTaken)
    changed: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def open_jobs(ledger: Ledger, provider: str) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of a provider's jobs that ran when last seen, and of those that have ended."""
    with ledger.reader() as reader:
        found = reader.rows("recovery/hosted_jobs")
    own = [row for row in found if row["provider"] == provider]
    settled = frozenset(row["job_id"] for row in own if JobStatus(row["status"]).ended)
    return frozenset(row["job_id"] for row in own) - settled, settled


def take_jobs(ledger: Ledger, told: JobsTold, judge: Callable[[HostedJob], Judged]) -> JobsTaken:
    """Book jobs and hours of hosting, durably; what the ledger has is left as it is.

    Whoever shares the ledger lets one at a time in here. Raises UsageError for a reserved name,
    before anything is written, and LedgerError; the same again books the rest.
    """
    _refuse_reserved(told)
    taken = JobsTaken()
    for jobs in _words_of_each(told.jobs):
        _take_words(ledger, replace(told, jobs=jobs), judge, taken)
    taken.hours = take_hours(ledger, told.hosting, told.pays(), told.seen_us)
    return taken


def _words_of_each(jobs: Sequence[HostedJob]) -> list[list[HostedJob]]:
    """The first word on each job, then the second of those that have one, and so on.

    So two that contradict each other do so in one file as in two.
    """
    rounds: list[list[HostedJob]] = []
    words: Counter[tuple[str, str]] = Counter()
    for job in dict.fromkeys(jobs):
        number = words[job.provider, job.id]
        words[job.provider, job.id] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(job)
    return rounds


def _take_words(
    ledger: Ledger, told: JobsTold, judge: Callable[[HostedJob], Judged], taken: JobsTaken
) -> None:
    """Book one word on each of some jobs."""
    with ledger.reader() as reader:
        rows = reader.rows("recovery/hosted_jobs")
    known = {(row["provider"], row["job_id"]): row for row in rows}
    held = _held(ledger, told.jobs)
    news: list[tuple[HostedJob, bool, LedgerBatch]] = []
    repeated: list[tuple[HostedJob, tuple[Notice, ...]]] = []
    for said in told.jobs:
        row = known.get((said.provider, said.id))
        job = said if row is None else _completed(ledger, said, row["run_id"])
        amounts = held.get((job.provider, job.id), NOTHING_HELD)
        if conflict := conflict_of(job, amounts):
            taken.conflicts.append(conflict)
            taken.changed.append(conflict.run_id)
        notices = (conflict.notice(job),) if conflict else ()
        if row is not None and row["content_sha256"] == job_sha256(job):
            taken.known += 1
        else:
            batch = _batch(job, row, told.pays(job), judge, amounts)
            if notices:
                batch = replace(batch, usages=(), notices=(*batch.notices, *notices))
                notices = ()  # once
            news.append((job, row is None, batch if row is None else _as_before(ledger, batch)))
        if row is not None and row["has_energy"] and job.status.ended:
            repeated.append((as_held(job, amounts), notices))
    for start in range(0, len(news), _AT_ONCE):
        _write(ledger, news[start : start + _AT_ONCE], taken)
    _estimate_again(ledger, repeated, judge, taken)


def _held(ledger: Ledger, jobs: Sequence[HostedJob]) -> dict[tuple[str, str], Amounts]:
    """The amounts that are booked of jobs, by their providers and ids."""
    keys = {key: (job.provider, job.id) for job in jobs for key in keys_of(job)}
    if not keys:
        return {}
    with ledger.reader() as reader:
        rows = reader.rows("recovery/usage_amounts", keys=",".join(keys))
    return {keys[event]: amounts for event, amounts in amounts_by_event(rows).items()}


def _refuse_reserved(told: JobsTold) -> None:
    reserved.refuse("the project", told.pays())
    for job in told.jobs:
        reserved.refuse(f"the project of {job.id}", str(told.pays(job)))
        reserved.refuse(f"the model of {job.id}", str(job.base_model))


def _completed(ledger: Ledger, job: HostedJob, run_id: str) -> HostedJob:
    """A job of which not all could be read now, with what its provider told of that before."""
    if DETAILS_MISSING not in job.flags:
        return job
    with ledger.reader() as reader:
        row = reader.one("report/run_hosted", run_id=run_id)
    if row is None:
        return job
    return beside(job, job_of(json.loads(row["detail"])))


def beside(job: HostedJob, before: HostedJob) -> HostedJob:
    """A job of which not all could be read, with what was told of it before where it says nothing.

    The end of one that had ended is not moved: without its events it is the last change of all.
    """
    if _counted(before) and not _counted(job):
        job = with_quantities(job, before.quantities)
    unsaid = {
        one.name: getattr(before, one.name)
        for one in fields(job)
        if getattr(job, one.name) in (None, ())
    }
    if before.status is job.status and before.ended_us is not None:
        unsaid["ended_us"] = before.ended_us
    told = tuple(sorted({**dict(before.told), **dict(job.told)}.items()))
    flags = tuple(one for one in job.flags if one != DETAILS_MISSING or one in before.flags)
    return replace(job, **unsaid, told=told, flags=flags)


def _counted(job: HostedJob) -> bool:
    return any(one.meter is not Meter.UNKNOWN for one in job.quantities)


def _estimate_again(
    ledger: Ledger,
    jobs: Sequence[tuple[HostedJob, tuple[Notice, ...]]],
    judge: Callable[[HostedJob], Judged],
    taken: JobsTaken,
) -> None:
    """Make estimates again where the books, or what was told of the job since, say otherwise.

    Notices are of what nobody has noted: an earlier version estimated by the last word.
    """
    if not jobs:
        return
    stored: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with ledger.reader() as reader:
        for row in reader.rows("recovery/hosted_estimates"):
            stored[row["run_id"]].append(row)
    for job, notices in jobs:
        run_id = run_id_of(job.provider, job.id)
        rows = stored[run_id]
        names = ("tier", "low_mj", "mid_mj", "high_mj", "booked")
        tiers = [Tier(**{name: row[name] for name in names}) for row in rows]
        batch = made_again(job, judge(job), tiers, _booked(rows))
        if batch is not None:
            batch = replace(batch, notices=(*batch.notices, *notices))
            awaited(ledger.write(batch, urgent=True))
            taken.again.append(run_id)


def _booked(rows: Sequence[Mapping[str, Any]]) -> Sums | None:
    if not rows or rows[0]["run_mj"] is None:
        return None
    energy_mj, low_mj, high_mj = (
        int(rows[0][name]) for name in ("run_mj", "run_low_mj", "run_high_mj")
    )
    return Sums(energy_mj, low_mj, high_mj)


def _batch(
    job: HostedJob,
    row: Mapping[str, Any] | None,
    project: str,
    judge: Callable[[HostedJob], Judged],
    held: Amounts,
) -> LedgerBatch:
    before = NOTHING_BEFORE
    if row is not None:
        before = Before(JobStatus(row["status"]), row["has_energy"])
    first = job.status.ended and not before.has_energy
    judged = judge(as_held(job, held)) if first else NOT_JUDGED
    return booked_job(job, project, judged, before)


def _write(
    ledger: Ledger,
    news: Sequence[tuple[HostedJob, bool, LedgerBatch]],
    taken: JobsTaken,
) -> None:
    """Write jobs in as few commits as it takes; done when all are durable."""
    written = [ledger.write(batch, urgent=True) for _, _, batch in news]
    for (job, new, _), future in zip(news, written, strict=True):
        run_id = run_id_of(job.provider, job.id)
        if Outcome.CONFLICT in awaited(future):
            taken.changed.append(run_id)
        (taken.new if new else taken.updated).append(run_id)


def _as_before(ledger: Ledger, batch: LedgerBatch) -> LedgerBatch:
    """The batch with its usage under the ids under which an earlier version has booked it."""
    later = tuple(one._replace(id=f"{one.id}{LATER}") for one in batch.usages)
    keys = [int(event_key(one.source, one.id)) for one in later]
    with ledger.reader() as reader:
        booked = bool(keys and reader.rows("report/usage_events", keys=keys))
    return replace(batch, usages=later) if booked else batch
