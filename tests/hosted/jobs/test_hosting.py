"""Deployments by themselves: Azure's from its management plane, Fireworks' without its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hosted.jobs.apis import CANARY, VARIABLES, Api, Fault, serving
from hosted.jobs.recorded import SEEN_US, raw
from meter.errors import ProviderError, ProviderRefusedError, UsageError
from meter.hosted.access import access_of
from meter.hosted.jobs.azure_deployments import next_link
from meter.hosted.jobs.provider import Question
from meter.hosted.jobs.registry import hosting_provider
from meter.hosted.sync import Page, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = (
    "/subscriptions/0000-1111/resourceGroups/rg_of(us)/providers/Microsoft.CognitiveServices"
    "/accounts/acc/deployments"
)


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        yield served


def deployed(number: int, **changed: Any) -> dict[str, Any]:
    """A deployment of a tuned model, with an id of its own."""
    made = {**raw("azure_deployment"), **changed}
    return {**made, "id": f"{made['id']}{number}", "name": f"d{number}"}


def plain(number: int) -> dict[str, Any]:
    """A deployment of a plain model, which is billed by its tokens."""
    return deployed(number, properties={"model": {"name": "gpt-4o-mini"}})


def pages(api: Api, name: str = "azure", **more: Any) -> list[Page]:
    """All pages of a sync that never sleeps."""
    access = more.pop("access", None) or api.hosting_access(name)
    return list(
        sync(hosting_provider(name), access, None, lambda: SEEN_US, more.pop("resume", None),
             sleep=lambda _seconds: None, **more)
    )  # fmt: skip


def ids(found: list[Page]) -> list[str]:
    return [one.id.rpartition("/")[2] for page in found for one in page.hosting]


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_all_pages_of_azure_are_read_whatever_their_size(api: Api, most: int) -> None:
    api.lists[PATH] = [deployed(n) for n in range(5)]
    api.most = most
    found = pages(api)
    assert ids(found) == [f"mine{n}" for n in range(5)]
    assert found[-1].cursor is None
    assert {asked.path for asked in api.asked} == {PATH}
    assert {asked.query["api-version"] for asked in api.asked} == {"2024-10-01"}
    assert {asked.headers["authorization"] for asked in api.asked} == {f"Bearer {CANARY}"}
    assert not [fault for page in found for fault in page.faults]


def test_the_version_of_the_interface_can_be_another(api: Api) -> None:
    api.lists[PATH] = []
    pages(api, access=api.hosting_access("azure", AZURE_MANAGEMENT_API_VERSION="2026-01-15"))
    assert api.asked[0].query == {"api-version": "2026-01-15"}


def test_an_interrupted_list_goes_on_where_it_was(api: Api) -> None:
    api.lists[PATH] = [deployed(n) for n in range(4)]
    api.most = 2
    first = pages(api)[0]
    assert first.cursor is not None
    assert CANARY not in first.cursor.text()
    assert ids(pages(api, resume=first.cursor)) == ["mine2", "mine3"]


def test_the_token_goes_to_no_other_host_than_the_one_that_was_named(api: Api) -> None:
    api.lists[PATH] = [deployed(n) for n in range(2)]
    api.most, api.link_host = 1, "https://elsewhere.invalid"
    assert ids(pages(api)) == ["mine0", "mine1"]  # the query alone is taken


@pytest.mark.parametrize(
    "link", ["https://management.azure.com/subscriptions/x/other?p=1", "http://[", "/", "?p=1"]
)
def test_a_link_to_something_else_is_not_followed(api: Api, link: str) -> None:
    with pytest.raises(UsageError, match="elsewhere"):
        next_link({"nextLink": link}, Question(PATH))
    api.singles[PATH] = {"value": [], "nextLink": link}
    with pytest.raises(ProviderError, match="AZURE_MANAGEMENT_URL"):
        pages(api)
    assert len(api.asked) == 1


@pytest.mark.parametrize("link", [None, "", 7])
def test_no_link_is_the_end(link: object) -> None:
    assert next_link({"nextLink": link}, Question(PATH)) is None


def test_azure_may_write_the_path_in_other_case() -> None:
    link = f"https://management.azure.com{PATH.lower()}?API-Version=1&$skiptoken=a%2Bb"
    assert next_link({"nextLink": link}, Question(PATH)) == Question(PATH, (("$skiptoken", "a+b"),))


def test_the_same_page_again_is_an_error(api: Api) -> None:
    link = f"https://management.azure.com{PATH}?api-version=2024-10-01"
    api.singles[PATH] = {"value": [], "nextLink": link}
    with pytest.raises(ProviderError, match="same page again"):
        pages(api)


def test_plain_models_have_no_hours_and_a_wrong_one_is_named_alone(api: Api) -> None:
    wrong = deployed(3, systemData=None)
    units = deployed(4, sku={"name": "GlobalProvisionedManaged", "capacity": 10**9})
    api.lists[PATH] = [deployed(1), plain(2), wrong, units, deployed(5)]
    (page,) = pages(api)
    assert ids([page]) == ["mine1", "mine5"]
    assert page.without_hours == 1
    assert [fault.where.rpartition("/")[2] for fault in page.faults] == ["mine3", "mine4"]
    assert "systemData.createdAt is missing" in page.faults[0].message
    assert "sku.capacity is 1,000,000 or more" in page.faults[1].message


@pytest.mark.parametrize(
    ("status", "said"), [(401, "does not know the key"), (403, "the key lacks a right")]
)
def test_a_token_that_is_not_taken_says_which_and_what_it_needs(
    api: Api, status: int, said: str
) -> None:
    api.faults = {0: Fault(status, b'{"error": {"code": "AuthorizationFailed"}}')}
    with pytest.raises(ProviderRefusedError, match=said) as caught:
        pages(api)
    message = str(caught.value)
    assert "(AuthorizationFailed)" in message
    assert "set AZURE_MANAGEMENT_TOKEN" in message
    assert "az account get-access-token" in message
    assert CANARY not in message


@pytest.mark.parametrize(
    "missing",
    ["AZURE_MANAGEMENT_TOKEN", "AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP",
     "AZURE_OPENAI_ACCOUNT"],
)  # fmt: skip
def test_what_is_not_set_is_named(missing: str) -> None:
    variables = {name: word for name, word in VARIABLES.items() if name != missing}
    with pytest.raises(UsageError, match=missing):
        access_of(hosting_provider("azure"), variables)


def test_fireworks_deployments_come_without_its_jobs(api: Api) -> None:
    api.lists["/v1/accounts/example/deployments"] = [raw("fireworks_deployment")]
    assert ids(pages(api, "fireworks")) == ["dep"]
    assert {asked.path for asked in api.asked} == {"/v1/accounts/example/deployments"}


@pytest.mark.parametrize("name", ["openai", "together", "vertex", "mistral", "bedrock"])
def test_who_lists_no_deployments_is_said(name: str) -> None:
    with pytest.raises(UsageError, match="azure and fireworks"):
        hosting_provider(name)
