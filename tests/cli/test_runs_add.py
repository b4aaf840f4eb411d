"""``meter runs add``: the list goes on beside it, JSON alone, refusals of one line with exit 2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from meter.errors import LedgerError
from meter.ledger import reports
from tests.cli.places import Place
from tests.cli.test_commands import fails, in_process

if TYPE_CHECKING:
    from pathlib import Path

ADD = ("runs", "add", "--name", "old", "--gpu-hours", "1000", "--watts", "400")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def added(place: Place, capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert place.call(*ADD, *words, "--json") == 0
    said = capsys.readouterr()
    assert said.err == ""
    return json.loads(said.out)


def test_it_makes_the_ledger_and_prints_the_runs_document(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    made = added(place, capsys, "--pue", "1.1", "--intensity", "385", "--tag", "a=b")
    assert made["schema"] == "meter.run/1"
    assert made["energy"]["it"]["value"] == 1_440_000_000
    assert made["energy"]["it"]["method"] == "modelled"
    assert made["run"]["tags"] == {"a": "b"}
    assert place.call("show", made["run"]["id"], "--json") == 0
    assert json.loads(capsys.readouterr().out)["energy"] == made["energy"]


def test_the_summary_says_that_it_was_not_metered(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.call(*ADD, "--start", "2026-03-01") == 0
    shown = capsys.readouterr().out
    assert "meter: old [default], completed\n" in shown
    assert "GPU 400 kWh modelled" in shown
    assert "This run was not metered." in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_list_shows_it_and_keeps_its_own_options(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    made = added(place, capsys, "--project", "chat")
    assert place.call("runs") == 0
    assert "400 kWh" in capsys.readouterr().out
    assert place.call("runs", "--project", "chat", "--limit", "1", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert (row["run_id"], row["method"]) == (made["run"]["id"], "modelled")


def test_an_id_makes_it_the_same_run_and_other_content_a_conflict(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    first = added(place, capsys, "--id", "old-1")
    again = added(place, capsys, "--id", "old-1")
    assert {**first, "as_of": 0} == {**again, "as_of": 0}
    code, line = fails(place, capsys, *ADD, "--id", "old-1", "--pue", "1.3")
    assert code == 2
    assert "there is a run old-1 already, with other figures" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--count", "8"), "gpu-hours and count are both given"),
        (("--gpu", "H100"), "watts and gpu are both given"),
        (("--zone", "FRA", "--intensity", "56"), "intensity and zone are both given"),
        (("--zone", "Francia"), "did you mean FRA (France)"),
        (("--intensity", "0.385"), "give grams: 0.385 kg/kWh are 385 g/kWh"),
        (("--tag", "x"), "--tag 'x' is not KEY=VALUE"),
        (("--start", "2999-01-01"), "the run lies in the future"),
        (("--pue", "x"), "pue 'x' is no number"),
        (("--price", "0.2EUR", "--currency", "USD"), "the price is in EUR, and the currency is"),
        (("--price", "EUR"), "price '' is no number"),
        (("--price", "0.2"), "a price needs its currency"),
    ],
)
def test_what_is_ambiguous_or_absurd_is_wrong_usage_and_writes_nothing(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    added(place, capsys)
    code, line = fails(place, capsys, *ADD, *words)
    assert code == 2
    assert said in line
    assert place.call("runs", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("runs", "add"), "--name"),
        (("runs", "ad"), "no such command 'ad'"),
        (("runs", "--json", *ADD[1:]), "write them after `meter runs add`"),
        (("runs", "--project", "p", *ADD[1:]), "write them after `meter runs add`"),
    ],
)
def test_what_click_refuses_is_one_line_too(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, line = fails(place, capsys, *words)
    assert code == 2
    assert said in line


def test_the_power_of_a_gpu_is_its_models_with_bounds_and_source(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("runs", "add", "--name", "old", "--wall-hours", "10", "--count", "8", "--json")
    assert place.call(*words, "--gpu", "a100") == 0
    made = json.loads(capsys.readouterr().out)
    it = made["energy"]["it"]
    assert it["value"] == 80 * 400 * 3600
    assert it["low"] < it["value"] <= it["high"]
    assert made["energy"]["devices"][0]["name"] == "8 x A100 (modelled)"
    (notice,) = [n for n in made["notices"] if n["code"] == "not_metered"]
    assert "the power limit of the A100 (NVIDIA" in notice["text"]
    code, line = fails(place, capsys, *words, "--gpu", "A1000")
    assert code == 2
    assert "there is no power for the GPU 'A1000': did you mean A10" in line


def test_the_configuration_stands_for_what_is_not_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "meter.toml"
    config.write_text('[site]\nzone = "FRA"\npue = 1.3\n')
    place = Place(tmp_path, METER_CONFIG=str(config), METER_ZONE="SWE")
    made = added(place, capsys)
    rows = {row["kind"]: row for row in made["factors"]}
    assert (rows["pue"]["value"], rows["grid_intensity"]["scope"]) == (1.3, "SWE")
    made = added(place, capsys, "--zone", "pol", "--pue", "1.1")
    rows = {row["kind"]: row for row in made["factors"]}
    assert (rows["pue"]["value"], rows["grid_intensity"]["scope"]) == (1.1, "POL")


def test_what_was_stated_is_corrected_by_an_imported_row_and_as_of_gives_the_old_figure(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = added(place, capsys, "--id", "old-1", "--pue", "1.1", "--start", "2026-03-01")
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "kind,scope,value,unit,source,source_date,licence\npue,past:old-1,1.3,1,report,2026,own\n"
    )
    assert place.call("factors", "import", str(rows)) == 0
    capsys.readouterr()
    facility = {}
    for as_of in ([], ["--as-of", first["as_of"]]):
        assert place.call("show", "old-1", "--json", *as_of) == 0
        facility[len(as_of)] = json.loads(capsys.readouterr().out)["energy"]["facility"]["value"]
    assert facility == {0: 1_872_000_000, 2: first["energy"]["facility"]["value"]}


def test_as_a_process_only_json_is_on_stdout(place: Place) -> None:
    done = in_process(place, *ADD, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["run"]["name"] == "old"


def test_its_help_fits_and_has_an_example(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.call("runs", "add", "--help") == 0
    shown = capsys.readouterr().out
    assert "Example:\n    meter runs add" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("words", [("0.2EUR",), ("0.2 EUR/kWh",), ("0.2", "--currency", "EUR")])
def test_a_price_says_its_currency_itself_or_apart(
    place: Place, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    made = added(place, capsys, "--price", *words)
    assert [(one["currency"], float(one["amount"]["value"])) for one in made["cost"]] == [
        ("EUR", 80.0)
    ]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_run_that_is_booked_but_cannot_be_shown_says_so(
    place: Place,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    as_json: bool,
) -> None:
    def unreadable(*_: object, **__: object) -> dict:
        raise LedgerError("it cannot be read", "look at the disk")

    with monkeypatch.context() as broken:
        broken.setattr(reports, "run_document", unreadable)
        assert place.call(*ADD, "--id", "old-1", *["--json"] * as_json) == 0
    said = capsys.readouterr()
    assert "booked as old-1, but cannot be shown now: it cannot be read" in said.err
    assert bool(said.out) == as_json
    assert place.call("show", "old-1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["run"]["id"] == "old-1"
