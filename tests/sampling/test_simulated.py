"""Simulated GPUs tick, know their exact energy, and say that they are simulated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import SourceAbsentError
from meter.sampling.simulated import PRESETS, Pattern, Simulated, parse, training
from tests.sampling.looking import ManualClock, S


@pytest.mark.parametrize(
    ("spec", "boards"), [("2xH100", 2), ("H100", 1), ("1xA100,4xl4", 5), (" 8 x V100 ", 8)]
)
def test_a_specification_names_numbers_of_boards(spec: str, boards: int) -> None:
    assert len(parse(spec)) == boards


@pytest.mark.parametrize("spec", ["", "2x", "0xH100", "65xH100", "banana", "2xH100,", "-1xH100"])
def test_a_wrong_specification_is_refused_with_what_to_write(spec: str) -> None:
    with pytest.raises(SourceAbsentError) as caught:
        parse(spec)
    assert caught.value.remedy


def test_all_devices_say_that_they_are_simulated() -> None:
    devices = Simulated("2xH100", ManualClock()).open()
    assert all(device.simulated and "simulated" in device.name for device in devices)
    assert len({device.id for device in devices}) == 2


def test_the_counter_gives_the_exact_energy_at_its_ticks() -> None:
    clock = ManualClock()
    source = Simulated("1xH100", clock)
    device = source.open()[0].id
    start = 0
    for elapsed in (0, S, 20 * S, 1_000 * S):
        clock.now_ns = start + elapsed
        counted = source.look(device).energy_mj
        assert counted == int(source.energy_mj(device, start, clock.now_ns))


def test_the_counter_goes_on_where_another_sampler_left_it() -> None:
    clock = ManualClock()
    first = Simulated("2xH100", clock)
    device = first.open()[1].id
    clock.now_ns += 10 * S
    before = first.look(device).energy_mj or 0
    clock.now_ns += 10 * S
    second = Simulated("2xH100", clock)
    second.open()
    gained = (second.look(device).energy_mj or 0) - before
    assert gained == pytest.approx(
        first.energy_mj(device, clock.now_ns - 10 * S, clock.now_ns), rel=0.01
    )
    assert second.look(device) == first.look(device)


def test_power_agrees_with_the_counter() -> None:
    clock = ManualClock()
    source = Simulated("1xA100", clock)
    device = source.open()[0].id
    clock.now_ns += 10 * S
    before = source.look(device)
    clock.now_ns += S
    after = source.look(device)
    assert after.mean_mw == pytest.approx((after.energy_mj or 0) - (before.energy_mj or 0), abs=2)
    status = source.status(device)
    assert status is not None
    assert 0 <= (status.utilization_ratio or 0) <= 1


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.sampled_from(sorted(PRESETS)))
def test_energy_of_a_pattern_only_grows_and_never_faster_than_the_limit(
    at: int, later: int, name: str
) -> None:
    pattern = training(PRESETS[name])
    gained = pattern.energy_mw_ns(at + later) - pattern.energy_mw_ns(at)
    assert 0 <= gained <= later * PRESETS[name].limit_mw


def test_a_pattern_repeats() -> None:
    pattern = Pattern(((3, 10), (2, 1)))
    assert [pattern.energy_mw_ns(at) for at in (-1, 0, 1, 3, 5, 6, 10)] == [
        0,
        0,
        10,
        30,
        32,
        42,
        64,
    ]
