"""Prices that a package brings: imported once, behind a user's own, refused beside a file."""

from __future__ import annotations

import json
import sys

import pytest

from meter.cli.price_packages import in_parts, joined
from meter.cli.prices import text
from meter.cli.writes import Taken
from meter.factors.bundled_prices import bundled_prices
from meter.factors.rows import ROWS, Row, Sheet
from tests.cli.places import Place
from tests.factors.sheets import PRICE, table


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def listed(place, capsys, *words):
    capsys.readouterr()
    assert place.call("prices", "list", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)["prices"]


def test_the_bundled_prices_are_imported_whole(place, capsys):
    assert place.call("prices", "import", "--bundled") == 0
    stated = [row for row in bundled_prices().rows if row.cells["value"] != "withdrawn"]
    assert len(listed(place, capsys)) == len(stated)
    (row,) = (
        row
        for row in listed(place, capsys, "--provider", "openai", "--model", "gpt-3.5-turbo")
        if row["meter"] == "train_token"
    )
    assert float(row["value"]) == 8


@pytest.mark.parametrize(
    "words",
    [
        ("prices", "import"), ("prices", "import", "--bundled", "--genai-prices"),
        ("prices", "import", "FILE", "--bundled"),
        ("prices", "import", "--bundled", "--source-date", "2026"),
        ("prices", "import", "--genai-prices", "--format", "litellm"),
    ],
)  # fmt: skip
def test_one_source_is_taken_and_tells_its_own_dates(place, tmp_path, words, capsys):
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(table(PRICE))
    assert place.call(*(str(sheet) if word == "FILE" else word for word in words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_without_the_package_its_installation_is_named(place, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    assert place.call("prices", "import", "--genai-prices") == 2
    assert "pip install 'tunemeter[genai-prices]'" in capsys.readouterr().err


def test_a_sheet_beyond_one_imports_rows_goes_in_parts_and_is_told_as_one():
    sheet = Sheet(tuple(Row({"n": str(n)}) for n in range(ROWS + 1)), ("said once",))
    parts = in_parts(sheet)
    assert [len(part.rows) for part in parts] == [ROWS, 1]
    together, taken = joined([(part, Taken(("id",), 2)) for part in parts])
    assert together.notices == ("said once",)
    assert (taken.ids, taken.known) == (("id", "id"), 4)


@pytest.mark.parametrize(
    ("narrowed", "said"),
    [
        ({"parameters_over_b": "16.000000000", "parameters_to_b": "80.000000000"}, ">16-80B"),
        ({"parameters_to_b": "16"}, "<=16B"),
        ({"context_over": 200_000}, ">200000 tokens"),
        ({"training": "rft", "adapter": "lora"}, "rft lora"),
    ],
)
def test_what_narrows_a_price_is_listed(narrowed, said):
    row = {
        "provider": "p", "model": "m", "meter": "input", "value": "2", "currency": "USD",
        "per": 10**6, "service_tier": None, "region": None, "valid_from": None, **narrowed,
    }  # fmt: skip
    assert f"2 USD/1M {said}" in text([row], columns=200)
