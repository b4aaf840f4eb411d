"""Faults of the counter: at most 1 % off where a 1 s mean exists, in bounds, always a notice."""

from __future__ import annotations

import pytest

from curve.curve_sensor import (
    GPU,
    LOADS,
    S,
    Sensor,
    backwards,
    check_curve,
    constant,
    energy_of,
    glitch,
    grown,
    locked,
    lost,
    no_counter_between,
    reset,
    square,
    stuck,
    unknown,
)
from meter.metering.intervals import IntervalBuilder
from meter.metering.wall import WallAnchor
from meter.model import Basis, DeviceFault, Hold
from meter.sampling.curve import CurveBuilder

FAULTS = {
    "stuck and caught up": ([stuck(10.03, 20.1, catches_up=True)], "counter_caught_up"),
    "stuck and not caught up": ([stuck(10.03, 16.6, catches_up=False)], "counter_not_caught_up"),
    "stuck for good": ([stuck(18.03, 99, catches_up=False)], "counter_stuck"),
    "reset": ([reset(12.33)], "counter_reset"),
    "backwards": ([backwards(12.33, 90_000)], "counter_reset"),
    "a little backwards": ([backwards(12.33, 5_000)], "counter_reset|counter_glitch"),
    "one value of zero": ([glitch(12.33, 0)], "counter_glitch"),
    "one enormous value": ([glitch(12.33, 4 * 10**12, 0.09)], "counter_glitch"),
    "lost for 5 s": ([lost(12.33, 17.4)], "gap_bridged"),
    "lost for 9 s": ([lost(12.33, 21.4)], "gap_bridged"),
    "no counter for 5 s": ([no_counter_between(12.33, 17.4)], "counter_missing"),
    "no counter at first": ([no_counter_between(0, 0.35)], "no_counter"),
}
SPAN = 30


def measured(load, faults, *, mean=True, seed=1):
    sensor = Sensor(load, seed, faults=faults, mean=mean)
    builder, segments = grown(locked(sensor, 0, SPAN), SPAN)
    check_curve(builder, segments)
    energy, low, high = energy_of(segments, 0, SPAN * S - 1)
    codes = {notice.code for notice in builder.drain_notices()}
    return energy, low, high, codes


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_mean_a_fault_costs_at_most_a_percent_and_is_told(fault, load):
    load = LOADS[load]()
    faults, code = FAULTS[fault]
    energy, low, high, codes = measured(load, faults)
    truth = load.energy_ns(0, SPAN * S)
    assert abs(energy / truth - 1) <= 0.01
    assert low <= truth <= high
    assert codes & set(code.split("|"))


@pytest.mark.parametrize("load", ["constant", "square", "ramp"])
@pytest.mark.parametrize("fault", FAULTS)
def test_with_instant_power_only_the_truth_is_inside_the_bounds(fault, load):
    load = LOADS[load]()
    faults, code = FAULTS[fault]
    _, low, high, codes = measured(load, faults, mean=False)
    assert low <= load.energy_ns(0, SPAN * S) <= high
    assert codes & set(code.split("|"))


def test_lost_and_reset_together_is_a_gap_inside_its_bounds():
    load = square()
    energy, low, high, codes = measured(load, [reset(13.0), lost(12.33, 17.4)])
    truth = load.energy_ns(0, SPAN * S)
    assert low <= truth <= high
    assert energy < truth
    assert {"counter_reset", "gap_unknown"} <= codes


@pytest.mark.parametrize("lasts", [0.09, 1.6, 4.0])
def test_a_wrong_value_is_told_as_one_however_long_it_is_shown(lasts):
    load = square()
    fault = glitch(12.33, round(load.energy(12.33)) + 10_000_000_000, lasts)
    energy, low, high, codes = measured(load, [fault])
    truth = load.energy_ns(0, SPAN * S)
    assert codes == {"counter_glitch"}
    assert abs(energy / truth - 1) <= 0.01
    assert low <= truth <= high


@pytest.mark.parametrize("late", [0.01, 0.035, 0.06, 0.085])
def test_a_counter_set_back_between_two_looks_costs_no_part_of_a_tick(late):
    load = constant(700)
    sensor = Sensor(load, 1, faults=[reset(12.3 + late)])
    builder, segments = grown(locked(sensor, 0, SPAN, plain=1), SPAN)  # looks at ticks only
    check_curve(builder, segments)
    energy, *_ = energy_of(segments, 5 * S, 20 * S)
    assert energy == pytest.approx(load.energy_ns(5 * S, 20 * S), abs=3_000)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("back", [18.0, 21.4, 26.0])
def test_what_the_counter_bridges_is_as_sure_as_the_counter_and_not_told_as_unknown(load, back):
    load = LOADS[load]()
    readings = locked(Sensor(load, seed=1, faults=[lost(12.33, back)]), 0, SPAN)
    builder, segments = CurveBuilder(GPU), []
    for at in range(10 * SPAN):  # the agent lets time pass meanwhile
        segments += builder.advance(at * S // 10)
        for reading in readings:
            if at * S // 10 <= reading.at_ns < (at + 1) * S // 10:
                segments += builder.feed(reading)
    segments += builder.finish(SPAN * S)
    check_curve(builder, segments)
    energy, low, high = energy_of(segments, 0, SPAN * S - 1)
    truth = load.energy_ns(0, SPAN * S)
    assert energy == pytest.approx(truth, rel=0.01)
    assert low <= truth <= high
    assert high / energy <= 1.07
    assert low / energy >= 0.93
    codes = [notice.code for notice in builder.drain_notices()]
    assert "gap_bridged" in codes
    assert "gap_unknown" not in codes
    made = IntervalBuilder(WallAnchor(0, 0), [Hold("r", GPU.id, 0)])
    for one in segments:
        made.add(one)
    written = made.close_all()
    lasted_us = sum(i.end_us - i.start_us for i in written if not i.correction)
    assert sum(i.covered_us for i in written) == lasted_us
    assert sum(i.high_mj for i in written) <= 1.07 * energy


@pytest.mark.parametrize("end", [13.0, 15.0, 19.5])
def test_a_run_that_ended_in_a_bridged_gap_is_inside_its_bounds(end):
    load = square(low=50, high=690, period=12)
    readings = locked(Sensor(load, seed=1, faults=[lost(12.33, 21.4)]), 0, SPAN)
    builder, segments = grown(readings, SPAN)
    made = IntervalBuilder(
        WallAnchor(0, 0),
        [Hold("r", GPU.id, 0, round(end * S)), Hold("s", GPU.id, round(end * S), SPAN * S)],
    )
    for one in segments:
        made.add(one)
    written = made.close_all()
    for run_id, span in {"r": (0, end * S), "s": (end * S, SPAN * S)}.items():
        own = [i for i in written if i.run_id == run_id]
        truth = load.energy_ns(*span)
        assert sum(i.low_mj for i in own) <= truth <= sum(i.high_mj for i in own)
    assert sum(i.energy_mj for i in written) == builder.curve_mj


def test_failed_looks_cost_nothing_and_are_told():
    load = square()
    sensor = Sensor(load, 3, faults=[unknown(0.05)])
    builder, segments = grown(locked(sensor, 0, SPAN), SPAN)
    builder.fault(DeviceFault(GPU.id, 25 * S, "look", "Unknown Error", code=999))
    check_curve(builder, segments)
    energy, low, high = energy_of(segments, 0, SPAN * S - 1)
    truth = load.energy_ns(0, SPAN * S)
    assert abs(energy / truth - 1) <= 0.002
    assert low <= truth <= high
    (notice,) = builder.drain_notices()
    assert notice.code == "reads_failed"
    assert "Unknown Error" in notice.text


def test_a_field_the_device_never_gives_is_no_failure():
    builder = CurveBuilder(GPU)
    builder.fault(DeviceFault(GPU.id, S, "energy", "Not Supported", code=3))
    assert builder.drain_notices() == []


def test_a_lost_device_is_told():
    builder = CurveBuilder(GPU)
    builder.fault(DeviceFault(GPU.id, S, "look", "GPU is lost", code=15, lost=True))
    assert [n.code for n in builder.drain_notices()] == ["device_lost"]


def test_long_silence_is_settled_as_unknown_and_corrected_by_the_counter():
    load = constant()
    readings = locked(Sensor(load, seed=1), 0, 40)
    builder = CurveBuilder(GPU)
    before = [one for r in readings if r.at_ns < 10 * S for one in builder.feed(r)]
    silent = [one for t in range(10, 31) for one in builder.advance(t * S)]
    assert builder.settled_ns > 28 * S
    assert {one.basis for one in silent if not one.covered} == {Basis.UNKNOWN}
    after = [one for r in readings if r.at_ns > 30 * S for one in builder.feed(r)]
    corrections = [one for one in after if one.correction]
    assert corrections
    assert all(one.energy_mj >= 0 for one in corrections)
    assert {one.basis for one in corrections} == {Basis.COUNTER_GAP}
    check_curve(builder, before + silent + after)
    truth = load.energy_ns(0, builder.settled_ns)
    assert builder.curve_mj == pytest.approx(truth, rel=0.002)
    assert builder.gap_ns > 18 * S


def test_a_counter_stuck_since_the_first_look_is_replaced_by_power():
    load = square()
    sensor = Sensor(load, 2, faults=[stuck(-1, 99, catches_up=False)])
    builder, segments = grown(locked(sensor, 0, SPAN), SPAN)
    check_curve(builder, segments)
    assert builder.curve_mj == pytest.approx(load.energy_ns(0, SPAN * S), rel=0.01)
    assert builder.counter_mj is None


def test_a_long_stuck_counter_that_catches_up_leaves_no_negative_minute():
    load = square(low=10, high=700, period=40)
    sensor = Sensor(load, 2, span=200, faults=[stuck(5.03, 150.1, catches_up=True)])
    builder, segments = grown(locked(sensor, 0, 160), 160)
    check_curve(builder, segments)
    for start in range(0, 160, 5):
        energy, *_ = energy_of(segments, start * S, (start + 5) * S)
        assert energy >= 0
    assert builder.curve_mj == pytest.approx(load.energy_ns(0, 160 * S), rel=0.002)


def test_counter_and_power_that_differ_are_told():
    load = constant()
    builder = CurveBuilder(GPU)
    for reading in locked(Sensor(load, seed=1, span=80), 0, 70):
        wrong = reading.__class__(
            reading.device_id, reading.at_ns, reading.since_ns, reading.energy_mj,
            round(reading.mean_mw * 1.5), None,
        )  # fmt: skip
        builder.feed(wrong)
    assert [n.code for n in builder.drain_notices()] == ["counter_disagrees"]


def test_the_same_notice_is_not_told_again_at_once():
    faults = [glitch(t, 0) for t in (5.03, 6.03, 7.03, 8.03)]
    builder, _ = grown(locked(Sensor(constant(), 1, faults=faults), 0, 12), 12)
    assert [n.code for n in builder.drain_notices()] == ["counter_glitch"]
