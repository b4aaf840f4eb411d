"""Jobs and deployments told again with other amounts: the first hold, and both are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meter.past import hosted_taking
from tests.cli.places import Place
from tests.cli.test_jobs import RUN, file, plain, told

if TYPE_CHECKING:
    from pathlib import Path

FIRST = plain("openai_succeeded", trained_tokens=2_000_000)
MORE = plain("openai_succeeded", trained_tokens=4_000_000)
STOPPED = plain("openai_succeeded", status="cancelled", trained_tokens=100)
SILENT = plain("openai_succeeded", trained_tokens=None)
BOTH = {"run_id": RUN, "held": "2,000,000 train_token", "told": "4,000,000 train_token"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def given(place: Place, capsys: Any, folder: Path, *jobs: dict[str, Any], code: int = 0) -> Any:
    path = file(folder, *jobs)
    return told(place, capsys, "jobs", "import", path, "--provider", "openai", code=code)


def figures(place: Place, capsys: Any) -> tuple[Any, ...]:
    """Tokens, money, energy, and the tokens that each estimate stands on."""
    document = told(place, capsys, "show", RUN)
    (tokens,) = [row["quantity"] for row in document["usage"] if row["meter"] == "train_token"]
    inputs = [one["inputs"] for one in document["hosted"]["estimates"]]
    estimated = [one["trained_tokens"] for one in inputs if "trained_tokens" in one]
    return tokens, document["cost"], document["energy"]["it"], estimated


@pytest.mark.parametrize("later", [MORE, STOPPED, SILENT])
def test_all_figures_of_a_document_stand_on_what_was_told_first(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], later: dict[str, Any]
) -> None:
    given(place, capsys, tmp_path, FIRST)
    before = figures(place, capsys)
    assert before[0] == 2_000_000
    assert before[3] == ["2000000"]
    for _ in range(2):
        found = given(place, capsys, tmp_path, later, code=0 if later is SILENT else 1)
        assert figures(place, capsys) == before
        assert found["again"] == []


def test_both_sides_are_told_each_time_and_noted_for_good(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given(place, capsys, tmp_path, FIRST)
    for _ in range(2):
        assert given(place, capsys, tmp_path, MORE, code=1)["conflicts"] == [BOTH]
    assert place.call("jobs", "import", file(tmp_path, MORE), "--provider", "openai") == 1
    err = capsys.readouterr().err
    assert "2,000,000 train_token was told before and holds, not 4,000,000 train_token" in err
    assert given(place, capsys, tmp_path, FIRST)["conflicts"] == []
    (notice,) = [
        one
        for one in told(place, capsys, "show", RUN)["notices"]
        if one["code"] == "job_told_otherwise"
    ]
    assert "4,000,000 train_token instead of 2,000,000 train_token" in notice["text"]
    assert (notice["severity"], notice["times"]) == ("warning", 1)


def test_two_words_on_a_job_contradict_each_other_in_one_file_as_in_two(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert given(place, capsys, tmp_path, FIRST, FIRST, MORE, code=1)["conflicts"] == [BOTH]
    together = figures(place, capsys)
    (tmp_path / "apart").mkdir()
    apart = Place(tmp_path / "apart")
    given(apart, capsys, tmp_path, FIRST)
    given(apart, capsys, tmp_path, MORE, code=1)
    assert figures(apart, capsys) == together


def test_energy_that_an_earlier_version_booked_by_the_second_word_is_put_right(
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given(place, capsys, tmp_path, FIRST)
    before = figures(place, capsys)
    with monkeypatch.context() as earlier:
        earlier.setattr(hosted_taking, "as_held", lambda job, _held: job)
        earlier.setattr(hosted_taking, "conflict_of", lambda _job, _held: None)
        given(place, capsys, tmp_path, MORE)
    assert figures(place, capsys) != before
    assert given(place, capsys, tmp_path, MORE, code=1)["again"] == [RUN]
    assert figures(place, capsys) == before
    codes = [one["code"] for one in told(place, capsys, "show", RUN)["notices"]]
    assert codes.count("job_told_otherwise") == 1


def test_what_was_booked_and_is_said_to_cost_nothing_now_is_a_conflict(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "import", "--provider", "azure")
    job = FIRST | {"organization_id": None, "fine_tuned_model": "gpt-4o-mini-2024-07-18.ft-01"}
    told(place, capsys, *words, file(tmp_path, job))
    failed = file(tmp_path, {**job, "status": "failed"})
    (conflict,) = told(place, capsys, *words, failed, code=1)["conflicts"]
    assert conflict["told"] == "nothing that is billed"


def test_another_end_of_a_job_is_no_other_amount(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given(place, capsys, tmp_path, FIRST)
    later = {**FIRST, "finished_at": FIRST["finished_at"] + 60}
    found = given(place, capsys, tmp_path, later)
    assert (found["changed"], found["conflicts"]) == ([RUN], [])


def hours(place: Place, capsys: Any) -> dict[str, Any]:
    """Meter and quantity by model."""
    rows = told(place, capsys, "usage", "list")["usage"]
    return {row["model"]: (row["meter"], row["quantity"]) for row in rows}


def deployment(name: str, **changed: Any) -> dict[str, Any]:
    bare = {"name": f"accounts/a/deployments/{name}", "baseModel": name, "state": "READY",
            "createTime": "2026-01-02T00:00:00Z", "acceleratorCount": 1}  # fmt: skip
    return bare | changed


HOSTING = ("--provider", "fireworks", "--hosting")
GONE = {"state": "DELETED", "deleteTime": "2026-01-04T00:00:00Z"}


def test_hours_of_a_deployment_that_nobody_tells_are_not_made_up(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(
        tmp_path,
        deployment("failed", state="FAILED"),
        deployment("creating", state="CREATING", desiredReplicaCount=2),
        deployment("endless", state="DELETED", replicaCount=1),
        deployment("scaled", **GONE, replicaCount=0),
        deployment("silent", **GONE),
        deployment("gpus", **GONE, replicaCount=1, acceleratorCount=None),
        deployment("two", **GONE, replicaCount=2),
    )
    found = told(place, capsys, "jobs", "import", path, *HOSTING, code=1)
    assert found["without_hours"] == 2
    (fault,) = found["faults"]
    assert "deployments/endless: deleteTime is missing" in fault
    assert [one.rpartition("/")[2] for one in found["hosting_unknown"]] == ["silent", "gpus"]
    assert hours(place, capsys) == {
        "scaled": ("host_hour", "0"), "silent": ("unknown", None),
        "gpus": ("unknown", None), "two": ("host_hour", "96"),
    }  # fmt: skip
    assert place.call("jobs", "import", path, *HOSTING) == 1
    assert "deployments/silent: how many GPUs it has is not told" in capsys.readouterr().err


def test_other_replicas_than_before_are_told_and_leave_the_days_that_are_booked(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("jobs", "import", file(tmp_path, deployment("m", **GONE, replicaCount=1)), *HOSTING)
    assert told(place, capsys, *words)["hosting_days"] == 2
    assert told(place, capsys, *words)["hosting_known"] == 2
    file(tmp_path, deployment("m", **GONE, replicaCount=4))
    (other,) = told(place, capsys, *words)["hosting_otherwise"]
    assert other == {"id": "accounts/a/deployments/m", "days": 2, "held": "48", "told": "192"}
    assert hours(place, capsys) == {"m": ("host_hour", "48")}
    assert place.call(*words) == 0
    out, err = capsys.readouterr()
    assert "2 day(s) of hosting known" in out
    assert "48 hours of 2 day(s) were booked before and hold; by what is told now" in err
