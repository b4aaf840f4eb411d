"""A healthy counter: exact over long windows, edge-aware between its ticks, always in bounds."""

from __future__ import annotations

import random
from statistics import mean, pstdev

import pytest

from curve.curve_sensor import (
    GPU,
    LOADS,
    MS,
    S,
    Sensor,
    check_curve,
    edge_at,
    energy_of,
    grown,
    locked,
    square,
)
from meter.model import Basis, Component, Device, Method, Reading
from meter.sampling.curve import CurveBuilder, CurveStart


def step_errors(load, segments, seed, count=150):
    """Relative errors of windows of 0.5 to 0.9 s, and how many have the truth in bounds."""
    chance = random.Random(seed)
    errors, inside = [], 0
    for _ in range(count):
        start = round(chance.uniform(1, 26) * S)
        end = start + round(chance.uniform(0.5, 0.9) * S)
        energy, low, high = energy_of(segments, start, end)
        truth = load.energy_ns(start, end)
        errors.append(100 * (energy / truth - 1))
        inside += low <= truth <= high
    return errors, inside


@pytest.mark.parametrize("name", LOADS)
def test_a_run_of_half_a_minute_is_right_to_a_tenth_of_a_percent_and_a_tick(name):
    load = LOADS[name]()
    builder, segments = grown(locked(Sensor(load, seed=3), 0, 34), 34)
    check_curve(builder, segments)
    start, end = round(1.234 * S), round(32.1 * S)
    energy, low, high = energy_of(segments, start, end)
    truth = load.energy_ns(start, end)
    tick_mj = 0.1 * 700_000
    assert abs(energy - truth) <= 0.001 * truth + 2 * tick_mj
    assert low <= truth <= high
    assert all(one.basis is Basis.COUNTER for one in segments)
    assert builder.drain_notices() == []


@pytest.mark.parametrize(("jitter", "half", "most"), [(0.001, 0.0012, 0.5), (0.003, 0.0032, 1.0)])
def test_steps_of_a_square_load_are_right_to_half_a_percent(jitter, half, most):
    errors = []
    for seed in range(2):
        load = square(phase=seed / 7)
        readings = locked(Sensor(load, seed, jitter=jitter), 0, 30, half=half)
        _, segments = grown(readings, 30)
        found, inside = step_errors(load, segments, seed)
        assert inside == len(found)
        errors += found
    assert pstdev(errors) <= most
    assert abs(mean(errors)) <= 0.05
    means = [abs(mean(errors[i : i + 20])) for i in range(0, len(errors), 20)]
    assert max(means) <= 0.2 * most


@pytest.mark.parametrize("name", ["spikes", "ramp", "constant"])
def test_steps_are_inside_their_bounds_whatever_the_load(name):
    load = LOADS[name]()
    _, segments = grown(locked(Sensor(load, seed=5), 0, 30), 30)
    errors, inside = step_errors(load, segments, 5)
    assert inside == len(errors)
    assert abs(mean(errors)) < 1


def test_a_cell_is_settled_two_ticks_later():
    readings = locked(Sensor(square(), seed=1), 0, 5)
    builder = CurveBuilder(GPU)
    for reading in readings:
        builder.feed(reading)
    ticks = [r.at_ns for r in readings if r.since_ns is not None]
    assert ticks[-4] < builder.settled_ns <= ticks[-3]


def test_missed_ticks_and_unlocked_looks_cost_no_energy():
    load = square()
    sensor = Sensor(load, seed=2)
    chance = random.Random(2)
    readings = [r for r in locked(sensor, 0, 30) if chance.random() > 0.3]
    _, segments = grown(readings, 30)
    start, end = 2 * S, 29 * S
    energy, low, high = energy_of(segments, start, end)
    truth = load.energy_ns(start, end)
    assert abs(energy / truth - 1) < 0.005
    assert low <= truth <= high


def test_a_second_before_a_tick_the_curve_already_counts():
    """The first cell is begun in its middle: only its later part belongs to the curve."""
    load = LOADS["constant"]()
    builder, segments = grown(locked(Sensor(load, seed=9), 0, 3), 3)
    energy, _, _ = energy_of(segments, 0, 3 * S)
    assert segments[0].start_ns == 0
    assert abs(energy / load.energy_ns(0, 3 * S) - 1) < 0.002
    assert builder.settled_ns == 3 * S


def test_bounds_narrow_at_idle_and_never_vanish():
    _, segments = grown(locked(Sensor(LOADS["constant"](), seed=9), 0, 10), 10)
    below, above = edge_at(segments, 5 * S)
    assert 0 < below < 0.1 * 400_000
    assert 0 < above < 0.1 * 400_000


RAPL = Device("cpu-0", Component.CPU, "package-0", Method.MEASURED)


def test_a_fine_counter_looked_at_seldom_gives_plain_differences():
    load = square()
    readings, before = [], None
    for i in range(60):
        at = i * S // 2 + 1
        shown = round(load.energy(at / S)) + 7
        readings.append(Reading(RAPL.id, at, None if before is None else at - MS, energy_mj=shown))
        before = shown
    builder, segments = grown(readings, readings[-1].at_ns / S, device=RAPL)
    check_curve(builder, segments)
    assert abs(builder.curve_mj - load.energy_ns(readings[0].at_ns, readings[-1].at_ns)) < 500
    assert builder.drain_notices() == []


def test_a_counter_that_stands_still_without_power_is_zero_energy_and_no_fault():
    readings = [Reading(RAPL.id, i * S // 2, energy_mj=5) for i in range(1, 20)]
    builder = CurveBuilder(RAPL)
    segments = [one for reading in readings for one in builder.feed(reading)]
    check_curve(builder, segments)
    assert builder.curve_mj == 0
    assert builder.settled_ns > 5 * S
    assert all(one.covered for one in segments)
    assert builder.drain_notices() == []


def test_readings_out_of_order_are_left_out():
    readings = locked(Sensor(square(), seed=1), 0, 5)
    straight, _ = grown(readings, 5)
    shuffled = [r for pair in zip(readings[5:], readings, strict=False) for r in pair]
    builder, segments = grown(readings[:5] + shuffled, 5)
    check_curve(builder, segments)
    assert builder.curve_mj == straight.curve_mj


# -- outages of ours ---------------------------------------------------------------------------


def outage(readings, stop, go):
    return [r for r in readings if r.at_ns < stop * S], [r for r in readings if r.at_ns > go * S]


def test_a_restart_books_the_counters_difference_to_the_gap():
    load = square()
    before, after = outage(locked(Sensor(load, seed=4), 0, 40), 12, 19)
    after[0] = Reading(GPU.id, after[0].at_ns, None, after[0].energy_mj)
    straight, _ = grown(before + after, 40)
    builder = CurveBuilder(GPU)
    first = [one for r in before for one in builder.feed(r)]
    start = CurveStart(builder.curve_mj, builder.settled_ns, builder.counter_mj, builder.settled_ns)
    again, second = grown(after, 40, start=start)
    assert first[-1].end_ns == second[0].start_ns
    assert second[0].basis is Basis.COUNTER_GAP
    assert again.curve_mj == pytest.approx(straight.curve_mj, abs=100)
    assert again.gap_ns == pytest.approx(7 * S, rel=0.1)
    assert [n.code for n in again.drain_notices()] == ["gap_bridged"]
    truth = load.energy_ns(0, 40 * S)
    assert again.curve_mj == pytest.approx(truth, rel=0.005)


def test_a_restart_may_know_the_counter_of_a_later_instant_than_the_curve():
    load = LOADS["constant"]()
    before, after = outage(locked(Sensor(load, seed=4), 0, 40), 12, 19)
    builder = CurveBuilder(GPU)
    for reading in before:
        builder.feed(reading)
    last = before[-1]
    start = CurveStart(builder.curve_mj, builder.settled_ns, last.energy_mj, last.at_ns)
    again, _ = grown(after, 40, start=start)
    assert again.curve_mj == pytest.approx(load.energy_ns(0, 40 * S), rel=0.005)


def test_a_restart_in_a_new_epoch_leaves_the_gap_unknown():
    load = square()
    before, after = outage(locked(Sensor(load, seed=4), 0, 40), 12, 19)
    builder = CurveBuilder(GPU)
    first = [one for r in before for one in builder.feed(r)]
    start = CurveStart(builder.curve_mj, builder.settled_ns, builder.counter_mj, builder.settled_ns)
    after = [Reading(r.device_id, r.at_ns, r.since_ns, r.energy_mj - 9_000_000) for r in after]
    again, second = grown(after, 40, start=start)
    assert second[0].basis is Basis.UNKNOWN
    assert not second[0].covered
    codes = {n.code for n in again.drain_notices()}
    assert "gap_unknown" in codes
    energy, low, high = energy_of(first + second, 0, 40 * S)
    assert low <= load.energy_ns(0, 40 * S) <= high
    assert energy < load.energy_ns(0, 40 * S)


def test_a_restart_without_a_counter_leaves_the_gap_unknown():
    start = CurveStart(1_000, 5 * S, None, 5 * S)
    builder = CurveBuilder(GPU, start=start)
    (gap,) = builder.feed(Reading(GPU.id, 9 * S, None, 77))
    assert (gap.basis, gap.start_ns, gap.end_ns, gap.covered) == (
        Basis.UNKNOWN,
        5 * S,
        9 * S,
        False,
    )
    assert builder.curve_mj == 1_000


def test_a_restart_after_finish_forgives_that_its_end_ran_ahead():
    load = LOADS["constant"]()
    readings = locked(Sensor(load, seed=4), 0, 20)
    before = [r for r in readings if r.at_ns < 10 * S]
    builder, _ = grown(before, 10.05)
    start = CurveStart(builder.curve_mj, builder.settled_ns, builder.counter_mj, builder.settled_ns)
    after = [r for r in readings if r.at_ns > 10.06 * S]
    again, _ = grown(
        [Reading(GPU.id, round(10.055 * S), None, before[-1].energy_mj), *after], 20, start=start
    )
    assert again.curve_mj == pytest.approx(load.energy_ns(0, 20 * S), rel=0.002)
    assert "counter_reset" not in {n.code for n in again.drain_notices()}
