"""Published costs come out to the cent; tiers and brackets decide which price is meant."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.factors.bundled_prices import bundled_prices
from meter.factors.factor_rows import Known
from meter.factors.price_rows import prices_of_rows
from meter.hosted.cost import cost, matching
from meter.hosted_facts import Meter, Quantity, Training, Usage

NOW_US = 1_795_600_000_000_000  # 2026-11-25
DAY_US = 86_400_000_000
BOOK = prices_of_rows(bundled_prices().rows, Known(frozenset(), 0, NOW_US))


def usage(provider: str, model: str, **changes) -> Usage:
    one = Usage("s", "1", NOW_US, provider, model, (Quantity(Meter.REQUEST, Decimal(1)),))
    return one._replace(**changes)


def the_price(told: Usage, meter: Meter):
    """The one price that is for it, of those that say most of what they are for."""
    found = matching(told, meter, BOOK)
    assert found, (told, meter)
    most = max(_said(price) for price in found)
    (price,) = (price for price in found if _said(price) == most)
    return price


def _said(price) -> tuple[bool, int]:
    return price.model != "*", sum(
        told is not None for told in (price.service_tier, price.training, price.parameters_to_b)
    )


def test_openai_blog_100_000_tokens_of_3_epochs_cost_2_40():
    told = usage("openai", "gpt-3.5-turbo", training=Training.SFT)
    price = the_price(told, Meter.TRAIN_TOKEN)
    assert cost(Decimal(100_000 * 3), price) == Decimal("2.40")


def test_ori_docs_16_million_tokens_cost_7_36():
    told = usage("ori", "some/model-8b", parameters_b=Decimal(8))
    assert cost(Decimal(16_000_000), the_price(told, Meter.TRAIN_TOKEN)) == Decimal("7.36")


@pytest.mark.parametrize(
    ("billions", "each"),
    [("8", "0.5"), ("16", "0.5"), ("16.1", "3"), ("80", "3"), ("80.1", None), (None, None)],
)
def test_a_bracket_goes_up_to_its_end_and_an_unknown_size_is_in_none(billions, each):
    told = usage(
        "fireworks", "m", training=Training.SFT,
        parameters_b=None if billions is None else Decimal(billions),
    )  # fmt: skip
    found = [price.value for price in matching(told, Meter.TRAIN_TOKEN, BOOK)]
    assert found == ([] if each is None else [Decimal(each)])


def test_n12_reinforcement_is_by_the_hour():
    told = usage("openai", "o4-mini-2025-04-16", training=Training.RFT)
    assert cost(Decimal("1.53"), the_price(told, Meter.TRAIN_HOUR)) == Decimal(153)
    assert matching(told._replace(training=Training.SFT), Meter.TRAIN_HOUR, BOOK) == ()


def test_n17_batches_are_at_half_the_price_at_any_date():
    told = usage("openai", "ft:gpt-4o-mini-2024-07-18:org::x", base_model="gpt-4o-mini-2024-07-18")
    standard = the_price(told, Meter.INPUT)
    batch = the_price(told._replace(service_tier="batch", at_us=1), Meter.INPUT)
    assert batch.value * 2 == standard.value == Decimal("0.3")


def test_n10_tuned_models_are_found_by_their_base_and_trained_ones_too():
    told = usage(
        "openai", "ft:gpt-4.1-nano-2025-04-14:org:s:id", base_model="gpt-4.1-nano-2025-04-14"
    )
    assert the_price(told, Meter.OUTPUT).model == "ft:gpt-4.1-nano-2025-04-14"
    assert the_price(told, Meter.TRAIN_TOKEN).model == "gpt-4.1-nano-2025-04-14"


def test_n19_the_instant_of_a_change_has_the_new_price():
    told = usage("openai", "ft:gpt-3.5-turbo:o::1", base_model="gpt-3.5-turbo")
    change = next(p.valid_to_us for p in BOOK if p.model == "ft:gpt-3.5-turbo" and p.valid_to_us)
    before, at = (told._replace(at_us=change + one) for one in (-1, 0))
    assert the_price(before, Meter.INPUT).value == 12
    assert the_price(at, Meter.INPUT).value == 3


def test_an_idle_endpoint_costs_by_the_hour_and_by_its_tier():
    told = usage("azure", "anything.ft-1", service_tier="GlobalStandard")
    assert cost(Decimal(24), the_price(told, Meter.HOST_HOUR)) == Decimal("40.8")
    free = the_price(told._replace(service_tier="DeveloperTier"), Meter.HOST_HOUR)
    assert cost(Decimal(24), free) == 0


@given(
    st.decimals(0, 10**12, places=6), st.decimals(0, 1000, places=9),
    st.sampled_from([10**n for n in range(10)]),
)  # fmt: skip
def test_a_cost_is_exact(quantity, each, per):
    price = replace(BOOK[0], value=each, per=per)
    assert Fraction(cost(quantity, price)) == Fraction(quantity) * Fraction(each) / per


@given(st.lists(st.decimals(0, 10**9, places=4), max_size=6))
def test_costs_of_parts_add_up_to_the_cost_of_all(parts):
    price = BOOK[0]
    assert sum(cost(part, price) for part in parts) == cost(sum(parts, Decimal(0)), price)


def test_a_withdrawn_price_is_refused():
    with pytest.raises(UsageError, match="withdrawn"):
        cost(Decimal(1), replace(BOOK[0], value=None))
