"""``meter jobs sync`` of a provider with several lists: refusals, and what came before an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.places import Place
from tests.cli.test_jobs import told
from tests.hosted.jobs.apis import VARIABLES, Api, Fault, serving
from tests.hosted.jobs.recorded import raw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "/v1/accounts/example"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, **VARIABLES)


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        for kind, shape in (
            ("supervisedFineTuningJobs", "fireworks_sft"),
            ("dpoJobs", "fireworks_dpo"),
            ("reinforcementFineTuningJobs", "fireworks_rft"),
            ("deployments", "fireworks_deployment"),
        ):
            served.lists[f"{ACCOUNT}/{kind}"] = [raw(shape)]
        yield served


def words(api: Api) -> tuple[str, ...]:
    return ("jobs", "sync", "--provider", "fireworks", "--base-url", api.url)


@pytest.mark.parametrize("status", [403, 404])
def test_what_the_key_may_not_read_does_not_bar_the_rest(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    api.always = lambda asked: Fault(status) if asked.path.endswith("dpoJobs") else None
    for news in (2, 0):  # each time alike
        found = told(place, capsys, *words(api), code=1)
        assert len(found["new"]) == news
        assert found["hosting_days"] == (1 if news else 0)
        (fault,) = found["faults"]
        assert fault.startswith("dpoJobs: ")
        assert f"answers {status}" in fault
    api.always = lambda _asked: None
    assert len(told(place, capsys, *words(api))["new"]) == 1


def test_what_was_booked_before_an_error_is_told(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.always = lambda asked: Fault(401) if asked.path.endswith("dpoJobs") else None
    assert place.call(*words(api)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, last = err.splitlines()
    assert first.startswith("meter: until then: Jobs: 1 new, 0 updated, 0 known. See: meter show")
    assert "answers 401" in last


def test_an_error_before_anything_is_one_line(
    place: Place, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.always = lambda _asked: Fault(401)
    assert place.call(*words(api)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "answers 401" in line
