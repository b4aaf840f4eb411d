"""Fine-tuning jobs and deployments of Fireworks; reinforcement tells GPU-seconds by type.

Source: types of the fireworks-ai package 1.2.30.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.hosted.bounds import OTHER, UNITS
from meter.hosted.evidence import NODES
from meter.hosted.jobs.billing import (
    BILLING_UNCLEAR,
    EPOCHS_UNCLEAR,
    UNKNOWN_STATUS,
    checked,
    flagged,
    train_tokens,
    units_and_nanos,
)
from meter.hosted.jobs.fields import Fields
from meter.hosted.jobs.provider import (
    Listing,
    Place,
    Provider,
    bearer,
    by_name,
    token_page,
)
from meter.hosted_facts import (
    Adapter,
    Gpus,
    HostedJob,
    Hosting,
    JobStatus,
    Meter,
    Quantity,
    Training,
    as_told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = "FIREWORKS_API_KEY"
_ACCOUNT = "/v1/accounts/{FIREWORKS_ACCOUNT_ID}"
_STATES = {
    "CREATING": JobStatus.QUEUED,
    "PENDING": JobStatus.QUEUED,
    "VALIDATING": JobStatus.QUEUED,
    "CREATING_INPUT_DATASET": JobStatus.QUEUED,
    "RE_QUEUEING": JobStatus.QUEUED,
    "RUNNING": JobStatus.RUNNING,
    "WRITING_RESULTS": JobStatus.RUNNING,
    "CANCELLING": JobStatus.RUNNING,
    "IDLE": JobStatus.RUNNING,
    "PAUSED": JobStatus.PAUSED,
    "COMPLETED": JobStatus.SUCCEEDED,
    "EARLY_STOPPED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "EXPIRED": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELLED,
    "DELETING": JobStatus.CANCELLED,
    "DELETING_CLEANING_UP": JobStatus.CANCELLED,
}
_NOTHING_RUNS = frozenset({"CREATING", "FAILED"})
"""Of a deployment: states in which it has no replica, unless one is told."""
_KINDS = {
    "supervisedFineTuningJobs": Training.SFT,
    "dpoJobs": Training.DPO,
    "reinforcementFineTuningJobs": Training.RFT,
}


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A job of any of the three kinds; raises UsageError naming the field that is wrong.

    Settings are in the job itself, or in its ``trainingConfig``. No start of training is told.
    """
    fields = Fields(raw)
    config = fields.inside("trainingConfig") if fields.has("trainingConfig") else fields
    name = fields.needed_id("name")
    word = fields.needed_text("state")
    status = _STATES.get(word.removeprefix("JOB_STATE_"), JobStatus.RUNNING)
    training = next((kind for part, kind in _KINDS.items() if f"/{part}/" in name), None)
    if training is None:
        raise fields.fault("name", f"is in none of {', '.join(_KINDS)}")
    rank = config.whole("loraRank")
    found = HostedJob(
        provider="fireworks",
        id=name,
        status=status,
        provider_status=word,
        created_us=fields.needed_instant_us("createTime"),
        seen_us=seen_us,
        base_model=config.text("warmStartFrom") or config.needed_text("baseModel"),
        ended_us=fields.instant_us("completedTime") if status.ended else None,
        tuned_model=config.text("outputModel") if status is JobStatus.SUCCEEDED else None,
        training=training,
        adapter=None if rank is None else Adapter.LORA if rank else Adapter.FULL,
        epochs=config.epochs("epochs"),
        estimated=units_and_nanos(fields.inside("estimatedCost")),
        name=fields.text("displayName"),
        region=_known(config.text("region")),
        error_code=_known(fields.inside("status").text("code")),
        flags=_flags(word, status),
        told=_told(fields, rank),
    )
    return checked(_counted(found, fields), "createTime")


def hosting(raw: Mapping[str, object]) -> Hosting | None:
    """A deployment, whose units are its GPUs; raises UsageError naming the field that is wrong.

    Replicas come and go by load, and only the present number is told: where none is, how many
    hours it costs is not known. None for one that never came to be, or is not there yet.
    """
    fields = Fields(raw)
    state = fields.text("state")
    gone = state == "DELETED"
    units = _units(fields)
    if state in _NOTHING_RUNS and not fields.whole("replicaCount", UNITS):
        return None
    return Hosting(
        provider="fireworks",
        id=fields.needed_id("name"),
        model=fields.needed_text("baseModel"),
        started_us=fields.needed_instant_us("createTime"),
        ended_us=fields.needed_instant_us("deleteTime") if gone else None,
        region=_known(fields.text("region")),
        service_tier=_known(fields.text("acceleratorType")),
        units=units,
    )


def _units(fields: Fields) -> Decimal | None:
    """GPUs of all replicas; None where the one or the other is not told."""
    replicas = fields.whole("replicaCount", UNITS)
    if replicas is None:
        replicas = fields.whole("desiredReplicaCount", UNITS)
    count = fields.whole("acceleratorCount", UNITS)
    if replicas == 0:
        return Decimal(0)
    if replicas is None or not count:
        return None
    units = Decimal(replicas) * count
    if found := UNITS.fault(units):
        raise fields.fault("replicaCount times acceleratorCount", found)
    return units


def _known(word: str | None) -> str | None:
    """A word, None for those that say nothing."""
    return None if word is None or word.endswith("_UNSPECIFIED") or word == "OK" else word


def _flags(word: str, status: JobStatus) -> tuple[str, ...]:
    held = {
        UNKNOWN_STATUS: word.removeprefix("JOB_STATE_") not in _STATES,
        BILLING_UNCLEAR: status in {JobStatus.FAILED, JobStatus.CANCELLED},
        "early_stopped": word.endswith("EARLY_STOPPED"),
    }
    return tuple(flag for flag, holds in held.items() if holds)


def _told(fields: Fields, rank: int | None) -> tuple[tuple[str, str], ...]:
    progress = fields.inside("jobProgress")
    names = ("epoch", "percent", "outputTokens", "cachedInputTokenCount")
    told: dict[str, object] = {name: progress.whole(name) for name in names}
    nodes = fields.whole("nodes", UNITS) or fields.whole("nodeCount", UNITS)
    return as_told(told | {"lora_rank": rank or None, NODES: nodes})


def _counted(job: HostedJob, fields: Fields) -> HostedJob:
    """GPU-seconds where they are told, else the tokens that an ended job has gone through."""
    seconds = fields.inside("acceleratorSeconds")
    spent = {name: seconds.number(name, OTHER) or Decimal(0) for name in seconds.names()}
    spent = {name: amount for name, amount in spent.items() if amount}
    if spent:
        return _with_gpus(job, spent)
    tokens = fields.inside("jobProgress").count("inputTokens")
    if not tokens or not job.status.ended or job.training is Training.RFT:
        return job
    return flagged(replace(job, quantities=train_tokens(tokens)), EPOCHS_UNCLEAR)


def _with_gpus(job: HostedJob, spent: Mapping[str, Decimal]) -> HostedJob:
    """GPU time of one type is the job's; of several, each is told and none stands for all."""
    job = replace(job, quantities=(Quantity(Meter.GPU_SECOND, sum(spent.values(), Decimal(0))),))
    if len(spent) == 1:
        ((name, amount),) = spent.items()
        return replace(job, gpus=Gpus(name, amount))
    told: dict[str, object] = {f"gpu_seconds {name}"[:80]: amount for name, amount in spent.items()}
    return flagged(replace(job, told=as_told(told | dict(job.told))), "several_gpu_types")


PROVIDER = Provider(
    name="fireworks",
    title="Fireworks",
    job=job,
    base_url="https://api.fireworks.ai",
    url_variable="FIREWORKS_BASE_URL",
    keys=(_KEY,),
    right="belongs to the account in FIREWORKS_ACCOUNT_ID",
    authorise=bearer(_KEY),
    lists=(
        *(Listing(f"{_ACCOUNT}/{kind}", kind, token_page, "pageSize", 200) for kind in _KINDS),
        Listing(
            f"{_ACCOUNT}/deployments", "deployments", token_page, "pageSize", 200,
            query=(("showDeleted", "true"),), hosting=hosting,
        ),
    ),
    one=by_name("/v1"),
    places=(Place("FIREWORKS_ACCOUNT_ID"),),
)  # fmt: skip
