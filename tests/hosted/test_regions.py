"""Regions as grid zones: each sure, each known to the books, nothing guessed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import meter.hosted
from meter.factors.grids import grids
from meter.hosted.regions import zone_of_region

DATA = Path(meter.hosted.__file__).parent / "data" / "regions.csv"
ROWS = list(csv.DictReader(DATA.read_text().splitlines()))


def test_every_zone_is_one_of_the_books_and_has_a_source_and_a_date():
    for row in ROWS:
        assert row["zone"] in grids(), row
        assert row["source"], row
        assert row["source_date"][:2] == "20", row


def test_no_region_is_told_twice():
    keys = [(row["cloud"], row["region"]) for row in ROWS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("provider", "region", "zone"),
    [
        ("bedrock", "us-east-1", "USA-VA"),
        ("bedrock", "eu-north-1", "SWE"),
        ("azure", "swedencentral", "SWE"),
        ("azure", "Sweden Central", "SWE"),
        ("azure", "northeurope", "IRL"),
        ("vertex", "europe-west4", "NLD"),
        ("vertex", "us-central1", "USA-IA"),
        ("anthropic", "us", "USA"),
        ("fireworks", "EU_FRANKFURT_1", "DEU"),
        ("fireworks", "us_washington_3", "USA-WA"),
    ],
)
def test_a_region_lies_in_its_zone(provider, region, zone):
    assert zone_of_region(provider, region) == zone


@pytest.mark.parametrize(
    ("provider", "region"),
    [
        ("openai", "eu"), ("openai", "us"), ("openai", None), ("anthropic", "global"),
        ("vertex", "global"), ("vertex", "us"), ("azure", "europe"), ("bedrock", "us-east"),
        ("fireworks", "us-east-1"), ("fireworks", "GLOBAL"), ("fireworks", "REGION_UNSPECIFIED"),
        ("bedrock", "us-east-1; DROP"), ("bedrock", ""),
    ],
)  # fmt: skip
def test_a_region_that_is_no_place_stays_unknown(provider, region):
    assert zone_of_region(provider, region) is None
