"""What must hold of every comparison, whatever the run and the factors."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from meter.factors import factors_of
from meter.model import Component, FactorKind
from meter.units import US_PER_HOUR, US_PER_QUARTER
from meter.whatif.compare import Ask, compare
from meter.whatif.outcome import priced
from meter.whatif.place import away
from meter.whatif.profile import Ratio, Replacement
from meter.whatif.starts import Window, search
from tests.ledger.facts import GPUS, site
from tests.ledger.facts import priced as priced_by
from tests.whatif.runs import at, home, hourly, profile
from tests.whatif.test_as_it_was import QUARTERS

DAY_US = 24 * US_PER_HOUR
MIDNIGHT = at("2026-06-01T00:00:00")
WEEK = Window(MIDNIGHT, MIDNIGHT + 2 * DAY_US)

laws = settings(max_examples=40, derandomize=True)
energies = st.lists(st.integers(0, 10**10), min_size=1, max_size=30)
days = st.lists(st.integers(0, 9_000), min_size=24, max_size=24)
fractions = st.fractions(Fraction(1, 10), 8, max_denominator=97)


def feeds(grid: list[int], price: list[int], repeat: int = 4):
    """Hourly intensity and price, the same each day."""
    prices = hourly(
        MIDNIGHT,
        price * repeat,
        kind=FactorKind.ELECTRICITY_PRICE,
        scope="lab",
        currency="EUR",
    )
    return (*hourly(MIDNIGHT, grid * repeat), *prices)


@laws
@given(energies, days, days)
def test_no_start_is_better_than_the_best(used, grid, price):
    run, place = profile(used, MIDNIGHT), home(*feeds(grid, price))
    found = search(run, place, WEEK)
    outcomes = {one.at_us: priced(run.starting_at(one.at_us), place) for one in found.starts}
    assert len(outcomes) == 48
    costs = {at_us: one.total("EUR").value for at_us, one in outcomes.items()}
    grams = {at_us: one.location.value for at_us, one in outcomes.items()}
    if found.cheapest["EUR"] is not None:
        assert costs[found.cheapest["EUR"].at_us] == min(costs.values())
    else:
        assert len(set(costs.values())) == 1
    if found.cleanest is not None:
        assert grams[found.cleanest.at_us] == min(grams.values())
    else:
        assert len(set(grams.values())) == 1


@laws
@given(energies, days, days, st.integers(0, 7), st.booleans())
def test_what_a_search_says_of_a_start_is_what_it_comes_to(used, grid, price, quarter, windows):
    run = profile(used, MIDNIGHT + quarter * US_PER_QUARTER)
    tariff = factors_of(priced_by(windows=QUARTERS), site("FRA"), 1) if windows else ()
    place = home(*tariff, *feeds(grid, price)[: 96 if windows else None])
    for start in search(run, place, Window(MIDNIGHT, MIDNIGHT + 3 * US_PER_HOUR)).starts:
        outcome = priced(run.starting_at(start.at_us), place)
        exact = Decimal(start.cost["EUR"]).scaleb(-24), Decimal(start.carbon).scaleb(-24)
        assert abs(exact[0] - outcome.total("EUR").value) <= Decimal("1E-9")
        assert abs(exact[1] - outcome.location.value) <= Decimal("1E-9")


@laws
@given(energies, days, days, st.integers(0, 95))
def test_a_day_later_all_is_the_same_where_every_day_is(used, grid, price, quarter):
    place = home(*feeds(grid, price))
    run = profile(used, MIDNIGHT + quarter * US_PER_QUARTER)
    later = priced(run.starting_at(run.start_us + DAY_US), place)
    now = priced(run, place)
    assert replace(later, factors=()) == replace(now, factors=())


@laws
@given(energies, days, days)
def test_the_same_zone_and_the_same_start_change_nothing(used, grid, price):
    run, place = profile(used, MIDNIGHT), home(*feeds(grid, price))
    ask = Ask(WEEK, zones=("FRA",), start_us=run.start_us)
    found = compare(run, place, ask, {})
    assert found.cases[0].outcome == found.actual.outcome
    assert found.cases[0].taken == frozenset()


@laws
@given(energies, days, days)
def test_another_zone_changes_carbon_alone(used, grid, price):
    run, place = profile(used, MIDNIGHT), home(*feeds(grid, price))
    there, taken = away(place["lab"], "SWE", hourly(MIDNIGHT, [123] * 24, scope="SWE"))
    moved, now = priced(run, {"lab": there}), priced(run, place)
    assert (moved.it, moved.cost) == (now.it, now.cost)
    assert taken == {FactorKind.ELECTRICITY_PRICE}
    kwh = Decimal(sum(used)) / Decimal(3_600_000_000)
    assert abs(moved.location.value - kwh * Decimal("12.3")) <= Decimal("1E-6")


@laws
@given(energies, fractions, fractions)
def test_other_gpus_keep_the_sum_and_the_order_of_bounds(used, time, energy):
    run = profile(used, MIDNIGHT + 3 * US_PER_QUARTER)
    times = Ratio(min(time, Fraction(1)), time, max(time, Fraction(1)))
    energies_ = Ratio(energy / 2, energy, energy * 3)
    other = run.on({GPUS[0]: Replacement(times, energies_)})
    total = sum(use.energy.value for use in other.uses)
    assert abs(total - sum(used) * energy) <= Fraction(1, 2)
    held = sum(use.held.value for use in other.uses)
    assert abs(held - len(used) * US_PER_QUARTER * time) <= Fraction(1, 2)
    assert all(use.at_us % US_PER_QUARTER == 0 for use in other.uses)
    assert {use.component for use in other.uses} == {Component.GPU}
    outcome = priced(other, home())
    assert outcome.it.low <= outcome.it.value <= outcome.it.high


@laws
@given(energies)
def test_the_same_gpu_changes_no_quantity(used):
    run, one = profile(used, MIDNIGHT), Fraction(1)
    same = Ratio(one, one, one)
    other = run.on({GPUS[0]: Replacement(same, same)})
    assert [(use.at_us, use.energy, use.held) for use in other.uses] == [
        (use.at_us, use.energy, use.held) for use in run.uses
    ]


@laws
@given(energies, st.integers(-500, 500))
def test_moving_there_and_back_changes_nothing(used, quarters):
    run = profile(used, MIDNIGHT)
    moved = run.starting_at(MIDNIGHT + quarters * US_PER_QUARTER)
    assert moved.starting_at(MIDNIGHT) == run
    assert sum(use.energy.value for use in moved.uses) == sum(used)
