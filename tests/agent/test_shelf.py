"""Live counters book by the newest books, one set of rates a quarter hour."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from meter.agent.shelf import Shelf
from meter.model import Factor, FactorKind, Method, Site

HOUR_US = 3_600_000_000
SITE = Site("lab", "lab", "FRA")


def intensity(
    factor_id: str, value: str, *, recorded_us: int, scope: str = "FRA", hour: int | None = None
) -> Factor:
    amount = Decimal(value)
    return Factor(
        id=factor_id, kind=FactorKind.GRID_INTENSITY, scope=scope, value=amount, low=amount,
        high=amount, unit="g/kWh", source="a feed", method=Method.SOURCED, recorded_us=recorded_us,
        rank=200 if hour is None else 300,
        valid_from_us=None if hour is None else hour * HOUR_US,
        valid_to_us=None if hour is None else (hour + 1) * HOUR_US,
        book="import",
    )  # fmt: skip


def used(shelf: Shelf, at_us: int) -> list[str]:
    return [factor.id for factor in shelf.rates(at_us).factors]


def test_new_factors_hold_from_the_next_look_on():
    shelf = Shelf(SITE, [intensity("year", "50", recorded_us=1)])
    first = shelf.rates(100 * HOUR_US)
    assert used(shelf, 100 * HOUR_US) == ["year"]
    assert shelf.rates(100 * HOUR_US + 60_000_000) is first
    shelf.take([intensity("hour", "40", recorded_us=2, hour=100)])
    assert used(shelf, 100 * HOUR_US) == ["hour"]
    assert used(shelf, 101 * HOUR_US) == ["year"]
    shelf.take([intensity("corrected", "55", recorded_us=3)])
    assert used(shelf, 101 * HOUR_US) == ["corrected"]


def test_what_cannot_hold_here_any_more_is_not_kept():
    shelf = Shelf(SITE)
    shelf.take([intensity(f"h{hour}", "40", recorded_us=hour, hour=hour) for hour in range(100)])
    shelf.take([intensity("elsewhere", "40", recorded_us=1, scope="DEU")])
    assert used(shelf, 99 * HOUR_US) == ["h99"]
    assert {factor.id for factor in shelf.factors()} == {f"h{hour}" for hour in range(75, 100)}


def test_contracts_count_for_live_market_based_carbon():
    contract = replace(
        intensity("ppa", "10", recorded_us=2, scope="lab"),
        kind=FactorKind.MARKET_INTENSITY, rank=430, share=Decimal(1), item="wind",
    )  # fmt: skip
    shelf = Shelf(SITE, [intensity("year", "50", recorded_us=1)])
    shelf.take([contract])
    rates = shelf.rates(100 * HOUR_US)
    assert used(shelf, 100 * HOUR_US) == ["year", "ppa"]
    market = [rate for rate in rates.energy if rate.unit == "market"]
    assert [round(rate.of(3_600_000_000).value, 9) for rate in market] == [Decimal(10)]
