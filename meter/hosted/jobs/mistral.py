"""Fine-tuning jobs of Mistral, a legacy interface: the cost is in the job's metadata.

Source: types of the mistralai package 1.12.4; 3.7.0 has no jobs any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.hosted.bounds import MONEY
from meter.hosted.jobs.billing import (
    BILLING_UNCLEAR,
    ENDED_IS_LAST_UPDATE,
    UNKNOWN_STATUS,
    checked,
    flagged,
    money,
    train_tokens,
)
from meter.hosted.jobs.fields import Fields
from meter.hosted.jobs.provider import (
    Belonging,
    Listing,
    Provider,
    Question,
    bearer,
    below,
    only_page,
)
from meter.hosted_facts import Checkpoint, HostedJob, JobStatus, Training, as_told

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH = "/v1/fine_tuning/jobs"
_KEY = "MISTRAL_API_KEY"
_STATUSES = {
    "QUEUED": JobStatus.QUEUED,
    "STARTED": JobStatus.QUEUED,
    "VALIDATING": JobStatus.QUEUED,
    "VALIDATED": JobStatus.QUEUED,
    "RUNNING": JobStatus.RUNNING,
    "CANCELLATION_REQUESTED": JobStatus.RUNNING,
    "SUCCESS": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "FAILED_VALIDATION": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELLED,
}
_PLANNED = "tokens_as_planned"
"""The tokens are those that the provider planned, of a job that succeeded."""


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A completion or classifier job; raises UsageError naming the field that is wrong."""
    fields = Fields(raw)
    fields.one_of("object", "job")
    word = fields.needed_text("status")
    status = _STATUSES.get(word, JobStatus.RUNNING)
    settings = fields.inside("hyperparameters")
    kind = fields.text("job_type")
    found = HostedJob(
        provider="mistral",
        id=fields.needed_id("id"),
        status=status,
        provider_status=word,
        created_us=fields.needed_instant_us("created_at"),
        seen_us=seen_us,
        base_model=fields.needed_text("model"),
        tuned_model=fields.text("fine_tuned_model"),
        training=Training.SFT if kind in {None, "completion", "FT"} else None,
        epochs=settings.epochs("epochs"),
        steps=settings.steps("training_steps"),
        name=fields.text("suffix"),
        checkpoints=_checkpoints(fields),
        flags=_flags(word, status),
        told=_told(fields, kind),
    )
    found = _ended(found, fields.instant_us("modified_at"))
    return checked(_with_events(_paid(_counted(found, fields), fields), fields))


def _counted(job: HostedJob, fields: Fields) -> HostedJob:
    """Tokens as trained; of a job that succeeded without them those of the plan, and said so."""
    tokens = fields.count("trained_tokens")
    if tokens is not None or job.status is not JobStatus.SUCCEEDED:
        return replace(job, quantities=train_tokens(tokens))
    planned = fields.inside("metadata").count("train_tokens")
    if planned is None:
        return job
    return flagged(replace(job, quantities=train_tokens(planned)), _PLANNED)


def _paid(job: HostedJob, fields: Fields) -> HostedJob:
    """The cost of a job that succeeded is its price, before it is a forecast."""
    metadata = fields.inside("metadata")
    cost = money(metadata, "cost", metadata.number("cost", MONEY), metadata.text("cost_currency"))
    if job.status is JobStatus.SUCCEEDED:
        return replace(job, billed=cost)
    return replace(job, estimated=cost)


def _ended(job: HostedJob, modified_us: int | None) -> HostedJob:
    if not job.status.ended or modified_us is None:
        return job
    return flagged(replace(job, ended_us=modified_us), ENDED_IS_LAST_UPDATE)


def _with_events(job: HostedJob, fields: Fields) -> HostedJob:
    """The start of training: the first change of the status to running that an event names."""
    starts = [
        event.needed_instant_us("created_at")
        for event in fields.items("events")
        if event.inside("data").text("status") == "RUNNING"
    ]
    return replace(job, started_us=min(starts)) if starts else job


def _checkpoints(fields: Fields) -> tuple[Checkpoint, ...]:
    """Checkpoints have no names of their own here."""
    steps = [(entry.steps("step_number"), entry) for entry in fields.items("checkpoints")]
    return tuple(
        Checkpoint(f"step {step}", step, entry.instant_us("created_at")) for step, entry in steps
    )


def _flags(word: str, status: JobStatus) -> tuple[str, ...]:
    held = {
        UNKNOWN_STATUS: word not in _STATUSES,
        BILLING_UNCLEAR: status in {JobStatus.FAILED, JobStatus.CANCELLED},
    }
    return tuple(flag for flag, holds in held.items() if holds)


def _told(fields: Fields, kind: str | None) -> tuple[tuple[str, str], ...]:
    metadata = fields.inside("metadata")
    names = ("train_tokens", "data_tokens", "train_tokens_per_step", "expected_duration_seconds")
    told: dict[str, object] = {name: metadata.whole(name) for name in names}
    return as_told(told | {"job_type": kind})


def _next_page(page: Mapping[str, object], asked: Question) -> Question | None:
    """Pages are numbered from 0, and the one after the last is empty.

    The total is no help: pages may be shorter than was asked for.
    """
    number = int(dict(asked.query).get("page", "0"))
    return asked.with_query(page=str(number + 1)) if page.get("data") else None


def _belongings(found: HostedJob) -> tuple[Belonging, ...]:
    """The job in full, which has events and checkpoints."""
    whole = Belonging(
        Question(PROVIDER.one(found.id)), lambda one, page: job(page, one.seen_us), only_page
    )
    return (whole,) if found.status.ended else ()


PROVIDER = Provider(
    name="mistral",
    title="Mistral",
    job=job,
    base_url="https://api.mistral.ai",
    url_variable="MISTRAL_BASE_URL",
    keys=(_KEY,),
    right="belongs to the workspace whose fine-tuning jobs are asked for",
    authorise=bearer(_KEY),
    lists=(Listing(_PATH, "data", _next_page, "page_size", query=(("page", "0"),)),),
    one=below(_PATH),
    belongings=_belongings,
)
