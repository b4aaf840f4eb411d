"""Published costs come out to the cent; tiers and brackets decide which price is meant."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meter.hosted.jobs.billing import rft_hours
from meter.hosted_facts import Meter, Training
from meter.instants import parse_us
from tests.hosted.priced import BOOK, cost, line, stepped, usage

MILLION = 10**6


def test_openai_blog_100_000_tokens_of_3_epochs_cost_2_40():
    told = usage("openai", "gpt-3.5-turbo", training=Training.SFT)
    assert cost(told, Meter.TRAIN_TOKEN, 100_000 * 3) == Decimal("2.40")


def test_ori_docs_16_million_tokens_cost_7_36():
    told = usage("ori", "some/model-8b", parameters_b=Decimal(8))
    assert cost(told, Meter.TRAIN_TOKEN, 16 * MILLION) == Decimal("7.36")


@pytest.mark.parametrize(
    ("billions", "each"),
    [("8", "0.5"), ("16", "0.5"), ("16.1", "3"), ("80", "3"), ("80.1", None), (None, None)],
)
def test_a_bracket_goes_up_to_its_end_and_an_unknown_size_is_in_none(billions, each):
    told = usage(
        "fireworks", "m", training=Training.SFT,
        parameters_b=None if billions is None else Decimal(billions),
    )  # fmt: skip
    expected = None if each is None else Decimal(each)
    assert cost(told, Meter.TRAIN_TOKEN, MILLION) == expected


def test_n12_reinforcement_is_by_the_hour():
    told = usage("openai", "o4-mini-2025-04-16", training=Training.RFT)
    assert cost(told, Meter.TRAIN_HOUR, Decimal("1.53")) == 153
    assert cost(told._replace(training=Training.SFT), Meter.TRAIN_HOUR, 1) is None


def test_n12_openai_bills_hours_of_reinforcement_to_the_hundredth() -> None:
    told = usage("openai", "o4-mini-2025-04-16", training=Training.RFT)
    hours = Decimal("5.571389")  # 5 h 34 min 17 s: 20,057 s / 3,600, which the bill calls 5.57
    assert cost(told, Meter.TRAIN_HOUR, hours) == 557
    assert line(told, Meter.TRAIN_HOUR, hours)["quantity"] == hours  # what was told stays
    assert cost(told, Meter.TRAIN_HOUR, Decimal("0.005")) == 1  # 18 s: halves go up
    assert cost(told, Meter.TRAIN_HOUR, Decimal("0.004722")) == 0  # 17 s


def test_n12_each_job_is_rounded_and_not_their_sum() -> None:
    told = usage("openai", "o4-mini-2025-04-16", training=Training.RFT)
    assert cost(told, Meter.TRAIN_HOUR, Decimal("1.004"), Decimal("2.004")) == 300
    assert cost(told, Meter.TRAIN_HOUR, Decimal("1.005"), Decimal("2.005")) == 302


def test_n12_history_bills_them_as_reports_do() -> None:
    told = usage("openai", "o4-mini", training=Training.RFT)
    before = stepped(told)
    assert cost(told, Meter.TRAIN_HOUR, Decimal("3.456789"), Decimal("0.124")) == 358
    assert stepped(told) - before == 358


def test_n12_whose_page_says_nothing_of_it_is_not_rounded() -> None:
    told = usage("azure", "o4-mini-2025-04-16", training=Training.RFT)
    assert cost(told, Meter.TRAIN_HOUR, Decimal("1.2345")) == Decimal("123.45")


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_n12_jobs_cost_what_a_bill_of_their_seconds_says(seconds: list[int]) -> None:
    told = usage("openai", "o4-mini-2025-04-16", training=Training.RFT)
    hours = [(Decimal(one) / 3_600).quantize(Decimal("0.000001")) for one in seconds]
    assert cost(told, Meter.TRAIN_HOUR, *hours) == 100 * sum(map(rft_hours, seconds))


@pytest.mark.parametrize("at", ["2024-11-20", "2026-10-13", "2026-11-20"])
def test_n17_batches_are_at_half_the_price_at_any_date(at):
    model = "gpt-4o-mini-2024-07-18"
    told = usage("openai", f"ft:{model}:org::x", base_model=model, at_us=parse_us(at))
    batch = told._replace(service_tier="batch")
    assert cost(told, Meter.INPUT, MILLION) == Decimal("0.3")
    assert cost(batch, Meter.INPUT, MILLION) == Decimal("0.15")


def test_n10_tuned_models_are_found_by_their_base_and_trained_ones_too():
    model = "gpt-4.1-nano-2025-04-14"
    told = usage("openai", f"ft:{model}:org:s:id", base_model=model)
    for meter, name in ((Meter.OUTPUT, f"ft:{model}"), (Meter.TRAIN_TOKEN, model)):
        assert line(told, meter, Decimal(1))["price_id"].startswith(f"price:openai:{name}:")


def test_n19_the_instant_of_a_change_has_the_new_price():
    told = usage("openai", "ft:gpt-3.5-turbo:o::1", base_model="gpt-3.5-turbo")
    change = next(p.valid_to_us for p in BOOK if p.model == "ft:gpt-3.5-turbo" and p.valid_to_us)
    before, at = (told._replace(at_us=change + one) for one in (-1, 0))
    assert cost(before, Meter.INPUT, MILLION) == 12
    assert cost(at, Meter.INPUT, MILLION) == 3


@pytest.mark.parametrize("tier", ["GlobalStandard", "globalstandard", "DeveloperTier"])
def test_an_idle_endpoint_costs_by_the_hour_and_by_its_tier_however_that_is_spelled(tier):
    told = usage("azure", "anything.ft-1", service_tier=tier)
    expected = 0 if tier == "DeveloperTier" else Decimal("40.8")
    assert cost(told, Meter.HOST_HOUR, 24) == expected


@pytest.mark.parametrize("tier", ["Standard", "GlobalStandard"])
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-2024-11-20", "my-deployment"])
def test_hours_of_a_plain_model_at_azure_have_no_price(model, tier) -> None:
    told = usage("azure", model, service_tier=tier)
    assert cost(told, Meter.HOST_HOUR, 24) is None
    assert cost(told._replace(base_model="gpt-4o"), Meter.HOST_HOUR, 24) == Decimal("40.80")
