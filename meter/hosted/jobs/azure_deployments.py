"""Deployments of an Azure OpenAI account, as Azure's management plane lists them.

Source: azure-rest-api-specs, Microsoft.CognitiveServices 2024-10-01, ``Deployments_List``. It
takes a token of Azure Resource Manager, not the key of the resource that jobs are asked with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from meter.errors import UsageError
from meter.hosted.jobs import azure
from meter.hosted.jobs.provider import Listing, Place, Provider, Question, bearer, below

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = "AZURE_MANAGEMENT_TOKEN"  # noqa: S105  the name of a variable
_VERSION = "api-version"
_PATH = (
    "/subscriptions/{AZURE_SUBSCRIPTION_ID}/resourceGroups/{AZURE_RESOURCE_GROUP}"
    "/providers/Microsoft.CognitiveServices/accounts/{AZURE_OPENAI_ACCOUNT}/deployments"
)


def next_link(page: Mapping[str, object], asked: Question) -> Question | None:
    """The next page by Azure's rule: ``nextLink`` is its whole address.

    Only its query is taken, so that the token goes nowhere else. Raises UsageError for a link to
    something else than this list.
    """
    link = page.get("nextLink")
    if not isinstance(link, str) or not link:
        return None
    try:
        parts = urlsplit(link)
    except ValueError:
        raise _elsewhere() from None
    if not unquote(parts.path).casefold().endswith(asked.path.casefold()):
        raise _elsewhere()
    query = [(name, value) for name, value in parse_qsl(parts.query) if name.lower() != _VERSION]
    return Question(asked.path, tuple(sorted(query)))


def _elsewhere() -> UsageError:
    return UsageError("the next page is said to be elsewhere", "check AZURE_MANAGEMENT_URL")


PROVIDER = Provider(
    name="azure-hosting",
    title="Azure's management plane",
    job=azure.job,  # it has none: jobs are asked of the resource itself
    base_url="https://management.azure.com",
    url_variable="AZURE_MANAGEMENT_URL",
    keys=(_TOKEN,),
    right="is fresh (az account get-access-token) and may read"
    " Microsoft.CognitiveServices/accounts/deployments (role Reader of the resource)",
    authorise=bearer(_TOKEN),
    lists=(Listing(_PATH, "value", next_link, hosting=azure.hosting),),
    one=below(_PATH),
    places=(
        Place("AZURE_SUBSCRIPTION_ID"),
        Place("AZURE_RESOURCE_GROUP"),
        Place("AZURE_OPENAI_ACCOUNT"),
        Place("AZURE_MANAGEMENT_API_VERSION", "2024-10-01"),
    ),
    common=((_VERSION, "{AZURE_MANAGEMENT_API_VERSION}"),),
)
