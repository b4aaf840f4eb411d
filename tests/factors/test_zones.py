"""Zones: codes and names as people write them; an unknown one gets its nearest names."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import FactorError
from meter.factors.books import grid_factor, household_factor, world_factor
from meter.factors.grids import data_folder, grids, release, world
from meter.factors.zones import zone_of
from meter.model import Method


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("FRA", "FRA"),
        ("fr", "FRA"),
        (" France ", "FRA"),
        ("UK", "GBR"),
        ("south korea", "KOR"),
        ("USA-CA", "USA-CA"),
        ("us-ca", "USA-CA"),
        ("US_TX", "USA-TX"),
        ("California", "USA-CA"),
        ("CA", "CAN"),
        ("Quebec", "CAN-QC"),
        ("CN-SH", "CHN-SH"),
        ("SE3", "SWE-SE3"),
    ],
)
def test_a_zone_may_be_called_by_code_or_name(text, zone):
    assert zone_of(text) == zone


def test_every_zone_means_itself():
    assert [zone for zone in grids() if zone_of(zone) != zone] == []


def test_an_unknown_zone_is_refused_with_its_nearest_names():
    with pytest.raises(FactorError, match=r"no zone 'Germny'.*DEU \(Germany\)"):
        zone_of("Germny")


def test_a_name_of_several_zones_is_refused_naming_them():
    with pytest.raises(FactorError, match="GEO or USA-GA"):
        zone_of("Georgia")


@given(st.text(max_size=30))
def test_any_text_is_a_zone_or_a_clear_refusal(text):
    try:
        zone = zone_of(text)
    except FactorError as error:
        zone = None
        refusal = error
    assert zone in grids() or refusal.remedy


def test_intensities_are_those_of_the_data_files():
    assert grids()["FRA"].intensity == Decimal("56.039")
    assert grids()["FRA"].year == "2023"
    assert grids()["DEU"].intensity == Decimal("380.95")
    assert grids()["SWE-SE3"].intensity == Decimal("27.0")
    assert grids()["CHN-SH"].intensity == Decimal("573.7")


def test_pounds_per_megawatt_hour_become_grams_per_kilowatt_hour():
    assert grids()["USA-CA"].intensity.quantize(Decimal("0.001")) == Decimal("179.064")
    assert grids()["USA-TX"].intensity.quantize(Decimal("0.001")) == Decimal("349.801")
    assert "lbs/MWh" in grids()["USA-CA"].detail


def test_a_canadian_province_counts_all_its_sources():
    assert Decimal(25) < grids()["CAN-QC"].intensity < Decimal(40)
    assert grids()["CAN-QC"].method is Method.MODELLED


def test_the_world_is_an_assumption_between_the_cleanest_and_the_dirtiest_country():
    factor = world_factor(1)
    assert factor.method is Method.ASSUMED
    assert (factor.low, factor.value, factor.high) == (
        Decimal(20),
        Decimal("480.619847191"),
        Decimal("1306.025"),
    )
    assert world().low <= grids()["FRA"].intensity <= world().high


def test_the_world_is_the_mean_of_the_countries_by_what_each_generates():
    file = data_folder() / "global_energy_mix.json"
    mixes = [mix for mix in json.loads(file.read_text()).values() if mix["carbon_intensity"]]
    grams = sum(mix["total_TWh"] * mix["carbon_intensity"] for mix in mixes)
    factor = world_factor(1)
    assert float(factor.value) == pytest.approx(grams / sum(mix["total_TWh"] for mix in mixes))
    assert file.name in factor.source
    assert release() in factor.source
    years = [mix["year"] for mix in mixes]
    assert factor.source_date == str(max(years))
    assert f"{len(mixes)} countries" in factor.detail
    assert f"{min(years)} to {max(years)}" in factor.detail
    assert factor.basis == grid_factor("FRA", 1).basis


def test_every_bundled_row_has_source_date_and_licence():
    for factor in (world_factor(1), household_factor(1), grid_factor("USA-CA", 1)):
        assert factor.source
        assert factor.source_date
        assert factor.licence
        assert factor.low <= factor.value <= factor.high
    assert len(household_factor(1).source) <= 60
    assert household_factor(1).value == Decimal("29.275956284")


def test_reading_the_data_files_does_not_import_codecarbon():
    code = (
        "import sys; from meter.factors.books import world_factor; world_factor(1);"
        "print([m for m in sys.modules if m.split('.')[0] in ('codecarbon', 'pandas', 'duckdb')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
