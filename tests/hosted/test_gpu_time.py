"""GPU time told as usage of no job: tier 1 of the evidence, exact, however it is cut up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.hosted.energy import estimates
from meter.hosted.gpu_time import GpuTime, gpu_time_estimates, gpus_told
from meter.hosted_facts import Gpus
from tests.hosted.jobs_told import AUG_2023_US, BUNDLED, HOUR_US, job

TIME = GpuTime(
    project="p", provider="fireworks", model="m", region=None, gpus="NVIDIA_H100_80GB",
    day_us=AUG_2023_US, seconds=Decimal(7_200), events=1,
)  # fmt: skip


def made(*times: GpuTime) -> list[dict]:
    return gpu_time_estimates(times, lambda _day_us: BUNDLED)


def test_it_is_what_a_job_of_that_gpu_time_is_estimated_at() -> None:
    (found,) = made(TIME)
    gpus = Gpus("NVIDIA_H100_80GB", Decimal(7_200))
    first = estimates(job(provider="fireworks", gpus=gpus), BUNDLED)[0]
    assert (found["tier"], found["method"]) == (first.tier, "modelled") == (1, "modelled")
    assert found["value_j"] == pytest.approx(first.mid_mj / 1_000)
    assert 0 < found["low_j"] < found["value_j"] < found["high_j"]
    assert found["factors"] == sorted(first.factor_ids)
    assert "7200 GPU-seconds told as usage, of NVIDIA_H100_80GB" in found["reason"]


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
def test_however_it_is_cut_into_days_it_is_the_same(parts) -> None:
    days = [
        replace(TIME, seconds=Decimal(n), day_us=AUG_2023_US + day * 24 * HOUR_US)
        for day, n in enumerate(parts)
    ]
    (cut,) = made(*days)
    (whole,) = made(replace(TIME, seconds=Decimal(sum(parts))))
    assert cut["gpu_seconds"] == whole["gpu_seconds"]
    assert cut["value_j"] == pytest.approx(whole["value_j"], abs=0.01)
    assert cut["high_j"] == pytest.approx(whole["high_j"], abs=0.01)


def test_gpus_that_the_books_lack_have_no_number_and_the_reason() -> None:
    (found,) = made(replace(TIME, gpus="WARP_9"))
    assert (found["tier"], found["low_j"], found["high_j"]) == (4, None, None)
    assert "WARP_9" in found["reason"]


def test_gpus_that_are_not_named_are_those_that_were_usual() -> None:
    (found,) = made(replace(TIME, gpus=None))
    (named,) = made(TIME)
    assert found["high_j"] >= named["high_j"]
    assert found["low_j"] <= named["low_j"]


@pytest.mark.parametrize(
    ("told", "gpus"),
    [(None, None), ("{}", None), ('{"accelerator_type": "NVIDIA_A100_80GB"}', "NVIDIA_A100_80GB")],
)
def test_the_type_of_gpu_is_the_providers_word(told, gpus) -> None:
    assert gpus_told(told) == gpus
