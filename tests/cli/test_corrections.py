"""A factor that is corrected changes what is reported now, and nothing that was reported then."""

from __future__ import annotations

import json

import pytest

from tests.cli.places import Place
from tests.factors.sheets import FACTOR, table

PRICE = {
    **FACTOR, "kind": "electricity_price", "scope": "lab", "unit": "EUR/kWh", "value": "0.40",
    "rank": "410",
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    place.fill()
    return place


def shown(place, capsys, *words) -> dict:
    assert place.call("show", "last", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)


def grams(document) -> float:
    return document["carbon"]["location"]["value"]


def test_reports_follow_a_correction_and_as_of_tells_the_earlier_figure(place, tmp_path, capsys):
    before = shown(place, capsys)
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(table({**FACTOR, "value": "560.39", "high": "600"}, PRICE))
    assert place.call("factors", "import", str(sheet)) == 0
    capsys.readouterr()
    after = shown(place, capsys)
    assert grams(after) == pytest.approx(10 * grams(before), rel=1e-3)
    (imported,) = [one for one in after["factors"] if one["kind"] == "grid_intensity"]
    assert (imported["book"], imported["source"]) == ("import", FACTOR["source"])
    assert any(one["book"] == "import" and one["unit"] == "EUR/kWh" for one in after["factors"])
    assert shown(place, capsys, "--as-of", before["as_of"]) == before
    sheet.write_bytes(table({**FACTOR, "value": "withdrawn"}, {**PRICE, "value": "withdrawn"}))
    assert place.call("factors", "import", str(sheet)) == 0
    capsys.readouterr()
    again = shown(place, capsys)
    assert grams(again) == grams(before)
    assert again["cost"] == before["cost"]


def test_a_row_for_some_hours_changes_only_these(place, tmp_path, capsys):
    before = shown(place, capsys)
    half = {
        **FACTOR, "value": "0", "valid_from": "2026-03-01T09:00Z", "valid_to": "2026-03-01T09:30Z",
    }  # fmt: skip
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(table(half))
    assert place.call("factors", "import", str(sheet)) == 0
    capsys.readouterr()
    assert grams(shown(place, capsys)) == pytest.approx(grams(before) / 2, rel=1e-6)
