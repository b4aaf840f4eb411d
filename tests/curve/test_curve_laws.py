"""Laws of the curve: whatever the readings, nothing is negative, lost, or out of order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from curve.curve_sensor import GPU, MS, S, Sensor, check_curve, grown, locked, square
from meter.model import Basis, Component, Device, Method, Reading
from meter.sampling.curve import CurveBuilder, CurveStart

POWERS = st.one_of(st.none(), st.integers(0, 800_000), st.just(4_000_000_000))


@st.composite
def any_readings(draw):
    """Anything a broken driver may show, with any pauses."""
    readings, at, energy = [], 0, 10_000_000
    for _ in range(draw(st.integers(0, 60))):
        before = at
        at += draw(st.one_of(st.integers(1, 300), st.integers(1, 20_000))) * MS
        energy += draw(
            st.one_of(st.just(0), st.integers(0, 90_000), st.integers(-20_000_000, 10**13))
        )
        shown = draw(st.one_of(st.none(), st.just(max(energy, 0)), st.just(max(energy, 0))))
        since = draw(st.sampled_from([None, before, at - 1]))
        readings.append(Reading(GPU.id, at, since, shown, draw(POWERS), draw(POWERS)))
    return readings


@given(any_readings(), st.integers(0, 30), st.sampled_from([700_000, None]))
@settings(max_examples=300, deadline=None)
def test_any_readings_make_a_curve(readings, after, limit):
    device = Device("gpu-a", Component.GPU, "H100", Method.MEASURED, power_limit_mw=limit)
    end = (readings[-1].at_ns if readings else 0) / S + after
    builder, segments = grown(readings, end, device=device)
    check_curve(builder, segments)
    told = [r for r in readings if (r.energy_mj, r.mean_mw, r.instant_mw) != (None, None, None)]
    if told:
        assert builder.settled_ns >= round(end * S)
    if segments:
        assert segments[0].start_ns == told[0].at_ns


@given(any_readings())
@settings(max_examples=100, deadline=None)
def test_feeding_twice_adds_nothing(readings):
    builder = CurveBuilder(GPU)
    for reading in readings:
        builder.feed(reading)
    before = builder.curve_mj
    assert [builder.feed(reading) for reading in readings] == [[]] * len(readings)
    assert builder.curve_mj == before


STEADY = locked(Sensor(square(), seed=6), 0, 20)


@given(st.integers(20, len(STEADY) - 20), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_a_restart_is_no_restart_and_a_gap(stop, missed):
    before, after = STEADY[:stop], STEADY[stop + missed :]
    if len(after) < 5:
        after = STEADY[-5:]
    straight, _ = grown(before + after, 20)
    builder = CurveBuilder(GPU)
    first = [one for reading in before for one in builder.feed(reading)]
    start = CurveStart(builder.curve_mj, builder.settled_ns, builder.counter_mj, builder.settled_ns)
    again, second = grown(after, 20, start=start)
    check_curve(builder, first)
    assert first[-1].end_ns == second[0].start_ns == start.settled_ns
    assert sum(one.energy_mj for one in first + second) == again.curve_mj
    assert abs(again.curve_mj - straight.curve_mj) <= 1_000
    assert second[0].basis is Basis.COUNTER_GAP


@given(st.lists(st.integers(1, 200), max_size=40))
@settings(max_examples=60, deadline=None)
def test_letting_time_pass_between_readings_changes_nothing(pauses):
    builder = CurveBuilder(GPU)
    expected = [one for reading in STEADY for one in builder.feed(reading)]
    other = CurveBuilder(GPU)
    found = []
    for index, reading in enumerate(STEADY):
        found += other.feed(reading)
        if index < len(pauses):
            found += other.advance(reading.at_ns + pauses[index] * MS)
    assert found == expected
