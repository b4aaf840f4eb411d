"""A provider with several lists, of which some cannot be read: the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meter.errors import ProviderError, ProviderRefusedError
from meter.hosted.jobs.registry import provider
from meter.hosted.sync import Cursor, Known, sync
from tests.hosted.jobs.apis import Api, Asked, Fault, serving
from tests.hosted.jobs.recorded import SEEN_US, raw
from tests.hosted.jobs.test_sync import ids, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "/v1/accounts/example"
KINDS = ("supervisedFineTuningJobs", "dpoJobs", "reinforcementFineTuningJobs", "deployments")


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        entries = ("fireworks_sft", "fireworks_dpo", "fireworks_rft", "fireworks_deployment")
        for kind, shape in zip(KINDS, entries, strict=True):
            served.lists[f"{ACCOUNT}/{kind}"] = [raw(shape)]
        yield served


def refusing(status: int, *kinds: str) -> Callable[[Asked], Fault | None]:
    """An API that refuses some of its lists."""
    body = b'{"error": {"code": "PERMISSION_DENIED"}}'
    return lambda asked: Fault(status, body) if asked.path.endswith(kinds) else None


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("kind", KINDS)
def test_a_list_that_is_refused_is_a_fault_and_the_others_are_read(
    api: Api, kind: str, status: int
) -> None:
    api.always = refusing(status, kind)
    found = pages(api, "fireworks")
    assert len(ids(found)) == (3 if kind == "deployments" else 2)
    assert sum(len(page.hosting) for page in found) == (kind != "deployments")
    (fault,) = [fault for page in found for fault in page.faults]
    assert fault.where == kind
    assert f"answers {status} (PERMISSION_DENIED)" in fault.message
    assert "the other lists are read" in fault.message
    assert found[-1].cursor is None
    assert all(page.cursor for page in found[:-1])


def test_where_no_list_can_be_read_the_first_refusal_is_the_error(api: Api) -> None:
    api.always = refusing(403, *KINDS)
    with pytest.raises(ProviderRefusedError, match="supervisedFineTuningJobs"):
        pages(api, "fireworks")


def test_lists_are_not_left_behind_unread(api: Api) -> None:
    """No cursor leads past a list that was refused while none was read."""
    api.always = lambda asked: Fault(401) if asked.path.endswith(KINDS[1]) else refused(asked)
    refused = refusing(403, KINDS[0])
    given = sync(provider("fireworks"), api.access("fireworks"), None, lambda: SEEN_US)
    with pytest.raises(ProviderRefusedError, match="401"):
        next(given)


def test_a_later_page_that_is_refused_stays_an_error(api: Api) -> None:
    api.most = 1
    api.lists[f"{ACCOUNT}/dpoJobs"] *= 2
    api.always = lambda asked: Fault(404) if "pageToken" in asked.query else None
    with pytest.raises(ProviderError, match="404"):
        pages(api, "fireworks")
    resume = Cursor("fireworks", 1, (("pageToken", "1"),))
    with pytest.raises(ProviderError, match="404"):
        pages(api, "fireworks", resume=resume)


def test_a_sync_that_goes_on_has_read_lists_before(api: Api) -> None:
    api.always = refusing(403, "reinforcementFineTuningJobs", "deployments")
    found = pages(api, "fireworks", resume=Cursor("fireworks", 2))
    assert [fault.where for page in found for fault in page.faults] == list(KINDS[2:])
    assert found[-1].cursor is None


@pytest.mark.parametrize(("status", "said"), [(403, "may not read it"), (404, "has it no more")])
def test_an_open_job_of_a_list_that_is_refused_is_told(api: Api, status: int, said: str) -> None:
    job = "accounts/example/dpoJobs/open"
    api.always = refusing(status, "dpoJobs", "/open")
    found = pages(api, "fireworks", known=Known(open_ids=frozenset({job})))
    faults = [fault for page in found for fault in page.faults]
    assert [fault.where for fault in faults] == ["dpoJobs", job]
    assert said in faults[1].message
    assert found[-1].cursor is None
