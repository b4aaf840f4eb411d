"""Energy of a past run over its quarter hours: nothing is lost, however long it was."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meter.metering.past import Work, intervals
from meter.model import Method
from meter.units import US_PER_HOUR, US_PER_QUARTER

BIG = 10**18
starts = st.integers(0, 2**52)
lengths = st.one_of(
    st.just(0), st.integers(1, 30 * US_PER_HOUR), st.sampled_from([1, US_PER_QUARTER, US_PER_HOUR])
)


@st.composite
def works(draw) -> Work:
    start = draw(starts)
    low, energy, high = sorted(draw(st.tuples(*[st.integers(0, BIG)] * 3)))
    held = draw(st.integers(0, BIG))
    return Work("run", "dev", start, start + draw(lengths), energy, low, high, held)


@given(works())
def test_the_parts_add_up_to_the_millijoule_and_the_microsecond(work):
    parts = intervals(work)
    assert sum(part.energy_mj for part in parts) == work.energy_mj
    assert sum(part.low_mj for part in parts) == work.low_mj
    assert sum(part.high_mj for part in parts) == work.high_mj
    assert sum(part.held_us for part in parts) == work.held_us


@given(works())
def test_the_parts_follow_each_other_and_none_crosses_a_quarter_hour(work):
    parts = intervals(work)
    assert (parts[0].start_us, parts[-1].end_us) == (work.start_us, work.end_us)
    assert all(one.end_us == other.start_us for one, other in pairwise(parts))
    for part in parts:
        last_us = max(part.start_us, part.end_us - 1)
        assert part.start_us // US_PER_QUARTER == last_us // US_PER_QUARTER


@given(works())
def test_each_part_lies_between_its_bounds_and_claims_no_measurement(work):
    for part in intervals(work):
        assert 0 <= part.low_mj <= part.energy_mj <= part.high_mj
        assert (part.covered_us, part.measured_mj, part.method) == (0, 0, Method.MODELLED)


@given(works())
def test_power_is_even_to_a_millijoule_a_part(work):
    length_us = work.end_us - work.start_us
    for part in intervals(work):
        fair = work.energy_mj * (part.end_us - part.start_us)
        assert length_us == 0 or abs(part.energy_mj * length_us - fair) <= 2 * length_us


def test_three_weeks_are_two_thousand_parts_and_not_thirty_million():
    work = Work("run", "dev", 0, 21 * 24 * US_PER_HOUR, 7, 7, 7, 7)
    assert len(intervals(work)) == 21 * 96
