"""``meter runs import``: a file whole or not at all, each fault by line and column, JSON alone."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.places import Place
from tests.cli.test_commands import in_process
from tests.past.emissions import QUEBEC, file, row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def emissions(tmp_path: Path) -> Path:
    path = tmp_path / "emissions.csv"
    path.write_bytes(file(row(), row(run_id="b", **QUEBEC)))
    return path


def listed(place: Place, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert place.call("runs", "--json") == 0
    return json.loads(capsys.readouterr().out)["runs"]


def test_its_rows_become_runs_once_and_json_is_alone_on_stdout(
    place: Place, emissions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("runs", "import", str(emissions), "--json") == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (said.err, told["new"], told["known"]) == ("", 2, 0)
    assert "--timezone" in told["notices"][0]
    assert {run["run_id"] for run in listed(place, capsys)} == set(told["ids"])
    assert place.call("runs", "import", str(emissions), "--json") == 0
    assert json.loads(capsys.readouterr().out)["new"] == 0


def test_it_says_what_became_of_the_file_and_shows_a_place_that_is_none(
    place: Place, emissions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call("runs", "import", str(emissions), "--timezone", "Europe/Paris") == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("2 new runs.\n", "")
    assert place.call("show", "codecarbon:b") == 0
    assert "Where this run was is not known" in " ".join(capsys.readouterr().out.split())


def test_of_a_file_with_a_fault_nothing_is_booked_and_each_is_a_line(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "emissions.csv"
    path.write_bytes(file(row(), row(run_id="b", cpu_energy="x"), row(run_id="c", duration="")))
    assert place.call("runs", "import", str(path)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"meter: {path}:3:cpu_energy: 'x' is no number"
    assert lines[1] == f"meter: {path}:4:duration: is missing"
    assert f"nothing of {path} was imported, it has 2 faults" in lines[2]
    assert listed(place, capsys) == []


def test_a_file_of_something_else_is_refused_by_the_columns_it_lacks(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tariff.csv"
    path.write_text("kind,scope,value\npue,lab,1.2\n")
    assert place.call("runs", "import", str(path)) == 1
    assert f"meter: {path}:1:timestamp: is missing: is this codecarbon's" in capsys.readouterr().err


def test_it_reads_standard_input(
    place: Place, emissions: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    stdin = io.TextIOWrapper(io.BytesIO(emissions.read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert place.call("runs", "import", "-", "--project", "chat", "--json") == 0
    capsys.readouterr()
    assert {run["project"] for run in listed(place, capsys)} == {"chat"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import",), "FILE"),
        (("import", "/nonexistent.csv"), "/nonexistent.csv"),
        (("--json", "import", "x"), "write them after `meter runs import`"),
    ],
)
def test_wrong_usage_is_one_line(place: Place, words: tuple[str, ...], said: str) -> None:
    done = in_process(place, "runs", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_its_help_fits_and_has_an_example(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.call("runs", "import", "--help") == 0
    shown = capsys.readouterr().out
    assert "Example:\n    meter runs import" in shown
    assert max(map(len, shown.splitlines())) <= 80
