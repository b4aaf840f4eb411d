"""Energy of inference in ``meter usage list`` and in documents, with and without ecologits."""

from __future__ import annotations

import importlib.abc
import json
import sys
from pathlib import Path

import jsonschema
import pytest

from meter.cli.usage_energy import table
from tests.agent.agents import agent
from tests.cli.places import Place
from tests.factors.sheets import FACTOR
from tests.factors.sheets import table as sheet
from tests.factors.test_inference_rows import PINNED

SCHEMA = json.loads((Path(__file__).parents[2] / "meter/schemas/run-1.json").read_text())
WH_J = 3600


class _Refused(importlib.abc.MetaPathFinder):
    """Ecologits is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ecologits":
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def refused(monkeypatch):
    """As if the extra were not installed."""

    def refuse() -> None:
        for name in [one for one in sys.modules if one.partition(".")[0] == "ecologits"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [_Refused(), *sys.meta_path])

    return refuse


def used(place, provider="openai", model="gpt-4o-mini", quantity="400", *more, meter="output"):
    words = ("--provider", provider, "--model", model, "--meter", meter, "--quantity", quantity)
    said = ("--id", f"{provider} {model} {meter}", "--at", "2026-11-20", *more)
    assert place.call("usage", "record", *words, *said) == 0


def told(place, capsys, *words):
    capsys.readouterr()
    assert place.call(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def listed(place, capsys):
    capsys.readouterr()
    assert place.call("usage", "list") == 0
    return capsys.readouterr()


def imported(place):
    assert place.call("factors", "import", "--ecologits") == 0


def test_usage_in_the_ledger_has_the_pinned_energy(place, capsys):
    for provider, model in PINNED:
        used(place, provider, model)
    imported(place)
    found = told(place, capsys, "usage", "list")["inference"]
    wh = {(row["provider"], row["model"]): (row["low_j"] / WH_J, row["high_j"] / WH_J)
          for row in found}  # fmt: skip
    assert wh.keys() == PINNED.keys()
    for key, expected in PINNED.items():
        assert wh[key] == pytest.approx(expected, rel=0, abs=6e-6)
    assert {(row["method"], row["tier"]) for row in found} == {("modelled", "output_tokens")}


def test_the_list_has_a_column_of_it_and_says_what_it_leaves_out(place, capsys):
    used(place)
    used(place, quantity="10000", meter="input")
    imported(place)
    out, err = listed(place, capsys)
    lines = out.splitlines()
    assert lines[0].endswith("kWh (modelled)")
    assert [line.endswith("0.0000260 to 0.0000315") for line in lines[2:4]] == [False, True]
    assert "count output tokens only: modelled" in err


def test_a_model_that_is_not_known_is_said_and_not_guessed(place, capsys):
    used(place, model="nobodys-model")
    imported(place)
    out, err = listed(place, capsys)
    assert "not known" in out
    assert "no energy of a token of openai nobodys-model" in err
    (found,) = told(place, capsys, "usage", "list")["inference"]
    assert (found["low_j"], found["high_j"], found["factors"]) == (None, None, [])


def test_without_the_extra_one_line_says_what_to_install_and_nothing_fails(place, capsys, refused):
    used(place)
    refused()
    out, err = listed(place, capsys)
    assert "gpt-4o-mini" in out
    assert "kWh" not in out
    (line,) = [line for line in err.splitlines() if "energy" in line]
    assert "pip install 'tunemeter[ecologits]', then `meter factors import --ecologits`" in line
    assert told(place, capsys, "usage", "list")["inference"] == []


def test_with_the_extra_the_line_says_what_is_left_to_do(place, capsys):
    used(place)
    (line,) = [line for line in listed(place, capsys).err.splitlines() if "energy" in line]
    assert "`meter factors import --ecologits`" in line
    assert "pip install" not in line


def test_usage_without_output_is_not_spoken_of(place, capsys):
    used(place, meter="train_token")
    assert "energy" not in listed(place, capsys).err


def test_the_import_without_the_extra_names_its_installation(place, capsys, refused):
    refused()
    assert place.call("factors", "import", "--ecologits") == 2
    assert "pip install 'tunemeter[ecologits]'" in capsys.readouterr().err


def test_what_was_imported_stays_when_the_package_is_gone(place, capsys, refused):
    used(place)
    imported(place)
    before = told(place, capsys, "usage", "list")["inference"]
    refused()
    assert told(place, capsys, "usage", "list")["inference"] == before != []


def test_importing_again_is_no_news(place, capsys):
    imported(place)
    capsys.readouterr()
    imported(place)
    assert "No news" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [(), ("FILE", "--ecologits"), ("--ecologits", "--site", "lab"),
     ("--ecologits", "--source", "me"), ("--ecologits", "--format", "bills")],
)  # fmt: skip
def test_one_source_is_taken_and_the_package_tells_itself(place, tmp_path, words, capsys):
    file = tmp_path / "sheet.csv"
    file.write_bytes(sheet(FACTOR))
    words = [str(file) if word == "FILE" else word for word in words]
    assert place.call("factors", "import", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_a_row_of_ones_own_goes_before_the_packages(place, tmp_path, capsys):
    used(place)
    imported(place)
    own = tmp_path / "own.csv"
    row = {**FACTOR, "kind": "token_energy", "scope": "hosted:openai", "item": "gpt-4o-mini"}
    own.write_bytes(sheet({**row, "value": "0.001", "unit": "Wh/token"}))
    assert place.call("factors", "import", str(own)) == 0
    (found,) = told(place, capsys, "usage", "list")["inference"]
    assert found["inputs"]["token_j"] == "3.6"


def test_a_runs_document_has_it_in_no_sum_and_a_statement_of_it_verifies(
    place, tmp_path, capsys, refused
):
    place.fill(minutes=2)
    before = told(place, capsys, "show", "last")
    run = before["run"]["id"]
    used(place, "openai", "gpt-4o", "400", "--run", run)
    unknown = told(place, capsys, "show", "last")
    assert "inference" not in unknown
    imported(place)
    document = told(place, capsys, "show", "last")
    jsonschema.validate(document, SCHEMA)
    (found,) = document["inference"]
    assert (found["low_j"] / WH_J, found["high_j"] / WH_J) == pytest.approx(
        PINNED["openai", "gpt-4o"], rel=0, abs=6e-6
    )
    assert document["energy"] == before["energy"]
    assert document["carbon"] == before["carbon"]
    assert "inference_modelled" in {one["code"] for one in document["notices"]}
    assert place.call("show", "last") == 0
    assert "modelled from output tokens, in no sum" in " ".join(capsys.readouterr().out.split())
    earlier = told(place, capsys, "show", "last", "--as-of", unknown["as_of"])
    assert "inference" not in earlier
    assert place.call("report", "last", "--seal", "-o", str(tmp_path / "sealed.json")) == 0
    refused()
    assert place.call("verify") == 0, capsys.readouterr()


def test_beside_an_agent_the_agent_tells_it(capsys, tmp_path):
    with agent(tmp_path) as node:
        node.hear("reading")
        place = Place(tmp_path, METER_HOME=str(node.home), METER_SOCKET=node.socket)
        used(place)
        used(place, "mistral", "mistral-large-latest", "400", "--project", "chat")
        imported(place)
        (found,) = told(place, capsys, "usage", "list", "--project", "chat")["inference"]
        wh = (found["low_j"] / WH_J, found["high_j"] / WH_J)
        assert wh == pytest.approx(PINNED["mistral", "mistral-large-latest"], rel=0, abs=6e-6)
        outside = told(place, capsys, "usage", "list", "--to", "2026-11-20")
        assert outside["inference"] == []


def test_usage_of_two_currencies_shows_its_energy_once():
    key = {"project": "p", "provider": "openai", "model": "m", "region": None,
           "service_tier": None}  # fmt: skip
    rows = [
        {**key, "meter": "output", "quantity": "1", "amount": "2", "currency": currency}
        for currency in ("EUR", "USD")
    ]
    shown = table(rows, [{**key, "low_j": 3_600_000, "high_j": 7_200_000}])
    assert shown.count("1.00 to 2.00") == 1
