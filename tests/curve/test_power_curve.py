"""No counter: energy from power, midpoints with bounds that mean what they say."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from curve.curve_sensor import (
    GPU,
    LOADS,
    S,
    Sensor,
    check_curve,
    energy_of,
    grown,
    polled,
    ramp,
    square,
)
from meter.model import Basis, Component, Device, Method, Reading
from meter.sampling.curve import CurveBuilder, CurveStart

SENSORS = {"100/25 ms": (0.1, 0.025), "20/10 ms": (0.02, 0.01), "100/100 ms": (0.1, 0.1)}


def metered(load, sensor, *, mean, seed=0, step=0.02):
    period, window = SENSORS[sensor]
    made = Sensor(load, seed, tick=None, period=period, window=window, mean=mean)
    builder, segments = grown(polled(made, 0, 32, step), 32)
    check_curve(builder, segments)
    start, end = S, 31 * S
    energy, low, high = energy_of(segments, start, end)
    return energy, low, high, load.energy_ns(start, end), builder


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("period", [0.413, 0.777, 1.31])
def test_loads_that_are_not_locked_to_the_sensor_are_right_to_two_percent(sensor, period):
    load = square(period=period)
    energy, low, high, truth, _ = metered(load, sensor, mean=False)
    assert abs(energy / truth - 1) <= 0.02
    assert low <= truth <= high


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_ramp_is_right_to_two_percent(sensor):
    energy, low, high, truth, _ = metered(ramp(), sensor, mean=False)
    assert abs(energy / truth - 1) <= 0.02
    assert low <= truth <= high


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("seed", range(5))
def test_one_edge_in_a_gap_stays_inside_the_bounds_even_where_load_and_sensor_are_locked(
    sensor, seed
):
    load = square(phase=random.Random(seed).random())
    _, low, high, truth, _ = metered(load, sensor, mean=False, seed=seed)
    assert low / 0.95 <= truth <= high / 1.05  # before the gain's part of the bounds


def test_the_bounds_of_a_locked_square_are_no_wider_than_fifteen_percent():
    energy, low, high, truth, _ = metered(square(), "100/25 ms", mean=False, step=0.005)
    assert (high / 1.05 - energy) / truth <= 0.15
    assert (energy - low / 0.95) / truth <= 0.15


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("load", LOADS)
def test_a_mean_field_sees_everything(sensor, load):
    energy, low, high, truth, builder = metered(LOADS[load](), sensor, mean=True)
    assert abs(energy / truth - 1) <= 0.005
    assert low <= truth <= high
    assert [n.code for n in builder.drain_notices()] == ["no_counter"]


def test_a_mean_alone_is_enough():
    made = Sensor(square(), 4, tick=None, instant=False)
    builder, segments = grown(polled(made, 0, 32), 32)
    check_curve(builder, segments)
    assert {one.basis for one in segments} == {Basis.POWER_MEAN}
    assert builder.curve_mj == pytest.approx(made.load.energy_ns(0, 32 * S), rel=0.01)


def test_a_hole_without_a_counter_stays_unknown():
    made = Sensor(LOADS["constant"](), 4, tick=None, mean=False)
    readings = [r for r in polled(made, 0, 30) if not 10 * S < r.at_ns < 20 * S]
    builder, segments = grown(readings, 30)
    check_curve(builder, segments)
    gap = [one for one in segments if one.basis is Basis.UNKNOWN]
    assert sum(one.end_ns - one.start_ns for one in gap) == pytest.approx(10 * S, rel=0.1)
    assert all(one.energy_mj == 0 and not one.covered for one in gap)
    assert "gap_unknown" in {n.code for n in builder.drain_notices()}
    assert builder.curve_mj == pytest.approx(20 * 400_000, rel=0.02)


CPU = Device(
    "cpu-0",
    Component.CPU,
    "a processor",
    Method.MODELLED,
    power_limit_mw=100_000,
    power_floor_mw=10_000,
)
RAM = Device(
    "ram", Component.RAM, "RAM", Method.MODELLED, power_limit_mw=9_000, power_floor_mw=9_000
)
RAPL = Device("cpu-0", Component.CPU, "a package", Method.MEASURED)


def test_a_load_model_tells_the_time_since_its_last_reading():
    readings = [Reading(CPU.id, i * S, mean_mw=10_000 * (i + 1)) for i in range(5)]
    builder, segments = grown(readings, 4, device=CPU)
    check_curve(builder, segments)
    assert [one.energy_mj for one in segments] == [10_000, 20_000, 30_000, 40_000, 50_000]
    assert {(one.basis, one.method) for one in segments} == {(Basis.MODEL, Method.MODELLED)}
    assert (segments[1].low_mj, segments[1].high_mj) == (10_000, 30_000)
    assert builder.drain_notices() == []


def test_an_assumed_power_is_bounded_like_a_modelled_one():
    readings = [Reading(CPU.id, i * S, mean_mw=20_000) for i in range(3)]
    _, segments = grown(readings, 2, device=replace(CPU, method=Method.ASSUMED))
    assert (segments[1].low_mj, segments[1].high_mj) == (10_000, 30_000)


def test_the_first_word_of_a_load_model_holds_for_the_second_before():
    builder = CurveBuilder(CPU)
    (held,) = builder.feed(Reading(CPU.id, 5 * S, mean_mw=20_000))
    assert (held.start_ns, held.end_ns, held.energy_mj) == (4 * S, 5 * S, 20_000)
    assert (held.low_mj, held.high_mj) == (5_000, 150_000)  # anything that the model may tell
    assert held.covered
    assert builder.drain_notices() == []


def test_a_load_model_goes_on_for_a_moment_after_its_last_reading():
    readings = [Reading(CPU.id, i * S, mean_mw=10_000) for i in range(5)]
    builder, segments = grown(readings, 4.5, device=CPU)
    assert builder.settled_ns == round(4.5 * S)
    assert builder.curve_mj == 55_000
    assert (segments[-1].low_mj, segments[-1].high_mj) == (2_500, 75_000)


def test_a_model_that_never_changes_is_as_sure_at_its_ends_as_between():
    readings = [Reading(RAM.id, i * S, mean_mw=9_000) for i in range(1, 4)]
    _, segments = grown(readings, 3.4, device=RAM)
    energy, low, high = energy_of(segments, round(0.3 * S), round(3.4 * S))
    assert energy == pytest.approx(27_900, abs=2)
    assert low == pytest.approx(energy / 2, abs=10)
    assert high == pytest.approx(energy * 1.5, abs=10)


def test_a_load_model_that_was_silent_leaves_a_gap_and_says_how_long():
    builder = CurveBuilder(CPU)
    builder.feed(Reading(CPU.id, 1 * S, mean_mw=10_000))
    gap, held = builder.feed(Reading(CPU.id, 60 * S, mean_mw=10_000))
    assert (gap.basis, gap.covered, gap.energy_mj) == (Basis.UNKNOWN, False, 0)
    assert (held.start_ns, held.end_ns) == (59 * S, 60 * S)
    assert builder.gap_ns == 58 * S
    (notice,) = builder.drain_notices()
    assert notice.code == "gap_unknown"
    assert "nothing is known about 58.0 s," in notice.text


def test_a_silence_is_told_once_and_whole_when_it_is_over():
    builder = CurveBuilder(CPU)
    builder.feed(Reading(CPU.id, 1 * S, mean_mw=10_000))
    for second in range(2, 31):
        builder.advance(second * S)
    assert builder.drain_notices() == []
    builder.feed(Reading(CPU.id, 31 * S, mean_mw=10_000))
    (notice,) = builder.drain_notices()
    assert "27.5 s" in notice.text


def test_a_gap_too_short_to_tell_is_no_notice():
    builder = CurveBuilder(GPU, start=CurveStart(1_000, 5 * S, None, 5 * S))
    (gap,) = builder.feed(Reading(GPU.id, round(5.4 * S), None, 77))
    assert not gap.covered
    assert builder.drain_notices() == []


def test_a_mean_alone_bounds_the_rest_of_a_second_by_what_it_saw():
    unlimited = replace(GPU, power_limit_mw=None)
    readings = [Reading(GPU.id, i * S // 10, None, None, 200_000) for i in range(25)]
    _, segments = grown(readings, 2.4, device=unlimited)
    energy, low, high = energy_of(segments, 0, round(2.4 * S))
    assert energy == pytest.approx(480_000, rel=0.01)
    assert low > 0.5 * energy
    assert high < 1.5 * energy


def test_a_counter_that_does_not_tick_is_whole_from_its_first_look():
    readings = [
        Reading(RAPL.id, at, at - S // 1000, at // 20_000) for at in (S, 13 * S // 10, 18 * S // 10)
    ]
    builder, segments = grown(readings, 2.1, device=RAPL)
    check_curve(builder, segments)
    energy, low, high = energy_of(segments, S, round(2.1 * S))
    assert energy == pytest.approx(55_000, rel=0.01)
    assert 0 < low < 55_000 < high < 3 * 55_000


def test_a_counter_that_an_end_ran_ahead_of_is_waited_for():
    def looks(*times):
        return [Reading(RAPL.id, at, at - S // 1000, told) for at, told in times]

    builder = CurveBuilder(RAPL)
    for reading in looks((S, 0), (3 * S // 2, 50_000)):
        builder.feed(reading)
    builder.finish(5 * S // 2)  # as if it went on: 100 J more
    told = ((13 * S // 5, 60_000), (3 * S, 70_000), (4 * S, 170_000), (5 * S, 270_000))
    for reading in looks(*told):
        builder.feed(reading)
    builder.finish(5 * S)
    assert builder.curve_mj == pytest.approx(270_000, abs=100)
    assert builder.drain_notices() == []


def test_nothing_is_settled_before_the_first_reading():
    builder = CurveBuilder(CPU)
    assert builder.advance(100 * S) == []
    assert builder.finish(100 * S) == []
    assert builder.settled_ns is None
    assert builder.last_reading is None
