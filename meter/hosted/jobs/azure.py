"""Fine-tuning jobs of Azure OpenAI (Microsoft Foundry), and its deployments that cost by the hour.

Source: Azure OpenAI data-plane reference 2024-10-21; azure-ai-docs, fine-tuning cost management,
2026-02-11. Deployments are listed by the management plane, which takes other keys: see
``azure_deployments``, or a file of ``az cognitiveservices account deployment list``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from meter.hosted.bounds import UNITS
from meter.hosted.jobs import openai_shape
from meter.hosted.jobs.billing import BILLING_UNCLEAR, COMPLETED_STEPS_ONLY, NOT_BILLED
from meter.hosted.jobs.fields import Fields
from meter.hosted.jobs.provider import Listing, Place, Provider, after_page, below, header
from meter.hosted.models import base_model
from meter.hosted_facts import Hosting, JobStatus, Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.hosted_facts import HostedJob

_PATH = "/openai/fine_tuning/jobs"
_KEY = "AZURE_OPENAI_API_KEY"
_STATUSES = openai_shape.STATUSES | {
    "created": JobStatus.QUEUED,
    "pending": JobStatus.QUEUED,
    "notRunning": JobStatus.QUEUED,
    "resuming": JobStatus.RUNNING,
    "cancelling": JobStatus.RUNNING,
    "canceled": JobStatus.CANCELLED,
    "deleted": JobStatus.CANCELLED,
}


def job(raw: Mapping[str, object], seen_us: int) -> HostedJob:
    """A job in OpenAI's shape with Azure's words; raises UsageError naming the wrong field."""
    return openai_shape.read(raw, seen_us, _SHAPE)


def hosting(raw: Mapping[str, object]) -> Hosting | None:
    """A deployment as the management plane tells it; raises UsageError naming the wrong field.

    None for one of a plain model, which is billed by its tokens alone. ``units`` are provisioned
    units; of other kinds the capacity is a limit of the rate, which costs nothing, and there is
    one unit.
    """
    fields = Fields(raw)
    sku = fields.inside("sku")
    kind = sku.text("name")
    billed = kind is not None and "provisioned" in kind.lower()
    capacity = sku.whole("capacity", UNITS) if billed else None
    provisioned = capacity is not None
    found = Hosting(
        provider="azure",
        id=fields.text("id") or fields.needed_text("name"),
        model=fields.inside("properties").inside("model").needed_text("name"),
        started_us=fields.inside("systemData").needed_instant_us("createdAt"),
        region=fields.text("location"),
        service_tier=kind,
        units=Decimal(capacity or 0) if provisioned else Decimal(1),
    )
    return found if provisioned or base_model(found.model) else None


def _flags(status: JobStatus, training: Training | None) -> tuple[str, ...]:
    if status is JobStatus.FAILED:
        return (NOT_BILLED,)
    if status is JobStatus.CANCELLED:
        return (COMPLETED_STEPS_ONLY if training is Training.RFT else BILLING_UNCLEAR,)
    return ()


def _foreign(fields: Fields) -> str | None:
    """OpenAI names its organisation, which Azure leaves null, and tuned models otherwise."""
    if (fields.text("fine_tuned_model") or "").startswith("ft:"):
        return "fine_tuned_model"
    return "organization_id" if fields.text("organization_id") else None


_SHAPE = openai_shape.Shape("azure", _STATUSES, ("trainingType",), _flags, _foreign)

PROVIDER = Provider(
    name="azure",
    title="Azure OpenAI",
    job=job,
    base_url="",  # everybody has a resource of their own
    url_variable="AZURE_OPENAI_ENDPOINT",
    keys=(_KEY,),
    right="belongs to that resource (role Cognitive Services OpenAI Contributor)",
    authorise=header("api-key", _KEY),
    lists=(Listing(_PATH, "data", after_page, "limit"),),
    one=below(_PATH),
    places=(Place("OPENAI_API_VERSION", "2024-10-21"),),
    common=(("api-version", "{OPENAI_API_VERSION}"),),
    belongings=openai_shape.belongings(_PATH, openai_shape.when_ended),
)
