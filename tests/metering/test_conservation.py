"""Laws: nothing is lost, nothing is counted twice, however time is cut and whatever comes late."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meter.metering.intervals import IntervalBuilder
from meter.model import Basis, Hold, Kind, Method, Segment
from meter.units import NS_PER_MS
from metering.laws import (
    ANCHOR,
    SPAN_MS,
    curves,
    hold_lists,
    instants,
    owners,
    shares,
    two_curves,
)


def all_at_once(curve, held):
    made = IntervalBuilder(ANCHOR, held)
    for one in curve:
        made.add(one)
    return made.close_all()


@given(two_curves, hold_lists)
def test_runs_and_idle_and_unattributed_are_the_device(pair, held):
    for curve in pair:
        found = all_at_once(curve, held)
        assert sum(i.energy_mj for i in found) == sum(s.energy_mj for s in curve)
        assert sum(i.low_mj for i in found) <= sum(s.low_mj for s in curve)
        assert sum(i.high_mj for i in found) >= sum(s.high_mj for s in curve)
        measured = sum(s.energy_mj for s in curve if s.method is Method.MEASURED)
        split = any(i.kind is not Kind.IDLE and i.method is Method.MODELLED for i in found)
        assert sum(i.measured_mj for i in found) <= measured
        assert split or measured - len(found) <= sum(i.measured_mj for i in found)
        assert all(0 <= i.low_mj <= i.energy_mj <= i.high_mj for i in found)
        assert all(0 <= i.measured_mj <= i.energy_mj for i in found)
        assert all(0 <= i.covered_us <= i.end_us - i.start_us for i in found)


@given(two_curves, hold_lists)
def test_held_times_of_all_owners_add_up_to_the_devices_time(pair, held):
    span_us = ANCHOR.us(SPAN_MS * NS_PER_MS) - ANCHOR.us(0)
    for curve in pair:
        found = all_at_once(curve, held)
        assert sum(i.held_us for i in found) == span_us
        assert all(0 <= i.held_us <= i.end_us - i.start_us for i in found)


@given(curves("gpu-a"), st.lists(shares, min_size=1, max_size=4))
def test_runs_that_share_a_device_hold_their_shares_of_its_time(curve, claims):
    held = [Hold(f"run-{n}", "gpu-a", 0, None, share) for n, share in enumerate(claims)]
    times = Counter()
    for interval in all_at_once(curve, held):
        times[interval.run_id] += interval.held_us
    span_us = ANCHOR.us(SPAN_MS * NS_PER_MS) - ANCHOR.us(0)
    scale = max(1, sum(claims))
    minutes = 4
    for hold in held:
        assert abs(times[hold.run_id] - span_us * hold.share / scale) <= minutes * len(held)


@given(two_curves, hold_lists)
def test_intervals_stay_inside_a_minute(pair, held):
    for interval in all_at_once(pair[0] + pair[1], held):
        assert interval.start_us // 60_000_000 == (interval.end_us - 1) // 60_000_000


@given(curves("gpu-a"), hold_lists, st.lists(instants, max_size=6))
def test_writing_early_changes_nothing(curve, held, cuts):
    expected = owners(all_at_once(curve, held))
    made = IntervalBuilder(ANCHOR, held)
    written = []
    pending = sorted(cuts)
    for one in curve:
        made.add(one)
        for cut in pending:
            written += made.close(cut)
            written += made.close(cut, run_id="r")
    written += made.close_all()
    assert owners(written) == expected


@given(curves("gpu-a"), st.lists(instants, max_size=6))
def test_writing_early_leaves_the_bounds_of_a_split_as_they_are(curve, cuts):
    held = [Hold("r", "gpu-a", 0), Hold("s", "gpu-a", 0)]
    made = IntervalBuilder(ANCHOR, held)
    for one in curve:
        made.add(one)
    written = [i for cut in sorted(cuts) for i in made.close(cut, run_id="r")]
    written += made.close_all()
    for run_id in "rs":
        own = [i for i in written if i.run_id == run_id]
        assert sum(i.low_mj for i in own) == sum(i.measured_mj for i in own) == 0
        above = sum(i.high_mj for i in own) - sum(s.high_mj for s in curve)
        assert 0 <= above <= len(own)  # never below the energy, which was rounded by itself


@given(two_curves, hold_lists, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(pair, held, random):
    expected = owners(all_at_once(pair[0] + pair[1], held))
    made = IntervalBuilder(ANCHOR)
    queues = [list(pair[0]), list(pair[1]), random.sample(held, len(held))]
    booked = Counter()
    while any(queues):
        queue = random.choice([q for q in queues if q])
        item = queue.pop(0)
        parts = made.hold(item) if isinstance(item, Hold) else made.add(item)
        for part in parts:
            booked[part.device_id, part.kind, part.run_id, "energy"] += part.energy_mj
            booked[part.device_id, part.kind, part.run_id, "held"] += part.held_us
    found = made.close_all()
    assert owners(found) == expected
    totals = Counter()
    for i in found:
        totals[i.device_id, i.kind, i.run_id, "energy"] += i.energy_mj
        totals[i.device_id, i.kind, i.run_id, "held"] += i.held_us
    assert +booked == +totals


@given(curves("gpu-a"), hold_lists, instants)
def test_releasing_later_is_the_same_as_a_hold_with_its_end(curve, held, end):
    ended = [
        h if h.run_id != "r" or (h.end_ns is not None and h.end_ns <= end)
        else Hold(h.run_id, h.device_id, h.start_ns, max(end, h.start_ns), h.share)
        for h in held
    ]  # fmt: skip
    made = IntervalBuilder(ANCHOR, held)
    for one in curve:
        made.add(one)
    made.release("r", end)
    assert owners(made.close_all()) == owners(all_at_once(curve, ended))


@given(curves("gpu-a"), st.sets(instants, max_size=8))
def test_a_device_cut_among_runs_adds_up_to_the_uncut_one(curve, cuts):
    marks = [0, *sorted(cuts), SPAN_MS * NS_PER_MS]
    held = [
        Hold(f"run-{i}", "gpu-a", start, end)
        for i, (start, end) in enumerate(pairwise(marks))
        if end > start
    ]
    by_minute, whole = Counter(), Counter()
    for i in all_at_once(curve, held):
        by_minute[i.start_us // 60_000_000] += i.energy_mj
    for i in all_at_once(curve, []):
        whole[i.start_us // 60_000_000] += i.energy_mj
    assert +by_minute == +whole


@given(curves("gpu-a"), hold_lists, st.integers(-1_000, 1_000))
def test_corrections_add_up_too(curve, held, energy):
    correction = Segment(
        "gpu-a", 1_000_003, 140_000 * NS_PER_MS, energy, energy, energy,
        Basis.COUNTER, Method.MEASURED, correction=True,
    )  # fmt: skip
    made = IntervalBuilder(ANCHOR, held)
    for one in curve:
        made.add(one)
    early = made.close(80_000 * NS_PER_MS)
    made.add(correction)
    late = made.close_all()
    assert sum(i.energy_mj for i in late if i.correction) == energy
    total = sum(i.energy_mj for i in early + late)
    assert total == energy + sum(s.energy_mj for s in curve)
