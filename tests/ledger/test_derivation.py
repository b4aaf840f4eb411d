"""What lines are made of: instruments, losses, water, hardware, quarter hours, exchange rates."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.config import Electricity, Window
from meter.factors import Rates, factors_of
from meter.identified import identified
from meter.ledger.instants import quarter_of
from meter.ledger.reader import Reader
from meter.ledger.reports import run_document
from meter.ledger.session import Session
from meter.model import Factor, FactorKind, LedgerBatch, Method
from tests.ledger.facts import (
    HOUR_US,
    MINUTE_US,
    START_US,
    band,
    config,
    ended,
    minute,
    priced,
    registered,
    site,
)

MINUTES = 90
ENERGY_MJ = 36_000_000
KWH = Decimal(ENERGY_MJ) * MINUTES / 3_600_000_000  # of one GPU
NINE = Decimal("1E-9")
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


def fact(kind: FactorKind, value: str, **changes: Any) -> Factor:
    values: dict[str, Any] = {
        "id": "", "kind": kind, "scope": "lab", "value": Decimal(value), "low": Decimal(value),
        "high": Decimal(value), "unit": "", "source": "test", "method": Method.SOURCED,
        "recorded_us": START_US, "rank": 400, "book": "import",
    }  # fmt: skip
    return identified(Factor(**{**values, **changes}))


def document_of(*factors: Factor, configured=None, currency=None, later=(), as_of_us=None):
    """The document of a run of 1.5 hours on one GPU at 600 W, by these factors."""
    ticks = itertools.count(START_US + 3 * HOUR_US, 1_000_000)
    session = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    base = factors_of(configured or config(zone="FRA"), site("FRA"), START_US)
    try:
        session.commit([registered(zone="FRA")])
        session.commit([LedgerBatch(factors=(*base, *factors))])
        intervals = tuple(minute(n) for n in range(MINUTES))
        session.commit([LedgerBatch(intervals=intervals, site_id="lab"), ended(minutes=MINUTES)])
        if later:
            session.commit([LedgerBatch(factors=tuple(later))])
        with Reader(session.cursor()) as reader:
            return run_document(reader, "01RUN0", as_of_us=as_of_us, currency=currency)
    finally:
        session.close()


def codes(document):
    return {notice["code"] for notice in document["notices"]}


def grams(quantity):
    return Decimal(str(quantity["value"])).quantize(Decimal("1E-6"))


GRID = Decimal("56.039")


def test_without_an_instrument_there_is_no_market_based_carbon():
    carbon = document_of()["carbon"]
    assert carbon["market"] is None
    assert carbon["market_default"] is None
    assert grams(carbon["location"]) == (KWH * GRID).quantize(Decimal("1E-6"))


def test_what_instruments_do_not_cover_is_at_the_grids_mean_and_said():
    ppa = fact(FactorKind.MARKET_INTENSITY, "10", share=Decimal("0.4"), rank=430, item="ppa 1")
    found = document_of(ppa)
    carbon = found["carbon"]
    rest = KWH * Decimal("0.6") * GRID
    assert grams(carbon["market"]) == (KWH * 4 + rest).quantize(Decimal("1E-6"))
    assert grams(carbon["market_default"]) == rest.quantize(Decimal("1E-6"))
    assert "market_default" in codes(found)
    assert {"ppa 1"} <= {row.get("item") for row in found["factors"]}
    assert grams(carbon["location"]) == (KWH * GRID).quantize(Decimal("1E-6"))


def test_the_best_evidence_covers_first_and_nothing_is_covered_twice():
    found = document_of(
        fact(FactorKind.MARKET_INTENSITY, "0", share=Decimal("0.5"), rank=440, item="certificate"),
        fact(FactorKind.MARKET_INTENSITY, "10", share=Decimal("0.3"), rank=430, item="ppa"),
        fact(FactorKind.MARKET_INTENSITY, "100", share=Decimal(1), rank=420, item="supplier"),
        fact(FactorKind.MARKET_INTENSITY, "999", share=Decimal(1), rank=210, scope="FRA"),
    )
    mix = Decimal("0.3") * 10 + Decimal("0.2") * 100
    assert grams(found["carbon"]["market"]) == (KWH * mix).quantize(Decimal("1E-6"))
    assert found["carbon"]["market_default"] is None
    assert 999.0 not in [row["value"] for row in found["factors"]]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(1, 1_000_000), st.integers(0, 900), st.sampled_from([440, 430, 210])),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_shares_of_any_instruments_make_one_whole(given_):
    found = document_of(*[
        fact(FactorKind.MARKET_INTENSITY, str(value), rank=rank, item=f"instrument {number}",
             share=Decimal(millionths).scaleb(-6))
        for number, (millionths, value, rank) in enumerate(given_)
    ])  # fmt: skip
    left, mix = Decimal(1), Decimal(0)
    made = [(-rank, -START_US, number, Decimal(m).scaleb(-6), value)
            for number, (m, value, rank) in enumerate(given_)]  # fmt: skip
    by_id = {f"instrument {number}": number for number in range(len(given_))}
    assert len(by_id) == len(made)
    ordered = sorted(
        made,
        key=lambda one: (one[0], fact(
            FactorKind.MARKET_INTENSITY, str(one[4]), rank=-one[0], item=f"instrument {one[2]}",
            share=one[3]).id),
    )  # fmt: skip
    for *_, share, value in ordered:
        part = min(left, share)
        mix += part * value
        left -= part
    expected = KWH * (mix + left * GRID)
    assert abs(grams(found["carbon"]["market"]) - expected) < Decimal("1E-5")


def test_an_excluded_instrument_counts_nowhere_and_is_told():
    found = document_of(
        fact(FactorKind.MARKET_EXCLUDED, "0", share=Decimal(1), rank=440, detail="not retired")
    )
    assert found["carbon"]["market"] is None
    assert "market_excluded" in codes(found)
    assert any("not retired" in notice["text"] for notice in found["notices"])


def test_marginal_intensity_is_in_no_figure():
    with_it = document_of(fact(FactorKind.MARGINAL_INTENSITY, "900", rank=300))
    assert with_it["carbon"] == document_of()["carbon"]


def test_grid_loss_is_carbon_of_the_facilitys_energy_and_stands_apart():
    configured = config(zone="FRA", pue=band("1.2"))
    loss = fact(FactorKind.TND_UPLIFT, "0.111111111")  # 10 % lost
    carbon = document_of(loss, configured=configured)["carbon"]
    location = KWH * GRID * Decimal("1.2")
    assert grams(carbon["location"]) == location.quantize(Decimal("1E-6"))
    assert abs(grams(carbon["tnd"]) - location * Decimal("0.111111111")) < Decimal("1E-5")


def test_water_follows_it_energy_and_without_wue_it_is_unknown():
    assert document_of()["water"] is None
    wue = fact(FactorKind.WUE, "1.8", low=Decimal("0.2"), high=Decimal(4))
    water = document_of(wue, configured=config(zone="FRA", pue=band("1.2")))["water"]
    assert grams(water) == (KWH * Decimal("1.8")).quantize(Decimal("1E-6"))
    assert water["unit"] == "L"
    assert water["low"] < water["value"] < water["high"]


def test_embodied_carbon_is_of_the_time_held_and_of_the_longest_name_that_matches():
    world = {"scope": "world", "rank": 200, "book": "bundled"}
    found = document_of(
        fact(FactorKind.EMBODIED_BOARD, "9.9", item="H10", **world),
        fact(FactorKind.EMBODIED_BOARD, "9.8", item="NVIDIA H", **world),
        fact(FactorKind.EMBODIED_BOARD, "9.7", item="H1000", **world),
        fact(FactorKind.EMBODIED_BOARD, "4.7", item="H100", **world),
        fact(FactorKind.EMBODIED_BOARD, "1.1", item="A100", **world),
        fact(FactorKind.EMBODIED_SERVER, "20.3", item=None, **world),
    )
    hours = Decimal(MINUTES) / 60
    carbon = found["carbon"]
    assert grams(carbon["embodied_board"]) == hours * Decimal("4.7")
    assert grams(carbon["embodied_server"]) == hours * Decimal("20.3")
    assert grams(carbon["embodied"]) == hours * 25
    assert grams(carbon["location"]) == (KWH * GRID).quantize(Decimal("1E-6"))


def test_a_tariff_on_quarter_hours_is_exact():
    window = Window(EVERY_DAY, 10 * 60 + 15, 10 * 60 + 45, band("1"))  # 09:15 to 09:45 UTC
    tariff = config(
        zone="FRA", electricity=Electricity("EUR", band("0.25"), (window,), "Europe/Paris")
    )
    (cost,) = document_of(configured=tariff)["cost"]
    kwh_minute = Decimal(ENERGY_MJ) / 3_600_000_000
    expected = 30 * kwh_minute + (MINUTES - 30) * kwh_minute * Decimal("0.25")
    assert Decimal(cost["amount"]["value"]) == expected.quantize(NINE)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 95), st.integers(1, 95))
def test_quarter_hours_are_booked_live_as_they_are_reported(start, length):
    window = Window(EVERY_DAY, 15 * start, (15 * (start + length)) % 1_440 or 1_440, band("0.9"))
    tariff = priced(windows=(window,))
    rows = factors_of(tariff, site("FRA"), START_US)
    cost = {row["kind"]: row["amount"] for row in document_of(configured=tariff)["cost"]}
    booked: dict[str, Decimal] = {}
    for number in range(MINUTES):
        at_us = quarter_of(START_US + number * MINUTE_US)
        for one in Rates.at(rows, site("FRA"), at_us).of_energy(ENERGY_MJ):
            if not one.carbon:
                booked[one.kind] = booked.get(one.kind, Decimal(0)) + one.value
    for kind, amount in booked.items():
        assert Decimal(cost[kind]["value"]) == amount.quantize(NINE)


def test_a_new_tariff_leaves_nothing_of_the_quarters_before_it():
    window = Window(EVERY_DAY, 10 * 60 + 15, 10 * 60 + 45, band("1"))
    tariff = config(
        zone="FRA", electricity=Electricity("EUR", band("0.25"), (window,), "Europe/Paris")
    )
    flat = config(zone="FRA", electricity=Electricity("EUR", band("0.5")))
    later = factors_of(flat, site("FRA"), START_US + 5 * HOUR_US)
    (cost,) = document_of(configured=tariff, later=later)["cost"]
    assert Decimal(cost["amount"]["value"]) == (KWH * Decimal("0.5")).quantize(NINE)
    gone = factors_of(config(zone="FRA"), site("FRA"), START_US + 5 * HOUR_US)
    assert document_of(configured=tariff, later=gone)["cost"] == []
    then = START_US + 4 * HOUR_US
    before = document_of(configured=tariff, later=later, as_of_us=then)["cost"]
    assert before == document_of(configured=tariff)["cost"] != []


def test_an_hour_known_better_goes_before_the_year_and_its_correction_before_it():
    hour = {"rank": 300, "valid_from_us": START_US, "valid_to_us": START_US + HOUR_US}
    live = fact(FactorKind.GRID_INTENSITY, "20", book="uk", **hour)
    rest = KWH / 3 * GRID
    found = document_of(live)["carbon"]["location"]
    assert grams(found) == (KWH * 2 / 3 * 20 + rest).quantize(Decimal("1E-6"))
    late = replace(live, value=Decimal(30), low=Decimal(30), high=Decimal(30))
    late = identified(replace(late, recorded_us=START_US + 5 * HOUR_US))
    corrected = document_of(live, later=[late])["carbon"]["location"]
    assert grams(corrected) == (KWH * 2 / 3 * 30 + rest).quantize(Decimal("1E-6"))
    before = document_of(live, later=[late], as_of_us=START_US + 4 * HOUR_US)
    assert before["carbon"]["location"] == found


def test_money_is_converted_by_dated_rates_only():
    configured = priced()
    rate = fact(
        FactorKind.FX_RATE, "0.9", low=Decimal("0.89"), high=Decimal("0.91"), scope="world",
        item="USD", currency="EUR", rank=200, method=Method.SOURCED,
    )  # fmt: skip
    found = document_of(rate, configured=configured, currency="EUR")
    cost = {row["kind"]: Decimal(row["amount"]["value"]) for row in found["cost"]}
    assert {row["currency"] for row in found["cost"]} == {"EUR", "USD"}
    euros = cost["electricity"] + cost["electricity_overhead"]
    assert Decimal(found["cost_in"]["amount"]["value"]) == euros + cost["gpu_time"] * Decimal("0.9")
    assert found["cost_in"]["rates"] == [rate.id]
    assert rate.id in {row["id"] for row in found["factors"]}
    assert "fx_missing" not in codes(found)


def test_rates_of_one_currency_in_two_others_do_not_hide_each_other():
    pound, euro = (
        fact(FactorKind.FX_RATE, value, scope="world", item="USD", currency=code, rank=200)
        for code, value in (("GBP", "0.8"), ("EUR", "0.9"))
    )
    later = identified(replace(pound, recorded_us=START_US + 5 * HOUR_US, value=Decimal("0.7"),
                               low=Decimal("0.7"), high=Decimal("0.7")))  # fmt: skip
    first = document_of(euro, configured=priced(), currency="EUR")["cost_in"]
    assert first is not None
    found = document_of(euro, pound, configured=priced(), currency="EUR", later=[later])
    assert found["cost_in"] == first


@pytest.mark.parametrize("of_what", ["other", "part"])
def test_a_missing_rate_gives_no_sum_and_says_so(of_what):
    rate = fact(
        FactorKind.FX_RATE, "0.9", scope="world", rank=200,
        item="GBP" if of_what == "other" else "USD", currency="EUR",
        valid_to_us=START_US + HOUR_US,
    )  # fmt: skip
    found = document_of(rate, configured=priced(), currency="EUR")
    assert found["cost_in"] is None
    assert "fx_missing" in codes(found)
    assert len(found["cost"]) == 3
    assert "cost_in" not in document_of(configured=priced())
