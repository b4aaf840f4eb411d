"""``meter factors`` and ``meter prices``: from a file to the book and back, or nothing."""

from __future__ import annotations

import json

import pytest

from meter.cli.reads import LEDGER_NAME
from meter.sampling.cpu_list import list_path, read_list
from tests.cli.places import Place
from tests.factors.sheets import FACTOR, PRICE, table


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def factors_of(place, capsys, *words) -> list[dict]:
    assert place.call("factors", "list", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)["factors"]


def test_a_file_is_imported_listed_shown_and_exported(place, tmp_path, capsys):
    sheet = tmp_path / "grid.csv"
    sheet.write_bytes(table(FACTOR, {**FACTOR, "scope": "DEU", "value": "356"}))
    assert place.call("factors", "import", str(sheet)) == 0
    assert capsys.readouterr().out == "2 new factors.\n"
    assert place.call("factors", "import", str(sheet)) == 0
    assert capsys.readouterr().out == "No news: all factors known.\n"
    found = factors_of(place, capsys, "--scope", "FRA")
    assert [(row["value"], row["book"], row["status"]) for row in found] == [
        (56.0, "import", "standing")
    ]
    assert place.call("factors", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("FRA" in line and "56 g/kWh" in line for line in lines)
    assert place.call("factors", "list", "--csv") == 0
    exported = tmp_path / "out.csv"
    exported.write_text(capsys.readouterr().out)
    assert place.call("factors", "import", str(exported), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "new": 0, "known": 2, "ids": [], "notices": [],
    }  # fmt: skip


def test_a_correction_supersedes_and_is_shown_with_its_history(place, tmp_path, capsys):
    sheet = tmp_path / "grid.csv"
    for value in ("56", "52"):
        sheet.write_bytes(table({**FACTOR, "value": value}))
        assert place.call("factors", "import", str(sheet)) == 0
    capsys.readouterr()
    new, old = factors_of(place, capsys, "--all")
    assert (new["status"], old["status"]) == ("standing", "superseded")
    assert place.call("factors", "show", old["id"].rpartition(":")[2]) == 0
    shown = capsys.readouterr().out
    assert new["id"] in shown
    assert "All rows about this" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert place.call("factors", "show", old["id"], "--json") == 0
    assert json.loads(capsys.readouterr().out)["factor"]["superseded_by"] == new["id"]
    as_of = ("--as-of", old["recorded_at"])
    assert [row["value"] for row in factors_of(place, capsys, *as_of)] == [56.0]


def test_each_fault_is_a_line_and_nothing_is_written(place, tmp_path, capsys):
    sheet = tmp_path / "bad.csv"
    sheet.write_bytes(table(FACTOR, {**FACTOR, "scope": "DEU", "value": "x", "licence": ""}))
    assert place.call("factors", "import", str(sheet)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, second, last = err.splitlines()
    assert first == f"meter: {sheet}:3:value: 'x' is no number"
    assert second == f"meter: {sheet}:3:licence: is missing"
    assert f"nothing of {sheet} was imported, it has 2 faults" in last
    assert factors_of(place, capsys) == []


def test_before_any_ledger_the_bundled_book_is_listed(place, capsys):
    found = factors_of(place, capsys, "--kind", "grid_intensity")
    assert len(found) > 200
    assert {row["book"] for row in found} == {"bundled"}
    assert not (place.home / LEDGER_NAME).exists()
    assert place.call("prices", "list") == 0
    assert "meter prices import" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "preset"), [("pue", "hyperscale"), ("wue", "us-mean"), ("tnd_uplift", "eu")]
)
def test_presets_come_with_meter_and_are_listed_by_name(place, capsys, kind, preset):
    (row,) = (
        row
        for row in factors_of(place, capsys, "--bundled", "--kind", kind)
        if row["item"] == preset
    )
    assert row["method"] == "assumed"
    assert row["low"] <= row["value"] <= row["high"]
    assert row["source"]
    assert row["source_date"]
    assert row["licence"]
    assert f'= "{preset}"' in row["detail"]
    assert place.call("factors", "list", "--bundled", "--kind", kind) == 0
    assert preset in capsys.readouterr().out


def test_the_list_of_processors_is_counted_where_all_that_comes_along_is_listed(place, capsys):
    assert place.call("factors", "list", "--bundled") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    count = len(read_list(list_path()))
    assert last == f"The TDP of {count:,} processors comes from codecarbon's list."


@pytest.mark.parametrize(
    "words",
    [
        ("factors", "import", "no-such-file.csv"),
        ("factors", "list", "--kind", "grid"),
        ("factors", "list", "--csv", "--json"),
        ("factors", "lst"),
        ("prices", "import"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(place, words, capsys):
    assert place.call(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_a_sheet_of_the_other_book_is_named(place, tmp_path, capsys):
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(table(FACTOR))
    assert place.call("prices", "import", str(sheet)) == 2
    assert "`meter factors import` takes it" in capsys.readouterr().err
    sheet.write_bytes(table(PRICE))
    assert place.call("factors", "import", str(sheet)) == 2
    assert "`meter prices import` takes it" in capsys.readouterr().err


def test_show_of_what_is_not_there_says_how_to_find_it(place, tmp_path, capsys):
    sheet = tmp_path / "grid.csv"
    sheet.write_bytes(table(FACTOR))
    assert place.call("factors", "import", str(sheet)) == 0
    assert place.call("factors", "show", "nothing") == 2
    assert "meter factors list" in capsys.readouterr().err


def test_what_rows_do_not_say_may_be_said_once(place, tmp_path, capsys):
    sheet = tmp_path / "mix.csv"
    sheet.write_text("zone,year,g_per_kwh\nDEU,2024,600\nAUT,2024,0\n")
    told = ("--source", "AIB", "--licence", "by permission")
    assert place.call("factors", "import", str(sheet), *told) == 0
    assert "AUT" in capsys.readouterr().err
    (row,) = factors_of(place, capsys, "--kind", "market_intensity")
    assert (row["source"], row["licence"], row["basis"]) == (
        "AIB", "by permission", "average, direct",
    )  # fmt: skip


def test_prices_are_imported_and_listed(place, tmp_path, capsys):
    sheet = tmp_path / "prices.csv"
    sheet.write_bytes(table(PRICE, {**PRICE, "meter": "train_token", "value": "25"}))
    assert place.call("prices", "import", str(sheet)) == 0
    assert capsys.readouterr().out == "2 new prices.\n"
    assert place.call("prices", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("train_token" in line and "25 USD/1M" in line for line in lines)
    assert place.call("prices", "list", "--csv") == 0
    sheet.write_text(capsys.readouterr().out)
    assert place.call("prices", "import", str(sheet)) == 0
    assert capsys.readouterr().out == "No news: all prices known.\n"


def test_csv_lists_what_can_be_imported_again_and_other_books_if_asked(place, tmp_path, capsys):
    place.fill()
    sheet = tmp_path / "sheet.csv"
    sheet.write_bytes(table(FACTOR))
    assert place.call("factors", "import", str(sheet)) == 0
    capsys.readouterr()
    assert place.call("factors", "list", "--csv") == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    sheet.write_text(out)
    assert place.call("factors", "import", str(sheet)) == 0
    assert capsys.readouterr().out == "No news: all factors known.\n"
    assert place.call("factors", "list", "--csv", "--book", "configuration") == 0
    assert "configuration" in capsys.readouterr().out


def test_rows_that_differ_by_windows_or_region_look_different(place, tmp_path, capsys):
    sheet = tmp_path / "tariff.yaml"
    sheet.write_text(
        "defaults: {kind: electricity_price, scope: world, unit: EUR/kWh, source: contract,"
        " source_date: 2026, licence: own}\n"
        "factors:\n"
        "  - {value: 0.3, windows: {timezone: Europe/Paris, days: mon-fri, from: '07:00',"
        " to: '22:00', season: 04-01/09-30}}\n"
        "  - {value: 0.3, windows: {timezone: Europe/Paris, not_in: [{days: [mon-fri, sun],"
        " from: '07:00', to: '22:00'}], in: [{season: 04-01/09-30}]}}\n"
    )
    assert place.call("factors", "import", str(sheet)) == 0
    capsys.readouterr()
    assert place.call("factors", "list") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    said = " ".join(out.split())
    assert "mon-fri 07:00-22:00" in said
    assert "not mon-fri+sun 07:00-22:00" in said
    prices = tmp_path / "prices.csv"
    prices.write_bytes(table({**PRICE, "region": "eu-west-1"}, {**PRICE, "region": "us-east-1"}))
    assert place.call("prices", "import", str(prices)) == 0
    capsys.readouterr()
    assert place.call("prices", "list") == 0
    out = capsys.readouterr().out
    assert "USD/1M eu-west-1" in out
    assert "USD/1M us-east-1" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_site_that_changes_its_region_keeps_nothing_of_the_old(place, tmp_path, capsys):
    header = (
        "year,cloud-provider,cloud-region,power-usage-effectiveness,water-usage-effectiveness,"
        "grid-carbon-intensity-average-consumption-annual"
    )
    sheet = tmp_path / "regions.csv"
    sheet.write_text(
        f"{header}\n2023,Amazon Web Services,us-test-1,1.2,0.1,400\n"
        "2024,Amazon Web Services,us-test-1,1.2,0.1,380\n2023,Google Cloud,test-west1,,,44\n"
    )

    def imported(region: str) -> dict:
        words = ("factors", "import", str(sheet), "--region", region, "--site", "default")
        assert place.call(*words, "--json") == 0
        return json.loads(capsys.readouterr().out)

    assert imported("aws:us-test-1")["new"] == 6
    there = [(row["kind"], row["value"]) for row in factors_of(place, capsys)]
    moved = imported("gcp:test-west1")
    assert moved["new"] == 1
    assert moved["notices"] == ["Withdrawn: 6 rows of the region that the site was in."]
    (row,) = factors_of(place, capsys)
    assert (row["kind"], row["value"], row["valid_to"]) == ("grid_intensity", 44.0, None)
    again = imported("gcp:test-west1")
    assert (again["new"], again["notices"]) == (0, [])
    assert imported("aws:us-test-1")["notices"]
    assert [(row["kind"], row["value"]) for row in factors_of(place, capsys)] == there
