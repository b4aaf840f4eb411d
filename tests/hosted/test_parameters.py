"""Sizes of base models: what is told, what the books say, what a name says."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from meter.hosted.parameters import billions_in, parameters_of
from tests.hosted.jobs_told import BUNDLED, job


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "8"),
        ("accounts/fireworks/models/llama-v3p1-70b-instruct", "70"),
        ("Qwen/Qwen2.5-0.5B", "0.5"),
        ("Qwen/Qwen3-235B-A22B-Instruct", "22"),
        ("mistralai/Mixtral-8x22B", None),
        ("gemma-3n-e4b", None),
        ("gpt-4o-mini-2024-07-18", None),
        ("a-7b-merged-with-13b", None),
        ("0b", None),
        ("", None),
    ],
)
def test_a_models_name_tells_its_size_or_none(name, billions):
    assert billions_in(name) == (Fraction(billions) if billions else None)


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [
        ("gpt-3.5-turbo", 20, 70), ("gpt-3.5-turbo-1106", 20, 70),
        ("gpt-3.5-turbo-16k-0613", 20, 70),
        ("gpt-4o-2024-08-06", 44, 132), ("gpt-4o-mini-2024-07-18", 8, 28),
        ("gpt-4.1-nano-2025-04-14", 10, 37), ("gpt-4.1-mini", 40, 112),
        ("accounts/fireworks/models/mixtral-8x7b-instruct", 13, 13),
    ],
)  # fmt: skip
def test_a_version_of_a_model_has_its_range_and_another_model_its_own(model, low, high):
    band, where = parameters_of(job(base_model=model), BUNDLED)
    assert (band.low, band.high) == (low, high)
    assert where == "as the books say"
    assert band.factor_id


@pytest.mark.parametrize("model", ["gpt-4o-audio-preview", "gpt-4", "gpt-4.5", "o4", "my-gpt-4o"])
def test_another_models_range_is_never_taken(model):
    assert parameters_of(job(base_model=model), BUNDLED) is None


def test_what_the_provider_tells_goes_first():
    band, where = parameters_of(job(base_model="gpt-4o", parameters_b=Decimal("8.03")), BUNDLED)
    assert (band.low, where) == (Fraction("8.03"), "as the provider tells")


@pytest.mark.parametrize("absurd", ["0", "-1", "1e9"])
def test_a_size_that_is_none_is_not_taken(absurd):
    told = job(base_model="x-8b", parameters_b=Decimal(absurd))
    assert parameters_of(told, BUNDLED)[1] == "as the model's name says"
