"""The job that OpenAI and Azure share: ``fine_tuning.job``, its events and its checkpoints.

Source: types of the openai package, 3.54.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from meter.errors import UsageError
from meter.hosted.bounds import of_meter
from meter.hosted.jobs.billing import (
    HOURS_UPPER_BOUND,
    UNKNOWN_STATUS,
    checked,
    flagged,
    rft_hours,
    train_tokens,
    with_quantities,
)
from meter.hosted.jobs.fields import Fields
from meter.hosted.jobs.provider import Belonging, Question, after_page, checked_id
from meter.hosted_facts import (
    Checkpoint,
    HostedJob,
    JobStatus,
    Meter,
    Quantity,
    Training,
    as_told,
)
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATUSES = {
    "validating_files": JobStatus.QUEUED,
    "queued": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "pausing": JobStatus.RUNNING,
    "paused": JobStatus.PAUSED,
    "succeeded": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
}
_METHODS = {"supervised": Training.SFT, "dpo": Training.DPO, "reinforcement": Training.RFT}
_STARTED = frozenset({"Fine-tuning job started", "Training started.", "Training started"})
_BILLED = re.compile(r"Training (tokens|hours) billed: ([0-9]{1,40}(?:\.[0-9]{1,6})?)\.?")


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs between those who speak this shape.

    ``foreign`` names a field by which a job is another one's of them.
    """

    provider: str
    statuses: Mapping[str, JobStatus]
    told: tuple[str, ...]
    flags: Callable[[JobStatus, Training | None], tuple[str, ...]]
    foreign: Callable[[Fields], str | None]


def read(raw: Mapping[str, object], seen_us: int, shape: Shape) -> HostedJob:
    """A job; raises UsageError naming the field that is wrong."""
    fields = Fields(raw)
    fields.one_of("object", "fine_tuning.job")
    if foreign := shape.foreign(fields):
        raise fields.fault(foreign, "is another provider's: name the provider that it is from")
    word = fields.needed_text("status")
    status = shape.statuses.get(word, JobStatus.RUNNING)
    method = fields.inside("method").text("type")
    training = _METHODS.get(method) if method is not None else Training.SFT
    told = {name: fields.text(name) for name in shape.told}
    flags = () if word in shape.statuses else (UNKNOWN_STATUS,)
    job = HostedJob(
        provider=shape.provider,
        id=fields.needed_id("id"),
        status=status,
        provider_status=word,
        created_us=fields.needed_instant_us("created_at"),
        seen_us=seen_us,
        base_model=fields.needed_text("model"),
        ended_us=fields.instant_us("finished_at") if status.ended else None,
        tuned_model=fields.text("fine_tuned_model"),
        training=training,
        epochs=_epochs(fields, method),
        name=fields.text("user_provided_suffix") or fields.text("suffix"),
        error_code=fields.inside("error").text("code"),
        flags=flags + shape.flags(status, training),
        told=as_told(told | {"method": None if training else method}),
    )
    return checked(_counted(job, fields.count("trained_tokens")))


def belongings(
    prefix: str, seconds: Callable[[HostedJob], tuple[str, ...]]
) -> Callable[[HostedJob], tuple[Belonging, ...]]:
    """Checkpoints and events of jobs that have ended; ``seconds`` names which are asked."""
    added = {"checkpoints": with_checkpoints, "events": with_events}

    def asked(job: HostedJob) -> tuple[Belonging, ...]:
        path = f"{prefix}/{quote(checked_id(job.id), safe='')}"
        return tuple(
            Belonging(Question(f"{path}/{name}", (("limit", "100"),)), added[name], after_page)
            for name in seconds(job)
        )

    return asked


def when_ended(job: HostedJob) -> tuple[str, ...]:
    """What is asked of a job: nothing before its end, when all of it is there."""
    return ("checkpoints", "events") if job.status.ended else ()


def with_checkpoints(job: HostedJob, page: Mapping[str, object]) -> HostedJob:
    """The job with a page of its checkpoints, in the order of their steps."""
    found = [
        Checkpoint(
            entry.needed_text("fine_tuned_model_checkpoint"),
            entry.steps("step_number"),
            entry.instant_us("created_at"),
        )
        for entry in Fields(page).items("data")
    ]
    ordered = sorted({*job.checkpoints, *found}, key=lambda one: (one.step or 0, one.name))
    return replace(job, checkpoints=tuple(ordered))


def with_events(job: HostedJob, page: Mapping[str, object]) -> HostedJob:
    """The job with what a page of events tells: the start of training and what was billed.

    The start is told by no field. Only sentences of the provider's own are read; none is kept.
    """
    for event in Fields(page).items("data"):
        message = event.message("message")
        if message in _STARTED:
            job = _begun(job, event.needed_instant_us("created_at"))
        elif billed := _BILLED.fullmatch(message):
            job = _billed(job, billed.group(1), Decimal(billed.group(2)))
    return checked(job)


def _begun(job: HostedJob, at_us: int) -> HostedJob:
    """The first start counts; one after the end of the job is none."""
    starts = [at_us] if job.started_us is None else [at_us, job.started_us]
    return replace(job, started_us=min(starts))


def _billed(job: HostedJob, what: str, amount: Decimal) -> HostedJob:
    """What an event says was billed; a field of the job that says the same goes before it."""
    if any(quantity.amount is not None for quantity in job.quantities):
        return job
    meter = Meter.TRAIN_TOKEN if what == "tokens" else Meter.TRAIN_HOUR
    if found := of_meter(meter).fault(amount):
        raise UsageError(f"what an event says of the {what} billed {found}", "ask the provider")
    if job.training is Training.RFT and meter is Meter.TRAIN_TOKEN:
        return job
    return with_quantities(job, (Quantity(meter, amount),))


def _epochs(fields: Fields, method: str | None) -> Decimal | None:
    """Epochs as set; newer jobs have them under their method, ``auto`` is unknown."""
    plain = fields.inside("hyperparameters").epochs("n_epochs")
    if plain is not None or method not in _METHODS:
        return plain
    return fields.inside("method").inside(method).inside("hyperparameters").epochs("n_epochs")


def _counted(job: HostedJob, tokens: int | None) -> HostedJob:
    """The job with its billed amount: tokens, or hours where reinforcement is billed by time."""
    if job.training is not Training.RFT:
        return replace(job, quantities=train_tokens(tokens))
    told = dict(job.told)
    if tokens is not None:
        told["trained_tokens"] = str(tokens)  # counted, but no token of it has a price
    if job.ended_us is not None:
        most_s = Decimal(max(0, job.ended_us - job.created_us)) / US_PER_S
        told[HOURS_UPPER_BOUND] = str(rft_hours(most_s))
        job = flagged(job, HOURS_UPPER_BOUND)
    return replace(job, told=as_told(told))
