"""Energy of a run up to an instant: what its intervals would be if it ended there."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from meter.metering.intervals import IntervalBuilder
from meter.metering.point import KNOTS, Point, Written
from meter.metering.wall import WallAnchor
from meter.model import Basis, Hold, Method, Segment

MS = 1_000_000
S = 1_000 * MS
ANCHOR = WallAnchor(boot_ns=0, wall_us=1_000 * 60_000_000)
SPAN_S = 150

lengths = st.lists(st.integers(1, 20_000), min_size=1, max_size=25)
amounts = st.integers(0, 5_000)
edges = st.tuples(amounts, amounts)


@st.composite
def curves(draw, device: str):
    """Settled segments of a device, one after another, from 0 on."""
    found, at_ms = [], 0
    below, above = 0, 0
    for length_ms in draw(lengths):
        energy = draw(st.integers(0, 1_000_000))
        end_below, end_above = draw(edges)
        found.append(
            Segment(
                device, at_ms * MS, (at_ms + length_ms) * MS, energy, energy * 95 // 100,
                energy * 105 // 100 + 1, Basis.COUNTER, Method.MEASURED, below_mj=below,
                above_mj=above, end_below_mj=end_below, end_above_mj=end_above,
            )
        )  # fmt: skip
        at_ms, below, above = at_ms + length_ms, end_below, end_above
    return found


def built(segments, holds, closings=()) -> IntervalBuilder:
    builder = IntervalBuilder(ANCHOR, holds, late_ns=0)
    closings = iter(closings)
    for segment in segments:
        builder.add(segment)
        if next(closings, False):
            builder.close(segment.end_ns)
    return builder


@given(curves("a"), curves("b"), st.integers(0, 60_000), st.integers(1, 240_000), st.data())
def test_it_is_the_energy_of_a_run_that_ends_there(one, other, start_ms, at_ms, data) -> None:
    start_ns, at_ns = start_ms * MS, (start_ms + at_ms) * MS
    share = data.draw(st.sampled_from([Fraction(1), Fraction(1, 3)]))
    holds = [Hold("r", "a", start_ns), Hold("q", "a", 3 * S, None, share), Hold("r", "b", start_ns)]
    segments = one + other
    ended = [Hold(h.run_id, h.device_id, h.start_ns, at_ns, h.share) for h in holds]
    own = [i for i in built(segments, ended).close_all() if i.run_id == "r"]
    point = built(segments, holds).point("r", at_ns)
    assert point.energy == sum(i.energy_mj for i in own)
    assert point.low <= point.energy <= point.high
    assert max(0, point.low - point.below) <= sum(i.low_mj for i in own)
    assert point.high + point.above >= sum(i.high_mj for i in own)


@given(curves("a"), st.lists(st.booleans(), max_size=25), st.integers(0, 300_000))
def test_closing_changes_nothing_but_how_sure_an_instant_before_it_is(
    segments, closings, at_ms
) -> None:
    hold = [Hold("r", "a", 0)]
    open_, closed = built(segments, hold), built(segments, hold, closings)
    assert closed.point("r").energy == open_.point("r").energy
    then, late = open_.point("r", at_ms * MS), closed.point("r", at_ms * MS)
    assert late.energy - late.below <= then.energy <= late.energy + late.above


@given(curves("a"), st.lists(st.integers(0, 300_000), min_size=2, max_size=8))
def test_it_grows_with_time_and_steps_add_up(segments, instants) -> None:
    builder = built(segments, [Hold("r", "a", 0)])
    points = [builder.point("r", at * MS) for at in sorted(instants)]
    energies = [p.energy for p in points]
    assert energies == sorted(energies)
    assert [p.low for p in points] == sorted(p.low for p in points)


def test_a_correction_counts_before_it_is_written_and_after() -> None:
    segment = Segment("a", 0, 90 * S, 9_000, 9_000, 9_000, Basis.POWER_MEAN, Method.MEASURED)
    back = Segment("a", 0, 90 * S, -900, -900, -900, Basis.COUNTER, Method.MEASURED,
                   correction=True)  # fmt: skip
    builder = built([segment], [Hold("r", "a", 0)])
    builder.add(back)
    assert builder.point("r", 60 * S).energy == 5_400
    builder.close(90 * S)
    assert builder.point("r").energy == 8_100


def test_of_a_long_run_the_oldest_is_forgotten_and_said_to_be_unknown() -> None:
    written = Written()
    for minute in range(2 * KNOTS):
        written.add(minute * S, (minute + 1) * S, 10, 9, 11)
    assert written.last == Point(20 * KNOTS, 18 * KNOTS, 22 * KNOTS)
    assert written.at(2 * KNOTS * S - S // 2) == Point(
        20 * KNOTS - 5, 18 * KNOTS - 5, 22 * KNOTS - 6, 5, 5
    )
    old = written.at(S)
    assert old.low == 0
    assert old.energy - old.below == 0


def test_a_run_that_is_taken_up_goes_on_from_what_was_written() -> None:
    builder = IntervalBuilder(ANCHOR)
    builder.restore("r", Point(500, 400, 600))
    builder.resume("a", 60 * S)
    builder.hold(Hold("r", "a", 0))
    builder.add(Segment("a", 60 * S, 70 * S, 100, 95, 105, Basis.COUNTER, Method.MEASURED))
    assert builder.point("r", 65 * S)[:3] == (550, 447, 652)
