"""Estimates of hosted training: laws, the worked bounds, what each tier stands on and says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.factors.hosted import hosted_factors
from meter.hosted.constants import Constants, constants_of, short
from meter.hosted.energy import estimates, gpu_mj, training_gpu_seconds
from meter.hosted_facts import Adapter, Gpus, JobStatus, Meter, Quantity, Training
from meter.model import Factor, FactorKind, Method
from tests.hosted.jobs_told import AUG_2023_US, BUNDLED, HOUR_US, exactly, job, kwh, without

tokens = st.integers(1, 10**12 - 1)
amounts = st.decimals("0.0001", "1e9", places=4)
jobs = st.builds(
    lambda quantities, **told: replace(
        job(hours=told.pop("hours")), quantities=tuple(quantities), **told
    ),
    st.lists(
        st.builds(
            Quantity,
            st.sampled_from([Meter.TRAIN_TOKEN, Meter.TRAIN_HOUR, Meter.GPU_SECOND, Meter.OUTPUT]),
            amounts,
        )
        | st.just(Quantity(Meter.UNKNOWN, None)),
        max_size=4,
    ),
    hours=st.integers(0, 10_000),
    provider=st.sampled_from(["openai", "azure", "bedrock", "vertex", "fireworks", "other"]),
    training=st.none() | st.sampled_from(Training),
    adapter=st.none() | st.sampled_from(Adapter),
    base_model=st.sampled_from(["gpt-4o-2024-08-06", "a/llama-3.1-8b", "secret", "Qwen3-30B-A3B"]),
    parameters_b=st.none() | st.decimals("0.001", "1000", places=3),
    gpus=st.none()
    | st.builds(
        Gpus,
        st.sampled_from(["NVIDIA_H100_80GB", "NVIDIA_A100_80GB", "L40S", "TPU v5e"]),
        amounts,
        st.none() | st.integers(1, 512),
    ),
    created_us=st.integers(0, 4_000_000_000_000_000),
)


def by_tier(told, constants: Constants = BUNDLED):
    return {one.tier: one for one in estimates(told, constants)}


@given(jobs)
def test_bounds_are_in_order_tiers_too_and_every_number_has_its_reason_and_rows(told):
    found = estimates(told, BUNDLED)
    assert [one.tier for one in found] == sorted({one.tier for one in found})
    assert found
    ids = {band.factor_id for band in BUNDLED.bands.values()}
    for one in found:
        assert one.reason.endswith(".")
        if one.tier == 4:
            assert len(found) == 1
            assert not one.has_number
            continue
        assert one.has_number
        assert 0 <= one.low_mj <= one.high_mj < 2**63
        assert one.mid_mj is None or one.low_mj <= one.mid_mj <= one.high_mj
        assert set(one.factor_ids) <= ids
        assert one.factor_ids
        assert one.inputs


@given(tokens, tokens)
def test_more_tokens_are_never_less_energy(one, other):
    few, many = sorted((one, other))
    less, more = (by_tier(job((Meter.TRAIN_TOKEN, n)))[3] for n in (few, many))
    assert less.low_mj <= more.low_mj
    assert less.mid_mj <= more.mid_mj
    assert less.high_mj <= more.high_mj


@given(st.integers(1, 10**8), st.integers(2, 1000))
def test_tokens_count_in_proportion_but_for_the_rounding_of_a_millijoule(few, times):
    one = by_tier(job((Meter.TRAIN_TOKEN, few)))[3]
    many = by_tier(job((Meter.TRAIN_TOKEN, few * times)))[3]
    for name in ("low_mj", "mid_mj", "high_mj"):
        assert abs(getattr(many, name) - times * getattr(one, name)) <= times


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=5))
def test_quantities_of_one_meter_add_up(parts):
    apart = by_tier(job(*((Meter.TRAIN_TOKEN, n) for n in parts)))[3]
    assert apart == by_tier(job((Meter.TRAIN_TOKEN, sum(parts))))[3]


@given(st.integers(1, 10**9), st.integers(1, 100))
def test_gpu_seconds_count_in_proportion(seconds, times):
    def told(amount):
        return by_tier(job(gpus=Gpus("H100", Decimal(amount))))[1]

    assert abs(told(seconds * times).mid_mj - times * told(seconds).mid_mj) <= times


@given(st.sampled_from(list(FactorKind)), tokens)
def test_a_wider_band_of_any_constant_never_narrows_an_estimate(kind, amount):
    told = job((Meter.TRAIN_TOKEN, amount), (Meter.GPU_SECOND, "1000"), hours=3)
    wide = Constants({
        key: replace(band, low=band.low / 2, high=band.high * 2) if key[0] is kind else band
        for key, band in BUNDLED.bands.items()
    })  # fmt: skip
    for tier, one in by_tier(told).items():
        other = by_tier(told, wide)[tier]
        assert other.low_mj <= one.low_mj
        assert one.high_mj <= other.high_mj


def test_the_worked_bounds_of_300_dollars_of_tokens():
    """37.5 M tokens of 20 to 70 billion: GPUs 2.5 to 18.7 kWh, with servers and PUE 5 to 36."""
    alone = exactly(
        (FactorKind.SERVER_RATIO, "A100", "1.6"), (FactorKind.PUE, None, "1.2"),
        (FactorKind.MFU, None, "0.3-0.43"),
        base=without(items=("H100", "H200", "B200")),
    )  # fmt: skip
    found = by_tier(job((Meter.TRAIN_TOKEN, 37_500_000)), alone)[3]
    assert round(kwh(found.low_mj)) == 5
    assert round(kwh(found.high_mj)) == 36
    around = Fraction("1.6") * Fraction("1.2")
    assert round(float(kwh(found.low_mj) / around), 1) == 2.5
    assert round(float(kwh(found.high_mj) / around), 1) == 18.7


@pytest.mark.parametrize(("node", "most"), [("A100", 187), ("H100", 294)])
def test_the_worked_bounds_of_a_node_for_a_day(node, most):
    constants = exactly((FactorKind.PUE, None, "1.2"))
    told = job(hours=24, gpus=Gpus(node, Decimal(0)))
    found = by_tier(told, constants)[2]
    assert (found.low_mj, found.mid_mj) == (0, None)
    assert round(kwh(found.high_mj)) == most


def test_the_bundled_band_holds_the_worked_bounds():
    found = by_tier(job((Meter.TRAIN_TOKEN, 37_500_000)))[3]
    assert kwh(found.low_mj) < 5
    assert kwh(found.high_mj) > 36


def test_gpu_energy_of_published_pretrainings_comes_out():
    """LLaMA-7B: 82,432 GPU-hours at 400 W and PUE 1.1 are 36 MWh."""
    energy = gpu_mj(Fraction(82_432 * 3600), Fraction(400), Fraction(1), Fraction("1.1"))
    assert round(float(kwh(int(energy)) / 1000), 2) == 36.27
    hours = training_gpu_seconds(Fraction(6 * 7 * 10**9 * 10**12), Fraction(312), Fraction("0.45"))
    assert 80_000 < hours / 3600 < 90_000


def test_tier_1_says_what_the_provider_counted_and_on_which_board():
    told = job(
        provider="fireworks", gpus=Gpus("NVIDIA_H100_80GB", Decimal(36_000), 8), started_us=1
    )
    one = by_tier(told)[1]
    assert "36000 GPU-seconds of H100" in one.reason
    assert dict(one.inputs)["gpus"] == "H100"
    assert kwh(one.mid_mj) == Fraction("13.44")  # 10 h at 700 W, 1.6 and 1.2
    assert kwh(one.high_mj) == Fraction("16.57565")  # 700 W, 1.8215, 1.3
    assert kwh(one.low_mj) == Fraction("2.294838")  # 350 W of a PCIe card, half of it, 1.2142, 1.08


def test_tier_1_without_a_name_takes_the_boards_of_the_time():
    one = by_tier(job((Meter.GPU_SECOND, 3600)))[1]
    assert "GPUs not named (A100, H100 are taken)" in one.reason
    recent = by_tier(job((Meter.GPU_SECOND, 3600), created_us=AUG_2023_US + 20_000 * HOUR_US))[1]
    assert dict(recent.inputs)["gpus"] == "A100, B200, H100, H200"


def test_a_board_that_is_not_in_the_books_is_not_guessed():
    (one,) = estimates(job(gpus=Gpus("TPU v5e", Decimal(100))), BUNDLED)
    assert one.tier == 4
    assert "the power of its GPUs (TPU v5e) is not in the books" in one.reason


def test_tier_2_is_a_bound_alone_and_says_so():
    one = by_tier(job(hours=24))[2]
    assert (one.low_mj, one.mid_mj) == (0, None)
    assert kwh(one.high_mj) == Fraction("318.24")  # 10.2 kW, 24 h, PUE 1.3
    assert one.reason.startswith("The job with its queue took 24 h: no more than one server")


def test_n12_tier_2_of_reinforcement_is_of_the_billed_hours():
    one = by_tier(job((Meter.TRAIN_HOUR, "3.25"), hours=24, training=Training.RFT))[2]
    assert one.reason.startswith("The training, as billed, took 3.25 h")
    assert dict(one.inputs)["hours"] == "3.25"


def test_n15_sixteen_gpus_are_two_servers_and_gpu_seconds_are_not_multiplied_again():
    told = job(hours=1, gpus=Gpus("H100", Decimal(57_600), 16))
    assert kwh(by_tier(told)[2].high_mj) == 2 * kwh(by_tier(job(hours=1))[2].high_mj)
    alone = by_tier(job(gpus=Gpus("H100", Decimal(57_600))))[1]
    assert by_tier(told)[1].mid_mj == alone.mid_mj


@pytest.mark.parametrize(("told", "servers"), [("4", 4), ("1", 1), ("0", 1), ("many", 1)])
def test_the_servers_that_are_told_are_all_in_the_upper_bound(told, servers):
    found = by_tier(job(hours=2, told=(("nodes", told),)))[2]
    one = by_tier(job(hours=2))[2]
    assert abs(found.high_mj - servers * one.high_mj) < servers
    assert dict(found.inputs)["nodes"] == str(servers)
    assert (f"{servers} servers of 8 GPUs" in found.reason) == (servers > 1)


def test_servers_told_are_no_fewer_than_their_gpus_need():
    told = job(hours=1, gpus=Gpus("H100", Decimal(0), 64), told=(("nodes", "2"),))
    assert dict(by_tier(told)[2].inputs)["nodes"] == "8"


@given(st.integers(1, 10**7), st.integers(1, 100), st.sampled_from(["A100-SXM4", "H100", "B200"]))
def test_a_server_for_the_whole_time_is_never_less_than_the_gpu_time_at_full_load(
    seconds, hours, name
):
    found = by_tier(job(hours=hours, gpus=Gpus(name, Decimal(seconds))))
    if found[1].high_mj > found[2].high_mj:  # a maker's limit for the server, rounded up for a GPU
        assert Fraction(found[1].high_mj, found[2].high_mj) < Fraction("1.0001")


def test_a_row_of_ones_own_with_a_newer_source_keeps_a_board_in_its_time():
    mine = factor("1.7", kind=FactorKind.SERVER_RATIO, item="A100", source_date="2026-11")
    one = by_tier(job((Meter.GPU_SECOND, 3600)), constants_of([*hosted_factors(0), mine]))[1]
    assert dict(one.inputs)["gpus"] == "A100, H100"
    assert mine.id in one.factor_ids


def test_a_job_that_runs_is_bounded_until_it_was_last_seen():
    told = job(status=JobStatus.RUNNING, ended_us=None, started_us=AUG_2023_US + HOUR_US)
    one = by_tier(told)[2]
    assert one.reason.startswith("The job, until last seen, took 29 h")


def test_tier_3_says_whose_parameters_and_at_which_share_of_the_peak():
    one = by_tier(job((Meter.TRAIN_TOKEN, 1_000_000), adapter=Adapter.LORA))[3]
    assert one.reason.startswith(
        "1000000 trained tokens times 20 to 70 billion parameters (as the books say), on A100, H100"
    )
    assert dict(one.inputs)["flop"] == "4"
    assert "training_flop:hosted:any" in " ".join(one.factor_ids)


def test_n08_trained_tokens_are_not_multiplied_by_epochs():
    told = job((Meter.TRAIN_TOKEN, 1_000_000))
    assert estimates(replace(told, epochs=Decimal(3)), BUNDLED) == estimates(told, BUNDLED)


def test_n08_no_trained_tokens_yet_are_unknown_not_zero():
    (one,) = estimates(job(), BUNDLED)
    assert (one.tier, one.has_number) == (4, False)
    assert "no trained tokens are told" in one.reason


def test_n22_a_failed_job_has_its_hours_and_tokens():
    told = job((Meter.TRAIN_TOKEN, 5_000), hours=1, status=JobStatus.FAILED, tuned_model=None)
    assert set(by_tier(told)) == {2, 3}


def test_an_unknown_adapter_takes_both_ends():
    unknown, lora, full = (
        by_tier(job((Meter.TRAIN_TOKEN, 10**6), adapter=adapter))[3]
        for adapter in (None, Adapter.LORA, Adapter.FULL)
    )
    assert (unknown.low_mj, unknown.high_mj) == (lora.low_mj, full.high_mj)
    assert lora.high_mj < full.high_mj
    assert "LoRA or full: not told, both are taken" in unknown.reason


def test_preferences_add_a_forward_pass_and_may_double_what_is_billed():
    sft, dpo = (
        by_tier(job((Meter.TRAIN_TOKEN, 10**6), adapter=Adapter.FULL, training=training))[3]
        for training in (Training.SFT, Training.DPO)
    )
    assert abs(Fraction(dpo.low_mj, sft.low_mj) - Fraction(8, 6)) < Fraction(1, 10**6)
    assert abs(Fraction(dpo.high_mj, sft.high_mj) - Fraction(16, 6)) < Fraction(1, 10**6)


def test_tokens_of_reinforcement_give_no_number():
    (one,) = estimates(job((Meter.TRAIN_TOKEN, 10**6), training=Training.RFT), BUNDLED)
    assert one.tier == 4
    assert "tokens do not tell the arithmetic of reinforcement" in one.reason


def test_a_model_of_unknown_size_gives_no_number():
    (one,) = estimates(job((Meter.TRAIN_TOKEN, 10**6), base_model="gemini-2.5-flash"), BUNDLED)
    assert one.tier == 4
    assert "the size of its base model is not known" in one.reason


def test_what_no_training_can_be_gives_no_number():
    absurd = job((Meter.TRAIN_HOUR, "999999999999"))
    (one,) = estimates(absurd, BUNDLED)
    assert one.tier == 4
    assert "more than a training can be" in one.reason


def test_a_providers_own_facility_goes_before_anybodys():
    told = {name: by_tier(job(hours=24, provider=name))[2] for name in ("vertex", "elsewhere")}
    assert dict(told["vertex"].inputs)["pue"] == "1.15"
    assert dict(told["elsewhere"].inputs)["pue"] == "1.3"


def factor(value: str | None, **changes) -> Factor:
    number = None if value is None else Decimal(value)
    given = {"kind": FactorKind.MFU, "scope": "hosted:any", "rank": 200, "recorded_us": 5}
    return Factor(
        **{
            "id": f"f{value}{changes}", "value": number, "low": number, "high": number,
            "unit": "1", "source": "test", "method": Method.ASSUMED, "book": "import",
            **given, **changes,
        }
    )  # fmt: skip


def mfu(*rows: Factor, at_us: int | None = None):
    found = constants_of(rows, at_us).find(FactorKind.MFU, "openai")
    return found and short(found.mid)


def test_of_rows_the_highest_rank_counts_and_of_these_the_newest():
    rows = [factor("0.3"), factor("0.2", rank=100, recorded_us=9), factor("0.4", recorded_us=7)]
    assert mfu(*rows) == "0.4"
    assert mfu(*rows, factor("0.5", scope="hosted:openai", rank=1)) == "0.5"


def test_a_withdrawn_row_leaves_what_other_books_say():
    bundled = factor("0.3", book="bundled", rank=100)
    assert mfu(bundled, factor("0.4"), factor(None, recorded_us=8)) == "0.3"
    assert mfu(factor(None)) is None


def test_only_rows_that_hold_then_count():
    old = factor("0.2", valid_to_us=100)
    new = factor("0.4", valid_from_us=100)
    assert mfu(old, new, at_us=99) == "0.2"
    assert mfu(old, new, at_us=100) == "0.4"
