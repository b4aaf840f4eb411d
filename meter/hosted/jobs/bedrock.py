"""Model customization jobs of AWS Bedrock, which tell no tokens and no price.

Source: Amazon Bedrock API reference, GetModelCustomizationJob and ListModelCustomizationJobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted.jobs.billing import BILLING_UNCLEAR, UNKNOWN_STATUS, checked
from meter.hosted.jobs.fields import Fields
from meter.hosted.jobs.provider import (
    Belonging,
    Listing,
    Place,
    Provider,
    Question,
    Request,
    below,
    only_page,
)
from meter.hosted.jobs.sigv4 import amz_date, authorisation
from meter.hosted_facts import HostedJob, JobStatus, Training, as_told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.secret import Secret

_PATH = "/model-customization-jobs"
_KEY_ID, _SECRET, _SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_STATUSES = {
    "InProgress": JobStatus.RUNNING,
    "Stopping": JobStatus.RUNNING,
    "Completed": JobStatus.SUCCEEDED,
    "Failed": JobStatus.FAILED,
    "Stopped": JobStatus.CANCELLED,
}
_KINDS = {"FINE_TUNING": Training.SFT, "REINFORCEMENT_FINE_TUNING": Training.RFT}
_EPOCHS = ("epochCount", "epochs", "n_epochs")


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A job, in full or as the list has it; raises UsageError naming the field that is wrong."""
    fields = Fields(raw)
    arn = fields.needed_id("jobArn")
    word = fields.needed_text("status")
    status = _STATUSES.get(word, JobStatus.RUNNING)
    kind = fields.text("customizationType")
    base_arn = fields.needed_text("baseModelArn")
    settings = fields.inside("hyperParameters")
    steps = fields.inside("statusDetails").inside("trainingDetails")
    return checked(
        HostedJob(
            provider="bedrock",
            id=arn,
            status=status,
            provider_status=word,
            created_us=fields.needed_instant_us("creationTime"),
            seen_us=seen_us,
            base_model=base_arn.rsplit("/", 1)[-1] if "foundation-model/" in base_arn else base_arn,
            started_us=steps.instant_us("creationTime"),
            ended_us=fields.instant_us("endTime") if status.ended else None,
            tuned_model=fields.text("outputModelArn") or fields.text("customModelArn"),
            training=_KINDS.get(kind or ""),
            epochs=next((settings.epochs(name) for name in _EPOCHS if settings.has(name)), None),
            name=fields.text("jobName"),
            region=_region(arn),
            flags=_flags(word, status),
            told=as_told({"customization_type": kind, "base_model_arn": base_arn}),
        ),
        "creationTime",
    )


def _region(arn: str) -> str | None:
    parts = arn.split(":")
    return parts[3] or None if arn.startswith("arn:") and len(parts) > 4 else None


def _flags(word: str, status: JobStatus) -> tuple[str, ...]:
    held = {
        UNKNOWN_STATUS: word not in _STATUSES,
        BILLING_UNCLEAR: status in {JobStatus.FAILED, JobStatus.CANCELLED},
    }
    return tuple(flag for flag, holds in held.items() if holds)


def _next_page(page: Mapping[str, object], asked: Question) -> Question | None:
    token = page.get("nextToken")
    return asked.with_query(nextToken=token) if isinstance(token, str) and token else None


def _belongings(found: HostedJob) -> tuple[Belonging, ...]:
    """The job in full: the list has no settings and no start of training."""
    return (
        Belonging(
            Question(PROVIDER.one(found.id)), lambda one, page: job(page, one.seen_us), only_page
        ),
    )


def _signed(
    request: Request, keys: Mapping[str, Secret], places: Mapping[str, str]
) -> dict[str, str]:
    headers = {"X-Amz-Date": amz_date(request.now_us)}
    if _SESSION in keys:
        headers["X-Amz-Security-Token"] = keys[_SESSION].reveal()
    line = authorisation(
        request, key_id=keys[_KEY_ID].reveal(), secret=keys[_SECRET].reveal(),
        region=places["AWS_REGION"], service="bedrock", headers=headers,
    )  # fmt: skip
    return headers | {"Authorization": line}


PROVIDER = Provider(
    name="bedrock",
    title="Amazon Bedrock",
    job=job,
    base_url="https://bedrock.{AWS_REGION}.amazonaws.com",
    url_variable="AWS_ENDPOINT_URL_BEDROCK",
    keys=(_KEY_ID, _SECRET),
    optional_keys=(_SESSION,),
    right="may do bedrock:ListModelCustomizationJobs and bedrock:GetModelCustomizationJob",
    authorise=_signed,
    lists=(Listing(_PATH, "modelCustomizationJobSummaries", _next_page, "maxResults"),),
    one=below(_PATH),
    places=(Place("AWS_REGION"),),
    belongings=_belongings,
)
