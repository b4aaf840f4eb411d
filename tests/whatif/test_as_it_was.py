"""A run priced as it was is the run's own document, to the digit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter.config import Window
from meter.model import FactorKind
from meter.whatif.outcome import priced
from meter.whatif.profile import profile_of
from tests.ledger.facts import GPUS, band
from tests.ledger.facts import priced as tariff
from tests.whatif.runs import DEVICES, at, hourly, ledger, minute

ALL_WEEK = (0, 1, 2, 3, 4, 5, 6)
NIGHT = Window(ALL_WEEK, 22 * 60, 6 * 60, band("0.11", "0.10", "0.12"))
QUARTERS = (
    Window(ALL_WEEK, 60 + 15, 2 * 60 + 45, band("0.031")),
    Window((5, 6), 3 * 60 + 30, 5 * 60, band("0.5", "0.4", "0.7")),
)
WINDOWS = [
    pytest.param((), id="flat"),
    pytest.param((NIGHT,), id="night"),
    pytest.param(QUARTERS, id="quarter hours"),
]
DAYS = {
    "winter": at("2026-01-14T22:37:00"),
    "clocks go forward": at("2026-03-28T23:10:00"),
    "clocks go back": at("2026-10-24T22:50:00"),
}


def run_of(start_us: int, energies: list[int]) -> list:
    """Minutes of all devices in turn, with gaps."""
    return [
        minute(start_us, number * 7, energy, DEVICES[number % len(DEVICES)])
        for number, energy in enumerate(energies)
    ]


def same(document: dict, outcome) -> None:
    """Every figure of the document that a comparison has, bounds too."""
    for kind, found in (
        ("it", outcome.it),
        ("facility", outcome.facility),
    ):
        agree(document["energy"][kind], found)
    agree(document["carbon"]["location"], outcome.location)
    agree(document["carbon"]["overhead"], outcome.overhead)
    costs = {(one.kind, one.currency): one.amount for one in outcome.cost}
    assert len(costs) == len(document["cost"])
    for row in document["cost"]:
        found = costs[row["kind"], row["currency"]]
        for part in ("low", "value", "high"):
            assert Decimal(row["amount"][part]) == getattr(found, part), (row["kind"], part)
        assert row["amount"]["method"] == found.method


def agree(told: dict | None, found) -> None:
    assert (told is None) == (found is None)
    if told is None:
        return
    for part in ("low", "value", "high"):
        assert told[part] == float(getattr(found, part)), part
    assert told["method"] == found.method


@pytest.mark.parametrize("start_us", DAYS.values(), ids=DAYS)
@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("feed", [False, True], ids=["yearly", "hourly"])
def test_as_it_was_is_the_document(start_us, windows, feed):
    made = run_of(start_us, [36_000_000 + 977 * n * n for n in range(90)])
    hour_us = start_us - start_us % 3_600_000_000
    more = hourly(hour_us + 3_600_000_000, [310, 1_234, 77, 905, 2_001]) if feed else ()
    document, read, home = ledger(tariff(windows=windows), start_us, made, more)
    assert document["cost"]
    same(document, priced(profile_of(read), home))


def test_hourly_prices_of_a_feed_are_the_document_too():
    start_us = DAYS["winter"]
    hour_us = start_us - start_us % 3_600_000_000
    more = hourly(
        hour_us, [3, -1, 0, 4, 5], kind=FactorKind.ELECTRICITY_PRICE, currency="EUR", rank=900
    )
    document, read, home = ledger(tariff(), start_us, run_of(start_us, [10**9] * 40), more)
    assert {row["value"] for row in document["factors"]} & {"0.30", "-0.10"}  # the feed's
    same(document, priced(profile_of(read), home))


@pytest.mark.parametrize("zone", ["FRA", None], ids=["a zone", "no zone"])
def test_a_place_without_tariff_and_pue_has_neither_cost_nor_facility_energy(zone):
    start_us = DAYS["winter"]
    bare = replace(tariff(zone), electricity=None, pue=None, gpu_time=None)
    document, read, home = ledger(bare, start_us, run_of(start_us, [5, 7, 11]), zone=zone)
    assert document["cost"] == []
    outcome = priced(profile_of(read), home)
    assert outcome.facility is None
    same(document, outcome)


@settings(max_examples=8, derandomize=True)
@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=12),
    st.sampled_from(sorted(DAYS)),
    st.integers(0, 3_000),
    st.sampled_from([(), (NIGHT,), QUARTERS]),
)
def test_whatever_was_used_and_whenever(energies, day, later, windows):
    start_us = DAYS[day] + later * 60_000_000
    document, read, home = ledger(tariff(windows=windows), start_us, run_of(start_us, energies))
    assert document["energy"]["it"]["value"] == sum(energies) / 1_000
    same(document, priced(profile_of(read), home))


def test_corrections_count_where_they_were_booked():
    start_us = DAYS["winter"]
    wrong = minute(start_us, 3, 50_000, GPUS[0])
    fixed = replace(wrong, energy_mj=-20_000, low_mj=-21_000, high_mj=-19_000, correction=True)
    document, read, home = ledger(tariff(), start_us, [wrong, fixed])
    outcome = priced(profile_of(read), home)
    assert outcome.it.value == Decimal(30)
    same(document, outcome)
