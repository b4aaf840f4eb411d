"""Jobs and deployments of providers, all that is news of them into the ledger."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meter.errors import LedgerError
from meter.hosted_facts import JobStatus
from meter.ledger.hosted_rows import job_sha256
from meter.model import Outcome
from meter.past.hosted import (
    NOT_JUDGED,
    NOTHING_BEFORE,
    Before,
    booked_job,
    hosting_usage,
    run_id_of,
)
from meter.past.hosted_again import Sums, Tier, made_again

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from meter.hosted_facts import HostedJob, Hosting
    from meter.ledger import Ledger
    from meter.model import LedgerBatch
    from meter.past.hosted import Judged

_DURABLE_S = 20.0
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class JobsTold:
    """What a provider told; ``project`` pays for jobs that name none."""

    jobs: Sequence[HostedJob]
    project: str
    hosting: Sequence[Hosting] = ()
    seen_us: int = 0


@dataclass(slots=True)
class JobsTaken:
    """Runs that were new, those of which there was news, and how many were known as told.

    ``changed`` are jobs of which the provider tells other quantities than before: the first hold.
    """

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    known: int = 0
    again: list[str] = field(default_factory=list)  # estimated again by corrected assumptions
    hours: int = 0  # days of hosting that were news
    changed: list[str] = field(default_factory=list)


def open_jobs(ledger: Ledger, provider: str) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of a provider's jobs that ran when last seen, and of those that have ended."""
    with ledger.reader() as reader:
        found = reader.rows("recovery/hosted_jobs")
    own = [row for row in found if row["provider"] == provider]
    settled = frozenset(row["job_id"] for row in own if JobStatus(row["status"]).ended)
    return frozenset(row["job_id"] for row in own) - settled, settled


def take_jobs(ledger: Ledger, told: JobsTold, judge: Callable[[HostedJob], Judged]) -> JobsTaken:
    """Book jobs and hours of hosting, durably; what the ledger has is left as it is.

    Whoever shares the ledger lets one at a time in here. Raises LedgerError; the same again books
    the rest.
    """
    taken = JobsTaken()
    with ledger.reader() as reader:
        rows = reader.rows("recovery/hosted_jobs")
    known = {(row["provider"], row["job_id"]): row for row in rows}
    news: list[tuple[HostedJob, bool, LedgerBatch]] = []
    repeated: list[HostedJob] = []
    for key, job in {(job.provider, job.id): job for job in told.jobs}.items():
        row = known.get(key)
        if row is not None and row["content_sha256"] == job_sha256(job):
            taken.known += 1
            repeated += [job] if row["has_energy"] else []
        else:
            news.append((job, row is None, _batch(job, row, told.project, judge)))
    _estimate_again(ledger, repeated, judge, taken)
    for start in range(0, len(news), _AT_ONCE):
        _write(ledger, news[start : start + _AT_ONCE], taken)
    events = tuple(
        event for one in told.hosting for event in hosting_usage(one, told.project, told.seen_us)
    )
    if events:
        taken.hours = _await(ledger.take(events)).count(Outcome.STORED)
    return taken


def _estimate_again(
    ledger: Ledger,
    jobs: Sequence[HostedJob],
    judge: Callable[[HostedJob], Judged],
    taken: JobsTaken,
) -> None:
    """Make estimates of jobs that are told as before again, where the books say otherwise now."""
    if not jobs:
        return
    stored: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with ledger.reader() as reader:
        for row in reader.rows("recovery/hosted_estimates"):
            stored[row["run_id"]].append(row)
    for job in jobs:
        run_id = run_id_of(job.provider, job.id)
        rows = stored[run_id]
        names = ("tier", "low_mj", "mid_mj", "high_mj", "booked")
        tiers = [Tier(**{name: row[name] for name in names}) for row in rows]
        batch = made_again(job, judge(job), tiers, _booked(rows))
        if batch is not None:
            _await(ledger.write(batch, urgent=True))
            taken.again.append(run_id)


def _booked(rows: Sequence[Mapping[str, Any]]) -> Sums | None:
    if not rows or rows[0]["run_mj"] is None:
        return None
    return Sums(*(int(rows[0][name]) for name in ("run_mj", "run_low_mj", "run_high_mj")))


def _batch(
    job: HostedJob,
    row: Mapping[str, Any] | None,
    project: str,
    judge: Callable[[HostedJob], Judged],
) -> LedgerBatch:
    before = NOTHING_BEFORE
    if row is not None:
        before = Before(JobStatus(row["status"]), row["has_energy"])
    judged = judge(job) if job.status.ended and not before.has_energy else NOT_JUDGED
    return booked_job(job, job.project or project, judged, before)


def _write(
    ledger: Ledger, news: Sequence[tuple[HostedJob, bool, LedgerBatch]], taken: JobsTaken
) -> None:
    """Write jobs in as few commits as it takes; done when all are durable."""
    written = [ledger.write(batch, urgent=True) for _, _, batch in news]
    for (job, new, _), future in zip(news, written, strict=True):
        run_id = run_id_of(job.provider, job.id)
        if Outcome.CONFLICT in _await(future):
            taken.changed.append(run_id)
        (taken.new if new else taken.updated).append(run_id)


def _await(future: Future[Any]) -> tuple[Outcome, ...]:
    try:
        return future.result(_DURABLE_S) or ()
    except FutureTimeoutError:
        raise LedgerError(
            "the ledger has not written the jobs in time; it may do so later", "do the same again"
        ) from None
