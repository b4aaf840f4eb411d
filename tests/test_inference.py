"""Laws of estimated inference: it adds up, keeps its bounds, and never guesses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.inference import Books, Output, estimates
from meter.model import Factor, FactorKind, Method

DAY_US = 86_400_000_000
FIRST_US = 20_000 * DAY_US


def row(kind: FactorKind, item: str | None, value: str, **changes) -> Factor:
    """A row of openai, with bounds like ``2-3`` or without."""
    low, _, high = value.partition("-")
    number = Decimal(low)
    top = Decimal(high or low)
    made = Factor(
        id=f"{kind}:{item}:{value}", kind=kind, scope="hosted:openai", value=(number + top) / 2,
        low=number, high=top, unit="", source="ecologits 9", method=Method.MODELLED,
        recorded_us=1, rank=150, item=item, book="import",
    )  # fmt: skip
    return replace(made, **changes)


TOKEN = row(FactorKind.TOKEN_ENERGY, "m", "2-3")
WAIT = row(FactorKind.REQUEST_ENERGY, "m", "10")
PUE = row(FactorKind.PUE, "inference", "1-1.5")
BOOK = (TOKEN, WAIT, PUE)


def output(tokens: int | str = 100, events: int = 1, day: int = 0, **changes) -> Output:
    told = Output(
        project="p", provider="openai", model="m", base_model=None, region=None,
        service_tier=None, day_us=FIRST_US + day * DAY_US, tokens=Decimal(tokens), events=events,
    )  # fmt: skip
    return replace(told, **changes)


def one(*outputs: Output, rows=BOOK):
    (found,) = estimates(outputs, Books.of(rows))
    return found


def bounds(*outputs: Output, rows=BOOK):
    found = one(*outputs, rows=rows)
    return found["low_j"], found["high_j"]


def test_tokens_and_waits_times_the_facility():
    assert bounds(output(100, 2)) == (220, 480)
    assert bounds(output(100, 2), rows=(TOKEN, PUE)) == (200, 450)


outputs = st.lists(
    st.builds(output, st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 40)),
    min_size=1, max_size=8,
)  # fmt: skip


@given(outputs)
def test_days_add_up_to_what_all_their_tokens_use(days):
    whole = output(sum(int(day.tokens) for day in days), sum(day.events for day in days))
    assert bounds(*days) == bounds(whole)
    low, high = bounds(*days)
    assert 0 <= low <= high


@given(st.lists(st.sampled_from((*BOOK, replace(TOKEN, item="other"))), max_size=4))
def test_what_the_books_lack_is_said_and_never_guessed(rows):
    found = one(output(), rows=rows)
    if {TOKEN, PUE} <= set(rows):
        assert found["low_j"] is not None
        assert found["factors"]
    else:
        assert (found["low_j"], found["high_j"], found["factors"]) == (None, None, [])
        assert found["reason"].startswith("No number: the books ")
        assert "openai" in found["reason"]


@pytest.mark.parametrize("changes", [{"model": "M"}, {"model": "m-2026"}, {"provider": "azure"}])
def test_another_name_is_another_model(changes):
    assert bounds(output(**changes)) == (None, None)


def test_a_tuned_model_counts_as_its_base_which_is_said_and_its_own_row_goes_first():
    tuned = output(model="ft:m:org::id", base_model="m")
    found = one(tuned)
    assert (found["low_j"], found["high_j"]) == bounds(output())
    assert "as of m, which it was tuned from" in found["reason"]
    own = row(FactorKind.TOKEN_ENERGY, "ft:m:org::id", "7")
    assert bounds(tuned, rows=(*BOOK, own)) == (700, 1050)


def test_a_day_without_a_row_leaves_no_number_for_the_rest_either():
    ending = replace(TOKEN, valid_to_us=FIRST_US + DAY_US)
    assert bounds(output(day=0), rows=(ending, PUE)) == (200, 450)
    assert bounds(output(day=0), output(day=1), rows=(ending, PUE)) == (None, None)
    after = row(FactorKind.TOKEN_ENERGY, "m", "1", valid_from_us=FIRST_US + DAY_US)
    assert bounds(output(day=0), output(day=1), rows=(ending, after, PUE)) == (300, 600)


@given(st.permutations([
    TOKEN, replace(TOKEN, id="newer", recorded_us=2, low=Decimal(4), high=Decimal(5)),
    replace(TOKEN, id="own", rank=200, recorded_us=1, low=Decimal(8), high=Decimal(9)),
]))  # fmt: skip
def test_the_best_evidence_goes_first_then_the_newest(rows):
    assert bounds(output(), rows=(*rows, PUE)) == (800, 1350)
    others = [each for each in rows if each.id != "own"]
    assert bounds(output(), rows=(*others, PUE)) == (400, 750)


def test_a_facility_of_inference_goes_before_the_providers_and_no_site_is_taken_for_it():
    provider = row(FactorKind.PUE, None, "2")
    site = replace(PUE, scope="lab")
    assert bounds(output(), rows=(TOKEN, provider, PUE)) == (200, 450)
    assert bounds(output(), rows=(TOKEN, provider, site)) == (400, 600)


def test_who_pays_where_and_how_are_apart_and_kept_in_order():
    told = [output(), output(project="q"), output(region="eu"), output(service_tier="batch")]
    found = estimates(told, Books.of(BOOK))
    keys = [(each["project"], each["region"], each["service_tier"]) for each in found]
    assert keys == [("p", None, None), ("q", None, None), ("p", "eu", None), ("p", None, "batch")]


def test_every_estimate_says_that_it_is_modelled_from_output_tokens_with_its_inputs():
    found = one(output(100, 2))
    assert (found["tier"], found["method"]) == ("output_tokens", "modelled")
    assert found["inputs"] == {
        "output_tokens": "100", "events": "2", "token_j": "2 to 3", "request_j": "10",
        "pue": "1 to 1.5",
    }  # fmt: skip
    assert "only output tokens count" in found["reason"]
    assert found["factors"] == sorted(each.id for each in BOOK)
