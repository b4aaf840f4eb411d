"""What is not known of an hour makes it neither cheap nor clean, and is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.factors import factors_of
from meter.model import FactorKind, Site
from meter.units import US_PER_HOUR
from meter.whatif.compare import Ask, compare
from meter.whatif.notices import notices, of_hours
from meter.whatif.place import Place
from meter.whatif.starts import Window, search
from tests.ledger.facts import priced, site
from tests.whatif.runs import at, home, hourly, profile
from tests.whatif.test_laws import DAY_US, MIDNIGHT, WEEK, days, energies, laws

RUN = [1_000_000] * 6
READ = {"run": {"status": "completed"}}
ENDS_US = MIDNIGHT + DAY_US
FACTORS = factors_of(priced(), site("FRA"), 1)
GAPS = {
    FactorKind.ELECTRICITY_PRICE: "tariff_gap",
    FactorKind.PUE: "pue_gap",
    FactorKind.GPU_HOUR_RATE: "gpu_rate_gap",
}
ended = pytest.mark.parametrize("kind", list(GAPS))


def ending(kind: FactorKind):
    """All that is known, but one kind for a day only."""
    return tuple(replace(f, valid_to_us=ENDS_US) if f.kind is kind else f for f in FACTORS)


def codes(found: list[dict]) -> set[str]:
    return {one["code"] for one in found}


@ended
def test_a_start_that_lacks_what_the_run_had_is_compared_with_none(kind):
    run = profile(RUN, MIDNIGHT)
    found = compare(run, home(*ending(kind)), Ask(WEEK), {})
    (hours,) = found.hours
    assert all(one is None for one in hours.search.cheapest.values())
    assert hours.search.cleanest is None
    lacking = [one.at_us for one in hours.search.starts if one.lacking]
    assert lacking[0] == ENDS_US - US_PER_HOUR  # it goes on for an hour and a half
    assert all(one.cost is None for one in hours.search.starts if one.lacking)
    said = codes(of_hours(hours))
    assert "starts_not_comparable" in said
    assert ("starts_not_rated" in said) == (kind is FactorKind.PUE)


@ended
def test_where_no_start_has_it_none_is_the_best(kind):
    window = Window(ENDS_US, ENDS_US + DAY_US)
    (hours,) = compare(profile(RUN, MIDNIGHT), home(*ending(kind)), Ask(window), {}).hours
    assert all(one.cost is None for one in hours.search.starts)
    (cost,) = [one for one in of_hours(hours) if one["code"] == "no_cost"]
    assert cost["text"].startswith("No start has the ")
    assert (hours.search.rated == 0) == (kind is FactorKind.PUE)


@ended
@pytest.mark.parametrize(("start_us", "some"), [(ENDS_US, "All"), (ENDS_US - US_PER_HOUR, "Some")])
def test_another_start_says_what_it_lacks(kind, start_us, some):
    ask = Ask(WEEK, start_us=start_us)
    found = compare(profile(RUN, MIDNIGHT), home(*ending(kind)), ask, {})
    (gap,) = [one for one in notices(READ, ask, found) if one["code"] in GAPS.values()]
    assert gap["code"] == GAPS[kind]
    assert gap["text"].startswith(f"{some} hours of ")


def test_what_the_run_never_had_is_no_gap():
    kept = [one for one in FACTORS if one.kind is FactorKind.GRID_INTENSITY]
    ask = Ask(WEEK, start_us=ENDS_US)
    found = compare(profile(RUN, MIDNIGHT), home(*kept), ask, {})
    assert notices(READ, ask, found) == []


def test_the_worlds_mean_in_place_of_the_zones_is_said_and_not_compared():
    grid = next(one for one in FACTORS if one.kind is FactorKind.GRID_INTENSITY)
    world = replace(grid, id="world", scope="world", rank=1, valid_from_us=None)
    own = replace(grid, scope="FRA", valid_from_us=None, valid_to_us=ENDS_US)
    ask = Ask(WEEK, start_us=ENDS_US)
    place = home(own, world)
    assert codes(notices(READ, ask, compare(profile(RUN, MIDNIGHT), place, ask, {}))) == {
        "intensity_world"
    }
    (hours,) = compare(profile(RUN, MIDNIGHT), place, Ask(WEEK), {}).hours
    assert {one.at_us < ENDS_US - US_PER_HOUR for one in hours.search.starts if one.carbon} == {
        True
    }


def test_what_was_stated_of_a_past_run_goes_with_it():
    def row(factor):
        return replace(
            factor,
            scope="past:1",
            book="past run",
            valid_from_us=MIDNIGHT,
            valid_to_us=MIDNIGHT + 2 * US_PER_HOUR,
        )

    rows = tuple(row(one) for one in FACTORS if one.kind in {*GAPS, FactorKind.GRID_INTENSITY})
    run = profile(RUN, MIDNIGHT)
    run = replace(run, uses=tuple(replace(use, site_id="past:1") for use in run.uses))
    places = {"past:1": Place(Site("past:1", "not known", None), rows)}
    ask = Ask(WEEK, start_us=MIDNIGHT + 20 * US_PER_HOUR)
    found = compare(run, places, ask, {})
    assert found.cases[0].outcome.location == found.actual.outcome.location
    assert found.cases[0].outcome.cost == found.actual.outcome.cost
    assert notices(READ, ask, found) == []
    assert all(one.cost and one.carbon for one in found.hours[0].search.starts)


@laws
@given(energies, days, st.integers(1, 24))
def test_the_cleanest_start_is_one_whose_hours_are_all_known(used, grid, known):
    yearly = replace(
        next(one for one in FACTORS if one.kind is FactorKind.GRID_INTENSITY), scope="FRA"
    )
    place = home(yearly, *hourly(MIDNIGHT, grid[:known]))
    found = search(profile(used, MIDNIGHT), place, WEEK)
    whole = [one for one in found.starts if one.hourly == one.slots]
    assert found.rated == (len(whole) if found.hourly else len(found.starts))
    if found.cleanest is not None:
        assert found.cleanest in whole
        assert found.cleanest.carbon == min(one.carbon for one in whole)


def test_the_first_hour_without_data_is_not_the_cleanest():
    grid = next(one for one in FACTORS if one.kind is FactorKind.GRID_INTENSITY)
    feed = hourly(MIDNIGHT, [1350, 1300, 1250, 1200, 1100, 1000, 1050, 1150])
    window = Window(MIDNIGHT, at("2026-06-02T00:00:00"))
    place = home(replace(grid, scope="FRA"), *feed)
    (hours,) = compare(profile([10**9], MIDNIGHT), place, Ask(window), {}).hours
    assert hours.search.cleanest.at_us == MIDNIGHT + 5 * US_PER_HOUR
    (fallback,) = [one for one in of_hours(hours) if one["code"] == "yearly_fallback"]
    assert "Only the 8 of 24 starts" in fallback["text"]
