"""Published figures from their published inputs, through the command line and a ledger file.

Within 1 %, or one unit of the last digit that is printed. What the rows are from, and the date of
it, stands in ``published.csv``.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.places import Place

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "validation.md"
ROWS = list(csv.DictReader((HERE / "published.csv").read_text(encoding="utf-8").splitlines()))
NAMES = [row["name"] for row in ROWS]
J_PER_MWH = 3.6e9
G_PER_T = 1e6
LLAMA_2_TOTAL_T = 539.00  # Table 2 of arXiv:2307.09288, for 3,311,616 GPU-hours


def words(row: dict[str, str]) -> list[str]:
    """The command that books a row."""
    told = {
        "--name": row["name"],
        "--project": row["project"],
        "--gpu-hours": row["gpu_hours"],
        "--wall-hours": row["wall_hours"],
        "--watts": row["watts"],
        "--pue": row["pue"],
        "--intensity": row["intensity_g_per_kwh"],
        "--tag": f"source={row['source']}",
    }
    given = [(flag, value) for flag, value in told.items() if value]
    return ["runs", "add", *(word for pair in given for word in pair)]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Every row booked in one ledger, then read back."""
    place = Place(tmp_path_factory.mktemp("published"))
    found = {}
    for row in ROWS:
        target = place.home.parent / "out.json"
        assert place.call(*words(row)) == 0
        assert place.call("report", row["name"], "--format", "json", "-o", str(target)) == 0
        found[row["name"]] = json.loads(target.read_text(encoding="utf-8"))
    return found


def close(ours: float, printed: float, unit: float) -> bool:
    return abs(ours - printed) <= max(printed / 100, unit)


@pytest.mark.parametrize("row", [row for row in ROWS if row["energy_mwh"]], ids=lambda r: r["name"])
def test_energy_is_what_was_published(documents, row):
    ours = documents[row["name"]]["energy"][row["energy_of"]]["value"] / J_PER_MWH
    assert close(ours, float(row["energy_mwh"]), 1.0)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_carbon_is_what_was_published(documents, row):
    ours = documents[row["name"]]["carbon"]["location"]["value"] / G_PER_T
    assert close(ours, float(row["emissions_t"]), float(row["emissions_unit_t"]))


def test_blooms_energy_is_its_kilowatt_hours_to_the_digit(documents):
    assert documents["BLOOM"]["energy"]["it"]["value"] == 433_196 * 3.6e6


def test_llama_2_adds_up_to_the_published_total(documents):
    rows = [row for row in ROWS if row["project"] == "llama-2"]
    assert sum(int(row["gpu_hours"]) for row in rows) == 3_311_616
    ours = sum(documents[row["name"]]["carbon"]["location"]["value"] for row in rows) / G_PER_T
    assert round(ours, 2) == LLAMA_2_TOTAL_T


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_row_has_its_source_and_is_called_modelled(documents, row):
    assert row["source"].startswith("arXiv:")
    assert row["table"]
    assert row["source_date"][:2] == "20"
    made = documents[row["name"]]
    assert made["energy"]["it"]["method"] == made["carbon"]["location"]["method"] == "modelled"
    assert "not_metered" in {notice["code"] for notice in made["notices"]}


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_page_shows_these_figures(documents, row):
    (line,) = [one for one in PAGE.read_text().splitlines() if one.startswith(f"| {row['name']} |")]
    made = documents[row["name"]]
    energy = made["energy"][row["energy_of"] or "facility"]["value"] / J_PER_MWH
    assert f" {energy:.1f} " in line
    assert f" {made['carbon']['location']['value'] / G_PER_T:.2f} " in line
    assert f" {row['emissions_t']} " in line
