"""No counter: energy from power, midpoints with bounds that mean what they say."""

from __future__ import annotations

import random

import pytest

from curve.curve_sensor import (
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
from meter.sampling.curve import CurveBuilder

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


CPU = Device("cpu-0", Component.CPU, "a processor", Method.MODELLED)


def test_a_load_model_tells_the_time_since_its_last_reading():
    readings = [Reading(CPU.id, i * S, instant_mw=10_000 * i) for i in range(5)]
    builder, segments = grown(readings, 4, device=CPU)
    check_curve(builder, segments)
    assert [one.energy_mj for one in segments] == [10_000, 20_000, 30_000, 40_000]
    assert {(one.basis, one.method) for one in segments} == {(Basis.MODEL, Method.MODELLED)}
    assert segments[0].low_mj == 5_000
    assert segments[0].high_mj == 15_000
    assert builder.drain_notices() == []


def test_a_load_model_goes_on_for_a_moment_after_its_last_reading():
    readings = [Reading(CPU.id, i * S, instant_mw=10_000) for i in range(5)]
    builder, _ = grown(readings, 4.5, device=CPU)
    assert builder.settled_ns == round(4.5 * S)
    assert builder.curve_mj == 45_000


def test_a_load_model_that_was_silent_leaves_a_gap():
    builder = CurveBuilder(CPU)
    builder.feed(Reading(CPU.id, 1 * S, instant_mw=10_000))
    (gap,) = builder.feed(Reading(CPU.id, 60 * S, instant_mw=10_000))
    assert (gap.basis, gap.covered, gap.energy_mj) == (Basis.UNKNOWN, False, 0)
    assert builder.gap_ns == 59 * S


def test_nothing_is_settled_before_the_first_reading():
    builder = CurveBuilder(CPU)
    assert builder.advance(100 * S) == []
    assert builder.finish(100 * S) == []
    assert builder.settled_ns is None
    assert builder.last_reading is None
