"""``meter report`` of several runs: own and hosted side by side, of a project or a period."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.agents import agent
from tests.cli.places import Place
from tests.hosted.jobs.recorded import SHAPES
from tests.run_schema import period_schema

if TYPE_CHECKING:
    from pathlib import Path

METRICS = SHAPES.parents[1] / "bills" / "shapes" / "fireworks.csv"
SFT, RFT = "openai:ftjob-sft", "openai:ftjob-rft"


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    made = Place(tmp_path)
    made.fill()
    for name in ("openai_succeeded", "openai_rft"):
        path = str(SHAPES / f"{name}.json")
        assert made.call("jobs", "import", path, "--provider", "openai", "--project", "a") == 0
    capsys.readouterr()
    return made


def document(place: Place, *words: str) -> dict[str, Any]:
    target = place.home / "told.json"
    assert place.call("report", *words, "-o", str(target)) == 0
    found: dict[str, Any] = json.loads(target.read_text())
    period_schema().validate(found)
    return found


def gpu_time(place: Place, id_: str, at: str, *words: str, quantity: str = "7200") -> None:
    told = ("--provider", "fireworks", "--model", "llama", "--meter", "gpu_second")
    given = ("--quantity", quantity, "--id", id_, "--at", at)
    assert place.call("usage", "record", *told, *given, *words) == 0


def test_runs_that_are_named_stand_side_by_side_in_their_order(place: Place) -> None:
    found = document(place, "lora", SFT, RFT, "01RUN0")
    assert found["schema"] == "meter.period/1"
    assert [row["run_id"] for row in found["runs"]] == ["01RUN0", SFT, RFT]
    own, sft, rft = found["runs"]
    assert [row["where"] for row in found["runs"]] == ["own GPUs", "openai", "openai"]
    assert (own["method"], sft["method"], rft["method"]) == ("measured", "modelled", "assumed")
    assert (sft["only_bound"], rft["only_bound"]) == (False, True)
    assert {row["energy_basis"] for row in found["runs"]} == {"facility"}
    assert "hosted_bound" in {one["code"] for one in found["notices"]}


def test_rows_are_as_in_the_list_of_runs(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(place, "01RUN0", SFT)
    assert place.call("runs", "--costs", "--json") == 0
    listed = {row["run_id"]: row for row in json.loads(capsys.readouterr().out)["costs"]}
    assert found["runs"] == [listed["01RUN0"], listed[SFT]]


def test_own_and_hosted_are_summed_apart(place: Place) -> None:
    found = document(place, "01RUN0", SFT, RFT)
    sums = {one["side"]: one for one in found["sums"]}
    assert sums["own"]["energy"]["method"] == "sourced"  # measured, with a PUE that was told
    assert sums["own"]["carbon"]["method"] == "sourced"
    assert sums["hosted"]["energy"]["method"] == "assumed"
    hosted = [row for row in found["runs"] if row["where"] == "openai"]
    for end in ("value", "low", "high"):
        joules = sum(row["energy_kwh"][end] for row in hosted) * 3.6e6
        assert sums["hosted"]["energy"][end] == pytest.approx(joules)


def test_a_period_has_the_runs_that_started_in_it_and_a_project_its_own(place: Place) -> None:
    def ids(*words: str) -> set[str]:
        return {row["run_id"] for row in document(place, *words)["runs"]}

    assert ids("--project", "a") == {SFT, RFT}
    assert ids("--from", "2026-01-02") == {"01RUN0"}
    assert ids("--from", "2026-01-01", "--to", "2026-03-01") == {SFT, RFT}
    assert ids("--to", "2026-01-01") == set()
    assert ids("--from", "2025-01-01") == {SFT, RFT, "01RUN0"}


def test_gpu_time_of_no_job_is_estimated_apart(place: Place) -> None:
    gpu_time(place, "1", "2026-01-05", "--project", "a")
    gpu_time(place, "2", "2026-02-05", "--project", "a", quantity="3600")
    gpu_time(place, "3", "2026-01-05", "--project", "b")
    found = document(place, "--project", "a")
    (one,) = found["hosted_gpu_time"]
    assert (one["gpu_seconds"], one["tier"], one["method"]) == (10_800, 1, "modelled")
    assert 0 < one["low_j"] < one["value_j"] < one["high_j"]
    assert one["carbon"]["method"] == "assumed"  # no region is told
    assert one["carbon"]["low"] < one["carbon"]["value"] < one["carbon"]["high"]
    assert "gpu_time_modelled" in {notice["code"] for notice in found["notices"]}
    (hosted,) = found["sums"]
    assert hosted["runs"] == 2  # it is in no sum
    rows = sum(row["energy_kwh"]["value"] for row in found["runs"]) * 3.6e6
    assert hosted["energy"]["value"] == pytest.approx(rows)
    (january,) = document(place, "--project", "a", "--to", "2026-02-01")["hosted_gpu_time"]
    assert january["gpu_seconds"] == 7_200
    assert document(place, "01RUN0", SFT)["hosted_gpu_time"] == []


def test_gpu_seconds_of_fireworks_metrics_have_the_gpus_that_it_names(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("bill", "import", str(METRICS), "--provider", "fireworks")
    assert place.call(*words) == 0
    capsys.readouterr()
    found = document(place, "--from", "2020-01-01")["hosted_gpu_time"]
    assert found
    assert all(one["provider"] == "fireworks" and one["gpus"] for one in found)
    assert all(one["tier"] == 1 and one["low_j"] > 0 for one in found)


def test_gpu_time_of_a_job_is_in_its_own_estimate_alone(place: Place) -> None:
    gpu_time(place, "1", "2026-01-05", "--run", SFT)
    assert document(place, "--project", "a")["hosted_gpu_time"] == []


@pytest.mark.parametrize("format_", ["html", "md"])
def test_the_table_is_a_page(place: Place, format_: str) -> None:
    gpu_time(place, "1", "2026-01-05", "--project", "a")
    target = place.home / f"told.{format_}"
    assert place.call("report", "--from", "2025-01-01", "-o", str(target)) == 0
    page = target.read_text()
    for word in ("own GPUs", "openai", "4.00 USD", "upper bound", "facility included", "modelled",
                 "7200 GPU-seconds told as usage"):  # fmt: skip
        assert word in page
    assert place.call("report", "01RUN0", SFT, "--format", format_, "-o", str(target)) == 0
    assert "2 runs side by side" in target.read_text()


def test_a_folder_has_a_file_of_each_run_named_or_the_table_of_a_project(
    place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    assert place.call("report", "01RUN0", SFT, "--format", "json", "-o", str(folder)) == 0
    assert place.call("report", "--project", "a", "--format", "json", "-o", str(folder)) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["01RUN0.json", f"{SFT}.json", "runs.json"]


def test_an_earlier_instant_has_what_was_known_then(place: Place) -> None:
    before = document(place, "--project", "a")["as_of"]
    gpu_time(place, "1", "2026-01-05", "--project", "a")
    assert document(place, "--project", "a", "--as-of", before)["hosted_gpu_time"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("01RUN0", "--project", "a"), "runs are named, and a project or period too"),
        (("--project", "a", "--seal"), "a statement is of one run"),
        (("--project", "a", "--currency", "EUR"), "leave out --currency"),
        (("--project", "a", "--format", "csv"), "use --format html or json or md"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--to is not after --from"),
        (("--from", "soon"), "--from"),
        (("01RUN0", "nobody"), "there is no run 'nobody'"),
        (("last", "--format", "md"), "name several runs or a --project"),
    ],
)
def test_what_cannot_be_is_said(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert place.call("report", *words, "-o", str(place.home / "x.html")) == 2
    assert said in capsys.readouterr().err


def test_an_agent_gives_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "node").mkdir()
    with agent(tmp_path / "node") as node:
        node.hear("reading")
        place = Place(tmp_path, METER_SOCKET=node.socket)
        path = str(SHAPES / "openai_succeeded.json")
        assert place.call("jobs", "import", path, "--provider", "openai", "--project", "a") == 0
        place.home.mkdir()
        (row,) = document(place, "--project", "a", "--from", "2026-01-01")["runs"]
        assert row["run_id"] == SFT
        assert document(place, SFT, SFT[:12])["runs"] == [row]
        status, _ = node.ask("GET", "/v1/period?run=nobody")
        assert status == 404
    del capsys
