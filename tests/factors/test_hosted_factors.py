"""Assumptions about hosted training: complete, in range, nobody's site, taken from a sheet too."""

from __future__ import annotations

from decimal import Decimal

from meter.factors.books import WORLD, YEARLY
from meter.factors.hosted import assumptions, hosted_factors
from meter.factors.sheets import HOSTED, sheet
from meter.factors.units import QUANTITIES
from meter.model import FactorKind, Method
from tests.factors.sheets import factor, reasons

ROWS = assumptions(0)


def test_every_assumption_has_bounds_source_date_licence_and_the_unit_of_its_kind():
    for row in ROWS:
        quantity = QUANTITIES[row.kind]
        assert row.unit == quantity.unit
        assert quantity.least <= row.low <= row.value <= row.high <= quantity.most, row
        assert row.source, row
        assert row.licence, row
        assert row.source_date[:2] == "20", row
        assert row.method is not Method.MEASURED


def test_no_assumption_is_told_twice():
    keys = [(fact.kind, fact.item) for fact in sheet(HOSTED)]
    assert len(keys) == len(set(keys))


def test_none_of_them_is_taken_for_a_site_or_beats_what_is_imported():
    assert {row.scope.partition(":")[0] for row in ROWS} == {"hosted"}
    assert {row.rank for row in ROWS} == {WORLD}
    imported = factor(kind="mfu", scope="hosted:openai", value="0.4", unit="1")
    assert (imported.rank, imported.scope) == (YEARLY, "hosted:openai")


def test_a_server_draws_at_most_what_its_maker_says():
    ratios = {row.item: row for row in ROWS if row.kind is FactorKind.SERVER_RATIO}
    known = {(row.kind, row.item): row.value for row in hosted_factors(0)}
    for item, row in ratios.items():
        if item:
            gpus = 8 * known[FactorKind.GPU_POWER, item]
            most = known[FactorKind.NODE_POWER, f"DGX {item}"] / gpus
            assert 0 <= row.high - most < Decimal("0.0001")
            assert 0 <= 1 + 1200 / gpus - row.low < Decimal("0.0001")
    others = [row for item, row in ratios.items() if item]
    assert ratios[None].low == min(row.low for row in others)
    assert ratios[None].high == max(row.high for row in others)


def test_the_facility_of_a_provider_is_that_of_its_cloud():
    pue = {row.scope: row for row in ROWS if row.kind is FactorKind.PUE}
    presets = {fact.item: fact for fact in sheet("presets") if fact.kind == "pue"}
    for provider, cloud in (("azure", "azure"), ("bedrock", "aws"), ("vertex", "gcp")):
        row, fact = pue[f"hosted:{provider}"], presets[cloud]
        assert (row.low, row.value, row.high) == (fact.low, fact.value, fact.high)
        assert pue["hosted:any"].low <= row.low
        assert row.high <= pue["hosted:any"].high


def test_ids_are_all_different():
    ids = [row.id for row in hosted_factors(0)]
    assert len(ids) == len(set(ids))


def test_a_share_of_the_peak_is_at_most_all_of_it():
    told = reasons(kind="mfu", scope="hosted:any", value="30", unit="1")
    assert "above 1" in told["value"]
