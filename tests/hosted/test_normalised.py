"""Normalised events: one quantity of one meter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.hosted.reading import normalised
from meter.hosted_facts import Adapter, Meter, Quantity, Training, Usage
from tests.hosted.recorded import MARCH_US, NOW_US


def event(**fields: Any) -> dict[str, object]:
    return {
        "source": "counter", "id": "e1", "at": "2026-03-01T09:00:00Z", "provider": "openai",
        "model": "gpt-4o", "meter": "input", "quantity": 1200, **fields,
    }  # fmt: skip


def quantity(**fields: Any) -> Decimal | None:
    return normalised(event(**fields), NOW_US).quantities[0].amount


def test_an_event_is_usage() -> None:
    told = event(project="p", run="r-1", region="EU-West-1", service_tier="Batch")
    assert normalised(told, NOW_US) == Usage(
        source="counter",
        id="e1",
        at_us=MARCH_US,
        provider="openai",
        model="gpt-4o",
        quantities=(Quantity(Meter.INPUT, Decimal(1200)),),
        project="p",
        run_id="r-1",
        region="eu-west-1",
        service_tier="batch",
    )


def test_the_source_is_the_provider_where_none_is_given() -> None:
    assert normalised(event(source=None, provider="Azure_OpenAI"), NOW_US).source == "azure"


def test_what_prices_of_training_depend_on_is_taken() -> None:
    usage = normalised(
        event(
            meter="train_token", model="ft:gpt-4o:acme::B7", training="sft", adapter="lora",
            parameters_b=Decimal("8.03"), context_tokens=None,
        ),
        NOW_US,
    )  # fmt: skip
    assert (usage.training, usage.adapter) == (Training.SFT, Adapter.LORA)
    assert (usage.parameters_b, usage.base_model) == (Decimal("8.03"), "gpt-4o")


@given(st.integers(0, 10**12 - 1))
def test_a_quantity_is_exact(tokens: int) -> None:
    assert quantity(quantity=tokens) == quantity(quantity=str(tokens)) == tokens


def test_n20_units_scale() -> None:
    assert quantity(quantity=Decimal("1.2"), unit="1000_tokens") == 1200
    assert quantity(quantity=1200, unit="tokens") == 1200
    assert quantity(meter="train_hour", quantity=5400, unit="seconds") == Decimal("1.5")
    assert quantity(meter="host_hour", quantity=90, unit="minutes") == Decimal("1.5")
    assert quantity(meter="gpu_second", quantity=2, unit="hours") == 7200


def test_more_than_six_decimals_are_rounded_and_flagged() -> None:
    usage = normalised(event(meter="train_hour", quantity=1, unit="second"), NOW_US)
    assert usage.quantities[0].amount == Decimal("0.000278")
    assert usage.flags == ("rounded",)


def test_unknown_usage_has_no_quantity() -> None:
    usage = normalised(event(meter="unknown", quantity=None), NOW_US)
    assert usage.quantities == (Quantity(Meter.UNKNOWN, None),)
    assert usage.flags == ("usage_unknown",)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"id": None}, '"id" is missing'),
        ({"id": ""}, '"id"'),
        ({"id": 5}, '"id" is no text'),
        ({"id": "x" * 257}, '"id"'),
        ({"at": None}, '"at" is missing'),
        ({"at": "1970-01-01T00:00:00Z"}, "2015"),
        ({"at": "2100-01-01T00:00:00Z"}, "2015"),
        ({"at": 0}, "2015"),
        ({"at": "yesterday"}, '"at" is no instant'),
        ({"provider": 7}, "provider"),
        ({"model": None}, '"model" is missing'),
        ({"meter": "tokens"}, "train_token"),
        ({"meter": ["input"]}, '"meter"'),
        ({"quantity": None}, '"quantity" is no number'),
        ({"quantity": -1}, "below zero"),
        ({"quantity": 2**63}, "not below"),
        ({"quantity": Decimal("1e400")}, "not below"),
        ({"quantity": Decimal("NaN")}, "no number"),
        ({"quantity": True}, "no number"),
        ({"quantity": Decimal("0.5")}, "no whole number"),
        ({"unit": "hours"}, "does not fit meter input"),
        ({"unit": 5}, "does not fit"),
        ({"quantity": 10**11, "unit": "1000_tokens"}, "not below"),
        ({"meter": "unknown"}, "unknown"),
        ({"projcet": "p"}, '"projcet" is not known'),
        ({"a user's text": "p"}, "a field is not known"),
        ({"run": "a b"}, '"run"'),
        ({"training": "none"}, "sft, dpo, rft"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(UsageError, match=names):
        normalised(event(**fields), NOW_US)


def test_a_thousand_million_hours_are_a_mistake() -> None:
    assert quantity(meter="host_hour", quantity=999_999_999) == 999_999_999
    with pytest.raises(UsageError, match="beyond"):
        quantity(meter="host_hour", quantity=10**9)
