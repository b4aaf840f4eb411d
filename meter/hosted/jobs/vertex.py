"""Tuning jobs of Google Vertex AI; the key is what ``gcloud auth print-access-token`` prints.

Source: types of the google-genai package 3.4.0, which name the fields of the REST resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted.jobs.billing import (
    BILLING_UNCLEAR,
    EPOCHS_UNCLEAR,
    UNKNOWN_STATUS,
    checked,
    train_tokens,
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
from meter.hosted_facts import Adapter, Checkpoint, HostedJob, JobStatus, Training, as_told

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = "GOOGLE_OAUTH_ACCESS_TOKEN"
_STATES = {
    "QUEUED": JobStatus.QUEUED,
    "PENDING": JobStatus.QUEUED,
    "RUNNING": JobStatus.RUNNING,
    "UPDATING": JobStatus.RUNNING,
    "CANCELLING": JobStatus.RUNNING,
    "PAUSED": JobStatus.PAUSED,
    "SUCCEEDED": JobStatus.SUCCEEDED,
    "PARTIALLY_SUCCEEDED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "EXPIRED": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELLED,
}
_SPECS = {
    "supervisedTuningSpec": Training.SFT,
    "fullFineTuningSpec": Training.SFT,
    "preferenceOptimizationSpec": Training.DPO,
    "reinforcementTuningSpec": Training.RFT,
}
_STATS = {
    Training.SFT: "supervisedTuningDataStats",
    Training.DPO: "preferenceOptimizationDataStats",
    Training.RFT: "reinforcementTuningDataStats",
}
_OTHER_SPECS = ("distillationSpec", "partnerModelTuningSpec", "veoTuningSpec", "veoLoraTuningSpec")


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A ``TuningJob``; raises UsageError naming the field that is wrong."""
    fields = Fields(raw)
    name = fields.needed_id("name")
    if "/tuningJobs/" not in name:
        raise fields.fault("name", "is no tuning job's")
    word = fields.needed_text("state")
    status = _STATES.get(word.removeprefix("JOB_STATE_"), JobStatus.RUNNING)
    spec, training = _spec(fields)
    settings = spec.inside("hyperParameters")
    stats = fields.inside("tuningDataStats").inside(_STATS[training] if training else "none")
    tokens = stats.count("totalBillableTokenCount")
    tuned = fields.inside("tunedModel")
    code = fields.inside("error").whole("code")
    return checked(
        HostedJob(
            provider="vertex",
            id=name,
            status=status,
            provider_status=word,
            created_us=fields.needed_instant_us("createTime"),
            seen_us=seen_us,
            base_model=_base_model(fields),
            started_us=fields.instant_us("startTime"),
            ended_us=fields.instant_us("endTime") if status.ended else None,
            tuned_model=tuned.text("model") or tuned.text("endpoint"),
            training=training,
            adapter=_adapter(fields, spec, settings),
            quantities=train_tokens(tokens),
            epochs=settings.epochs("epochCount"),
            steps=stats.steps("tuningStepCount"),
            name=fields.text("tunedModelDisplayName"),
            project=_part(name, "projects"),
            region=_part(name, "locations"),
            checkpoints=_checkpoints(tuned),
            error_code=None if code is None else str(code),
            flags=_flags(word, status, tokens),
            told=_told(fields, stats, settings),
        ),
        "createTime",
    )


def _spec(fields: Fields) -> tuple[Fields, Training | None]:
    for name, training in _SPECS.items():
        if fields.has(name):
            return fields.inside(name), training
    return fields.inside("none"), None


def _base_model(fields: Fields) -> str:
    found = fields.text("baseModel") or fields.inside("preTunedModel").text("baseModel")
    return found or fields.needed_text("baseModel")


def _adapter(fields: Fields, spec: Fields, settings: Fields) -> Adapter | None:
    mode = spec.text("tuningMode") or ""
    if fields.has("fullFineTuningSpec") or mode.endswith("_FULL"):
        return Adapter.FULL
    return Adapter.LORA if settings.has("adapterSize") or "ADAPTER" in mode else None


def _part(name: str, collection: str) -> str | None:
    """The segment after a collection's name in a resource name."""
    parts = name.split("/")
    at = parts.index(collection) + 1 if collection in parts else len(parts)
    return parts[at] if at < len(parts) else None


def _checkpoints(tuned: Fields) -> tuple[Checkpoint, ...]:
    return tuple(
        Checkpoint(
            entry.text("endpoint") or f"checkpoint {entry.needed_text('checkpointId')}",
            entry.steps("step"),
        )
        for entry in tuned.items("checkpoints")
    )


def _flags(word: str, status: JobStatus, tokens: int | None) -> tuple[str, ...]:
    held = {
        UNKNOWN_STATUS: word.removeprefix("JOB_STATE_") not in _STATES,
        EPOCHS_UNCLEAR: tokens is not None,
        BILLING_UNCLEAR: status in {JobStatus.FAILED, JobStatus.CANCELLED},
        "partially_succeeded": word.endswith("PARTIALLY_SUCCEEDED"),
    }
    return tuple(flag for flag, holds in held.items() if holds)


def _told(fields: Fields, stats: Fields, settings: Fields) -> tuple[tuple[str, str], ...]:
    kind = next((name for name in _OTHER_SPECS if fields.has(name)), None)
    size = settings.text("adapterSize")
    return as_told(
        {
            "kind": kind,
            "adapter_size": size,
            "examples": stats.whole("tuningDatasetExampleCount"),
        }
    )


PROVIDER = Provider(
    name="vertex",
    title="Vertex AI",
    job=job,
    base_url="https://{GOOGLE_CLOUD_LOCATION}-aiplatform.googleapis.com",
    url_variable="VERTEX_BASE_URL",
    keys=(_KEY,),
    right="is fresh (gcloud auth print-access-token) and has aiplatform.tuningJobs.list and .get",
    authorise=bearer(_KEY),
    lists=(
        Listing(
            "/v1/projects/{GOOGLE_CLOUD_PROJECT}/locations/{GOOGLE_CLOUD_LOCATION}/tuningJobs",
            "tuningJobs", token_page, "pageSize",
        ),
    ),
    one=by_name("/v1"),
    places=(Place("GOOGLE_CLOUD_PROJECT"), Place("GOOGLE_CLOUD_LOCATION")),
)  # fmt: skip
