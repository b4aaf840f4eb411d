"""The bundled prices: taken as an import takes them, each with its provenance."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.factors.bundled_prices import bundled_prices
from meter.factors.factor_rows import Known
from meter.factors.price_rows import COLUMNS, METERS, prices_of_rows
from meter.hosted_facts import Meter
from tests.factors.sheets import PRICE, faults, prices, table

BOOK = prices_of_rows(bundled_prices().rows, Known(frozenset(), 0, 1_795_600_000_000_000))


def named(**wanted):
    return [p for p in BOOK if all(getattr(p, name) == told for name, told in wanted.items())]


def test_every_price_says_how_sure_it_is():
    for price in BOOK:
        assert price.source, price
        assert price.source_date[:2] == "20", price
        assert price.licence, price
        assert price.detail.split()[0].strip(":") in {
            "confirmed", "unverified", "the", "as", "a", "from",
        }, price  # fmt: skip
        assert price.rank == 100


def test_where_sources_differ_800_times_the_bounds_say_so():
    (price,) = named(model="gpt-4o-mini-2024-07-18", meter="train_token")
    assert (price.low, price.value, price.high) == (Decimal("0.03"), 3, 25)
    assert price.detail.startswith("unverified")


def test_a_price_that_is_inconsistent_in_its_source_is_left_out_and_the_others_say_so():
    assert named(model="ft:gpt-4o-2024-11-20", meter="cached_input") == []
    assert all(
        "inconsistent and left out" in price.detail for price in named(model="ft:gpt-4o-2024-11-20")
    )


@pytest.mark.parametrize(
    ("model", "meter", "half", "told"),
    [
        ("ft:gpt-4o-2024-08-06", "input", "1.875", "2.225"),
        ("ft:gpt-4o-2024-08-06", "output", "7.5", "12.5"),
        ("ft:babbage-002", "output", "0.8", "0.9"),
    ],
)
def test_a_batch_rate_that_is_inconsistent_in_its_source_has_bounds(model, meter, half, told):
    """Without a row a batch would be at the standard rate, which is sure to be too much."""
    (price,) = named(model=model, meter=meter, service_tier="batch")
    assert (price.low, price.value, price.high) == (Decimal(half), Decimal(half), Decimal(told))
    assert price.detail.startswith("unverified")


def test_every_batch_price_is_half_of_the_standard_one():
    for batch in named(service_tier="batch"):
        (standard,) = named(
            model=batch.model, meter=batch.meter, service_tier=None,
            valid_from_us=batch.valid_from_us,
        )  # fmt: skip
        assert batch.value * 2 == standard.value


def test_prices_are_of_every_meter_that_usage_may_have():
    assert set(METERS) == {meter.value for meter in Meter} - {"unknown"}


@pytest.mark.parametrize(
    ("cells", "column", "said"),
    [
        ({"training": "sftt"}, "training", "did you mean sft?"),
        ({"adapter": "qlora"}, "adapter", "did you mean lora?"),
        ({"parameters_to_b": "-1"}, "parameters_to_b", "no number of billions"),
        ({"parameters_over_b": "16", "parameters_to_b": "16"}, "parameters_to_b", "above"),
        ({"context_over": "1.5"}, "context_over", "no whole number"),
        ({"context_over": "9", "context_to": "8"}, "context_to", "must be above context_over"),
        ({"context_to": "1e400"}, "context_to", "is no number"),
        ({"meter": "unknown"}, "meter", "is none that is known"),
    ],
)
def test_a_wrong_bracket_or_word_is_told(cells, column, said):
    (fault, *_) = faults(table({**PRICE, **cells}), prices)
    assert fault.column == column
    assert said in fault.reason


NARROWED = ["training", "adapter", "parameters_to_b", "context_over"]
CELLS = {"training": "dpo", "adapter": "full", "parameters_to_b": "16", "context_over": "200000"}


@given(st.sets(st.sampled_from(NARROWED)), st.sets(st.sampled_from(NARROWED)))
def test_prices_for_different_cases_are_no_duplicates_and_for_the_same_they_are(one, other):
    rows = [{**PRICE, **{name: CELLS[name] for name in names}} for names in (one, other)]
    assert bool(faults(table(*rows), prices)) is (one == other)


def test_a_price_keeps_what_narrows_it():
    (price,) = prices(table({**PRICE, **CELLS, "meter": "train_token"}))
    assert (price.training, price.adapter) == ("dpo", "full")
    assert (price.parameters_over_b, price.parameters_to_b) == (None, 16)
    assert (price.context_over, price.context_to) == (200_000, None)


def test_a_sheet_may_have_every_column_of_a_price():
    assert {"training", "adapter", "parameters_over_b", "parameters_to_b", "context_over",
            "context_to"} <= set(COLUMNS)  # fmt: skip
