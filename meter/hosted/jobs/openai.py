"""Fine-tuning jobs of OpenAI; nobody can create new ones from 2027-01-06, the list stays.

Source: API reference and types of the openai package 3.54.0; deprecations page, 2026-05-07.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted.jobs import openai_shape
from meter.hosted.jobs.billing import BILLING_UNCLEAR, COMPLETED_STEPS_ONLY
from meter.hosted.jobs.provider import Listing, Provider, after_page, bearer, below
from meter.hosted_facts import JobStatus, Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted.jobs.fields import Fields
    from meter.hosted_facts import HostedJob

_PATH = "/v1/fine_tuning/jobs"
_KEY = "OPENAI_API_KEY"


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A ``fine_tuning.job``; raises UsageError naming the field that is wrong."""
    return openai_shape.read(raw, seen_us, _SHAPE)


def _flags(status: JobStatus, training: Training | None) -> tuple[str, ...]:
    """Reinforcement bills forward progress; of other jobs that did not succeed nothing is said."""
    if status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
        return ()
    return (COMPLETED_STEPS_ONLY if training is Training.RFT else BILLING_UNCLEAR,)


def _foreign(fields: Fields) -> str | None:
    """Azure names tuned models otherwise, and has a tier of training."""
    if ".ft-" in (fields.text("fine_tuned_model") or ""):
        return "fine_tuned_model"
    return "trainingType" if fields.has("trainingType") else None


_SHAPE = openai_shape.Shape("openai", openai_shape.STATUSES, ("organization_id",), _flags, _foreign)

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    job=job,
    base_url="https://api.openai.com/v1",
    url_variable="OPENAI_BASE_URL",
    keys=(_KEY,),
    right="may read fine-tuning jobs of its project (api.fine_tuning.jobs.read)",
    authorise=bearer(_KEY),
    lists=(Listing(_PATH, "data", after_page, "limit"),),
    one=below(_PATH),
    belongings=openai_shape.belongings(_PATH, openai_shape.when_ended),
    refusals={
        "training_not_available": "this organisation cannot fine-tune any more; "
        "the list of its old jobs may still be readable with a key of the project that ran them",
    },
)
