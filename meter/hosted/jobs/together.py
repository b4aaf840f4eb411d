"""Fine-tuning jobs of Together: prices in nano-dollars, times of stages in events.

Source: types of the together package 3.1.1; docs.together.ai, fine-tuning pricing.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.hosted.bounds import NANO_MONEY, PARAMETERS
from meter.hosted.jobs.billing import (
    BILLING_UNCLEAR,
    COMPLETED_STEPS_ONLY,
    ENDED_IS_LAST_UPDATE,
    PACKING_OFF,
    UNKNOWN_STATUS,
    checked,
    flagged,
    of_nanos,
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
from meter.hosted_facts import (
    Adapter,
    Checkpoint,
    HostedJob,
    JobStatus,
    Money,
    Training,
    as_told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH = "/v1/fine-tunes"
_KEY = "TOGETHER_API_KEY"
_STATUSES = {
    "pending": JobStatus.QUEUED,
    "queued": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "compressing": JobStatus.RUNNING,
    "uploading": JobStatus.RUNNING,
    "cancel_requested": JobStatus.RUNNING,
    "cancelled": JobStatus.CANCELLED,
    "error": JobStatus.FAILED,
    "user_error": JobStatus.FAILED,
    "completed": JobStatus.SUCCEEDED,
}
_METHODS = {"sft": Training.SFT, "dpo": Training.DPO}
_ADAPTERS = {"lora": Adapter.LORA, "full": Adapter.FULL}
_ENDS = frozenset({"job_complete", "job_error", "job_stopped"})
_BILLION = Decimal(10) ** 9


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A fine-tune; raises UsageError naming the field that is wrong.

    ``started_at`` is the start of the current stage, so the start of training is read from events,
    and from ``started_at`` only while the job trains.
    """
    fields = Fields(raw)
    if fields.has("object"):
        raise fields.fault("object", "is in no job of Together: name the provider that it is from")
    word = fields.needed_text("status")
    status = _STATUSES.get(word, JobStatus.RUNNING)
    parameters = fields.whole("param_count", PARAMETERS)
    stage = fields.instant_us("started_at")
    found = HostedJob(
        provider="together",
        id=fields.needed_id("id"),
        status=status,
        provider_status=word,
        created_us=fields.needed_instant_us("created_at"),
        seen_us=seen_us,
        base_model=_base_model(fields),
        started_us=stage if word == "running" else None,
        tuned_model=fields.text("model_output_name") or fields.text("x_model_output_name"),
        training=_METHODS.get(fields.inside("training_method").text("method") or ""),
        adapter=_ADAPTERS.get((fields.inside("training_type").text("type") or "").lower()),
        quantities=train_tokens(_tokens(fields, status)),
        epochs=fields.epochs("n_epochs"),
        parameters_b=Decimal(parameters) / _BILLION if parameters else None,
        billed=_billed(fields, status),
        name=fields.text("suffix"),
        flags=_flags(fields, word, status),
        told=_told(fields),
    )
    return checked(_ended(_with_events(found, fields), fields.instant_us("updated_at")))


def _base_model(fields: Fields) -> str:
    others = (fields.text(name) for name in ("from_hf_model", "from_checkpoint"))
    return fields.text("model") or next(filter(None, others), None) or fields.needed_text("model")


def _tokens(fields: Fields, status: JobStatus) -> int | None:
    """Tokens as billed. Before the data is tokenised the count is 0, which means unknown."""
    count = fields.count("token_count")
    return count if count or status is JobStatus.SUCCEEDED else None


def _billed(fields: Fields, status: JobStatus) -> Money | None:
    """The price in nano-dollars; before the end it can still change."""
    nanos = fields.whole("total_price", NANO_MONEY)
    return Money(of_nanos(nanos), "USD") if nanos is not None and status.ended else None


def _flags(fields: Fields, word: str, status: JobStatus) -> tuple[str, ...]:
    held = {
        UNKNOWN_STATUS: word not in _STATUSES,
        PACKING_OFF: fields.truth("packing") is False,
        COMPLETED_STEPS_ONLY: status is JobStatus.CANCELLED,
        BILLING_UNCLEAR: status is JobStatus.FAILED,
        "early_stopped": fields.truth("early_stopped") is True,
    }
    return tuple(flag for flag, holds in held.items() if holds)


def _told(fields: Fields) -> tuple[tuple[str, str], ...]:
    names = ("n_evals", "epochs_completed", "max_seq_length", "n_checkpoints")
    told: dict[str, object] = {name: fields.whole(name) for name in names}
    return as_told(told | {"lora_r": fields.inside("training_type").whole("lora_r")})


def _with_events(job: HostedJob, fields: Fields) -> HostedJob:
    """The job with start and end of training, and whether money went back."""
    for event in fields.items("events"):
        kind, at_us = event.text("type"), event.instant_us("created_at")
        if kind == "training_start":
            job = replace(job, started_us=at_us)  # the last one: a restart trains anew
        elif kind in _ENDS and job.status.ended:
            job = replace(job, ended_us=at_us)
        elif kind == "refund":
            job = flagged(job, "refunded")
    return job


def _ended(job: HostedJob, updated_us: int | None) -> HostedJob:
    if job.ended_us is not None or updated_us is None or not job.status.ended:
        return job
    return flagged(replace(job, ended_us=updated_us), ENDED_IS_LAST_UPDATE)


def _belongings(found: HostedJob) -> tuple[Belonging, ...]:
    """The job in full, which has events, sizes and prices, and its checkpoints."""
    path = PROVIDER.one(found.id)
    whole = Belonging(Question(path), lambda one, page: job(page, one.seen_us), only_page)
    points = Belonging(Question(f"{path}/checkpoints"), _with_checkpoints, only_page)
    return (whole, points) if found.status.ended else (whole,)


def _with_checkpoints(job: HostedJob, page: Mapping[str, object]) -> HostedJob:
    found = [
        Checkpoint(
            entry.text("object_name") or entry.needed_text("path"),
            entry.steps("step"),
            entry.instant_us("created_at"),
        )
        for entry in Fields(page).items("data")
    ]
    return replace(job, checkpoints=tuple(sorted(found, key=lambda one: (one.step or 0, one.name))))


PROVIDER = Provider(
    name="together",
    title="Together",
    job=job,
    base_url="https://api.together.ai/v1",
    url_variable="TOGETHER_BASE_URL",
    keys=(_KEY,),
    right="belongs to the project whose fine-tunes are asked for",
    authorise=bearer(_KEY),
    lists=(Listing(_PATH, "data", only_page),),
    one=below(_PATH),
    belongings=_belongings,
)
