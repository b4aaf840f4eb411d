"""Intervals: cuts at minutes and runs, early writing, late holds, corrections."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from meter.metering.intervals import IntervalBuilder
from meter.metering.point import Point
from meter.metering.splits import notice_of
from meter.metering.wall import WallAnchor
from meter.model import Basis, Component, Device, Hold, Kind, Method, Segment
from meter.units import NS_PER_S, US_PER_MINUTE

ANCHOR = WallAnchor(boot_ns=0, wall_us=1_000 * US_PER_MINUTE)
S = NS_PER_S
GPU = Device("gpu-a", Component.GPU, "NVIDIA H100", Method.MEASURED, index=0)


def segment(start_s, end_s, energy_mj, device="gpu-a", **more):
    return Segment(
        device,
        int(start_s * S),
        int(end_s * S),
        energy_mj,
        more.pop("low_mj", energy_mj * 95 // 100),
        more.pop("high_mj", energy_mj * 105 // 100),
        more.pop("basis", Basis.COUNTER),
        more.pop("method", Method.MEASURED),
        **more,
    )


def seconds(count, energy_mj, device="gpu-a", start=0):
    return [segment(start + i, start + i + 1, energy_mj, device) for i in range(count)]


def hold(run, start_s, end_s=None, device="gpu-a", share=Fraction(1)):
    return Hold(run, device, int(start_s * S), None if end_s is None else int(end_s * S), share)


def builder(*holds, **more):
    return IntervalBuilder(ANCHOR, holds, **more)


def fill(made, segments):
    return [part for one in segments for part in made.add(one)]


def test_a_device_nobody_holds_is_idle():
    made = builder()
    parts = fill(made, seconds(3, 100))
    assert [(p.kind, p.energy_mj) for p in parts] == [(Kind.IDLE, 100)] * 3
    (interval,) = made.close_all()
    assert (interval.kind, interval.energy_mj, interval.run_id) == (Kind.IDLE, 300, None)
    assert interval.start_us == 1_000 * US_PER_MINUTE
    assert interval.end_us - interval.start_us == interval.covered_us == 3_000_000


def test_intervals_never_cross_a_minute():
    made = builder(hold("r", 0))
    made.add(segment(50, 130, 8_001))
    intervals = made.close_all()
    assert [i.energy_mj for i in intervals] == [1_000, 6_000, 1_001]
    assert [i.start_us // US_PER_MINUTE for i in intervals] == [1_000, 1_001, 1_002]
    assert all((i.end_us - 1) // US_PER_MINUTE == i.start_us // US_PER_MINUTE for i in intervals)


def test_a_run_begins_and_ends_inside_a_segment():
    made = builder(hold("r", 2.5, 7.25))
    made.add(segment(0, 10, 1_000))
    assert [(i.kind, i.energy_mj) for i in made.close_all()] == [
        (Kind.IDLE, 250),
        (Kind.RUN, 475),
        (Kind.IDLE, 275),
    ]


def test_a_minute_is_written_once_it_is_over_and_late_holds_are_past():
    made = builder(hold("r", 0))
    fill(made, seconds(69, 10))
    assert made.close(69 * S) == []
    fill(made, seconds(2, 10, start=69))
    (interval,) = made.close(71 * S)
    assert interval.energy_mj == 600
    assert made.close(71 * S) == []
    assert [i.energy_mj for i in made.open()] == [110]
    assert [i.energy_mj for i in made.close_all()] == [110]


def test_the_end_of_a_run_closes_its_devices_at_once():
    made = builder(hold("r", 0), hold("other", 0, device="gpu-b"))
    for device in ("gpu-a", "gpu-b"):
        fill(made, seconds(30, 10, device))
    made.release("r", 20 * S)
    closed = made.close(20 * S, run_id="r")
    assert [(i.device_id, i.run_id, i.energy_mj) for i in closed] == [("gpu-a", "r", 200)]
    assert made.energy_mj("r") == 200
    assert {(i.device_id, i.energy_mj) for i in made.open()} == {("gpu-a", 100), ("gpu-b", 300)}


def test_a_release_in_the_past_gives_back_what_was_booked():
    made = builder(hold("r", 0))
    fill(made, seconds(10, 10))
    parts = made.release("r", 7 * S)
    assert {(p.kind, p.energy_mj) for p in parts} == {(Kind.RUN, -30), (Kind.IDLE, 30)}


def test_a_late_hold_takes_what_is_still_open():
    made = builder()
    fill(made, seconds(10, 10))
    parts = made.hold(hold("r", 4))
    assert {(p.kind, p.energy_mj) for p in parts} == {(Kind.RUN, 60), (Kind.IDLE, -60)}
    assert [(i.kind, i.energy_mj) for i in made.close_all()] == [(Kind.IDLE, 40), (Kind.RUN, 60)]


def test_a_late_hold_does_not_reach_what_is_written():
    made = builder()
    fill(made, seconds(10, 10))
    made.close_all()
    assert made.hold(hold("r", 4)) == []
    fill(made, seconds(10, 10, start=10))
    assert [(i.kind, i.energy_mj) for i in made.close_all()] == [(Kind.RUN, 100)]


def test_a_hold_over_before_anything_is_open_changes_nothing():
    made = builder()
    fill(made, seconds(10, 10))
    made.close_all()
    assert made.hold(hold("r", 4, 6)) == []
    assert made.open() == []


def test_shares_of_concurrent_holds_are_scaled_to_the_whole():
    made = builder(hold("a", 0), hold("b", 0))
    made.add(segment(0, 1, 101))
    assert sorted((i.run_id, i.energy_mj) for i in made.close_all()) == [("a", 50), ("b", 51)]


def test_what_a_partial_hold_leaves_is_unattributed():
    made = builder(hold("a", 0, share=Fraction(3, 7)))
    made.add(segment(0, 1, 700))
    found = {(i.kind, i.run_id): i.energy_mj for i in made.close_all()}
    assert found == {(Kind.RUN, "a"): 300, (Kind.UNATTRIBUTED, None): 400}


def test_what_each_of_two_runs_used_is_modelled_and_may_be_nothing_or_all():
    made = builder(hold("a", 0), hold("b", 0))
    parts = made.add(segment(0, 1, 1_000))
    found = made.close_all()
    for one in [*parts, *found]:
        assert (one.low_mj, one.energy_mj, one.high_mj) == (0, 500, 1_050)
        assert one.method is Method.MODELLED
    assert [i.measured_mj for i in found] == [0, 0]


def test_a_mig_share_is_modelled_and_so_is_what_it_leaves():
    made = builder(hold("a", 0, share=Fraction(3, 7)))
    made.add(segment(0, 1, 700))
    for one in made.close_all():
        assert (one.low_mj, one.high_mj, one.method) == (0, 735, Method.MODELLED)


def test_a_share_is_no_stronger_than_what_it_is_a_share_of():
    made = builder(hold("a", 0), hold("b", 0))
    made.add(segment(0, 1, 700, method=Method.ASSUMED))
    assert {i.method for i in made.close_all()} == {Method.ASSUMED}


def test_a_hold_of_nothing_splits_nothing():
    made = builder(hold("", 0, share=Fraction(0)))
    made.add(segment(0, 1, 100))
    found = {i.kind: (i.low_mj, i.high_mj, i.method) for i in made.close_all()}
    assert found[Kind.UNATTRIBUTED] == (95, 105, Method.MEASURED)
    assert found[Kind.RUN][:2] == (0, 0)
    assert made.drain_splits() == []


def test_only_the_time_that_was_shared_is_split():
    made = builder(hold("a", 0), hold("b", 6))
    fill(made, seconds(10, 100))
    found = [(i.run_id, i.method, i.measured_mj) for i in made.close_all()]
    assert found == [
        ("a", Method.MEASURED, 600),
        ("a", Method.MODELLED, 0),
        ("b", Method.MODELLED, 0),
    ]


def test_the_edge_of_a_split_is_as_wide_as_the_devices():
    made = builder(hold("a", 0.5), hold("b", 0.5))
    made.add(segment(0, 1, 100, low_mj=100, high_mj=100, below_mj=8, end_below_mj=8))
    found = [i for i in made.close_all() if i.kind is Kind.RUN]
    assert [(i.low_mj, i.high_mj) for i in found] == [(0, 58), (0, 58)]


def test_a_correction_of_shared_time_is_split_like_it():
    made = builder(hold("a", 0), hold("b", 0))
    fill(made, seconds(10, 100))
    parts = made.add(segment(0, 10, -100, low_mj=-105, high_mj=-95, correction=True))
    found = [i for i in made.close_all() if i.correction]
    for one in [*parts, *found]:
        assert (one.low_mj, one.energy_mj, one.high_mj) == (0, -50, -95)
        assert one.method is Method.MODELLED


def test_a_late_hold_that_splits_books_modelled_parts():
    made = builder(hold("a", 0))
    fill(made, seconds(10, 100))
    parts = made.hold(hold("b", 4))
    assert {(p.run_id, p.energy_mj, p.method) for p in parts} == {
        ("a", -300, Method.MODELLED),
        ("b", 300, Method.MODELLED),
    }


def test_the_runs_of_a_split_are_told_once_it_is_closed():
    made = builder(hold("a", 0), hold("b", 6))
    fill(made, seconds(10, 100))
    assert made.drain_splits() == []
    made.close_all()
    splits = made.drain_splits()
    assert [(s.run_id, s.device_id, s.runs, s.scaled) for s in splits] == [
        ("a", "gpu-a", 2, True),
        ("b", "gpu-a", 2, True),
    ]
    assert made.drain_splits() == []
    notice = notice_of(splits[0], GPU)
    assert (notice.code, notice.run_id, notice.device_id) == ("shared_device", "a", "gpu-a")
    text = "GPU 0 was held by several runs at once; its energy was split equally"
    assert notice.text.startswith(text)
    third = replace(splits[0], runs=3, share=Fraction(1, 3))  # came later, or after a restart
    assert notice_of(third, GPU).text == notice.text


def test_a_mig_share_is_told_as_one():
    made = builder(hold("a", 0, share=Fraction(3, 7)), hold("b", 0, share=Fraction(2, 7)))
    made.add(segment(0, 1, 700))
    made.close_all()
    notices = [notice_of(split, GPU) for split in made.drain_splits()]
    assert [notice.code for notice in notices] == ["mig_share", "mig_share"]
    assert notices[0].text.startswith("The run held 3/7 of GPU 0 (MIG)")


def test_the_same_hold_twice_counts_once():
    made = builder(hold("a", 0, share=Fraction(1, 2)), hold("a", 0, share=Fraction(1, 2)))
    made.add(segment(0, 1, 100))
    assert {i.kind: i.energy_mj for i in made.close_all()} == {
        Kind.RUN: 50,
        Kind.UNATTRIBUTED: 50,
    }


def test_the_edge_term_is_added_once_at_each_end_of_a_run():
    bounds = {"below_mj": 4, "above_mj": 6, "end_below_mj": 8, "end_above_mj": 2}
    made = builder(hold("r", 0.5, 2.5))
    fill(made, [segment(i, i + 1, 100, low_mj=100, high_mj=100, **bounds) for i in range(4)])
    found = {i.kind: i for i in made.close_all() if i.kind is Kind.RUN}[Kind.RUN]
    # in the middle of a segment the curve may be 6 lower and 4 higher
    assert (found.low_mj, found.energy_mj, found.high_mj) == (200 - 10, 200, 200 + 10)
    assert all(i.low_mj == i.high_mj for i in made.close_all() if i.kind is Kind.IDLE)


def test_no_edge_term_where_a_run_is_only_written_early():
    made = builder(hold("r", 0))
    fill(made, [segment(i, i + 1, 100, low_mj=100, high_mj=100, end_below_mj=9) for i in range(2)])
    made.add(segment(2, 3, 100, low_mj=100, high_mj=100, below_mj=7, above_mj=7))
    (first,) = made.close(int(1.5 * S), run_id="r")
    assert (first.low_mj, first.energy_mj, first.high_mj) == (150, 150, 150)


def test_a_run_that_began_before_the_first_reading_has_an_edge_where_the_curve_begins():
    made = builder(hold("r", 0))
    made.add(segment(1, 2, 100, low_mj=100, high_mj=100, below_mj=3, above_mj=5))
    (interval,) = made.close_all()
    assert (interval.low_mj, interval.high_mj) == (95, 103)


def test_an_unknown_gap_is_not_covered_and_makes_no_method_weaker():
    made = builder(hold("r", 0))
    made.add(segment(0, 1, 100))
    made.add(segment(1, 3, 0, basis=Basis.UNKNOWN, covered=False, method=Method.ASSUMED))
    (interval,) = made.close_all()
    assert interval.covered_us == 1_000_000
    assert interval.end_us - interval.start_us == 3_000_000
    assert interval.method is Method.MEASURED


def test_a_weaker_part_weakens_the_interval_and_keeps_the_measured_share():
    made = builder()
    made.add(segment(0, 1, 100))
    made.add(segment(1, 2, 50, basis=Basis.MODEL, method=Method.MODELLED))
    (interval,) = made.close_all()
    assert (interval.method, interval.measured_mj) == (Method.MODELLED, 100)


def test_a_correction_reaches_the_runs_of_its_time_even_when_they_are_written():
    made = builder(hold("r", 0, 30))
    fill(made, seconds(70, 10))
    made.close_all()
    parts = made.add(segment(20, 40, -20, low_mj=-30, high_mj=0, correction=True))
    assert {(p.run_id, p.energy_mj, p.correction) for p in parts} == {
        ("r", -10, True),
        (None, -10, True),
    }
    closed = made.close(70 * S)
    assert {(i.kind, i.energy_mj, i.correction) for i in closed} == {
        (Kind.RUN, -10, True),
        (Kind.IDLE, -10, True),
    }
    assert all(i.covered_us == 0 for i in closed)
    assert made.energy_mj("r") == 290


def test_a_correction_of_open_time_waits_for_late_holds():
    made = builder()
    fill(made, seconds(10, 10))
    made.add(segment(0, 10, 20, correction=True))
    assert made.close(10 * S) == []
    made.hold(hold("r", 5))
    found = {(i.kind, i.energy_mj) for i in made.close_all() if i.correction}
    assert found == {(Kind.RUN, 10), (Kind.IDLE, 10)}


def test_corrections_of_one_minute_are_written_as_one():
    made = builder(hold("r", 0))
    fill(made, seconds(130, 10))
    for start in range(40, 80):
        made.add(segment(start, start + 1, -1, low_mj=-1, high_mj=-1, correction=True))
    found = [i for i in made.close_all() if i.correction]
    assert [(i.energy_mj, (i.end_us - i.start_us) // 10**6) for i in found] == [(-20, 20)] * 2


def test_a_runs_energy_at_an_instant_of_the_open_minute():
    made = builder(hold("r", 0))
    fill(made, seconds(90, 10))
    made.close(90 * S)
    assert made.energy_mj("r") == 900
    assert made.energy_mj("r", int(72.5 * S)) == 725


def test_after_a_restart_only_what_is_not_written_counts():
    made = builder(hold("r", 0))
    made.restore("r", Point(50, 50, 50))
    made.resume("gpu-a", 5 * S)
    fill(made, seconds(10, 10))
    assert [i.energy_mj for i in made.close_all()] == [50]
    assert made.energy_mj("r") == 100


def test_another_wall_time_changes_labels_and_no_energy():
    made = builder(hold("r", 0))
    fill(made, seconds(30, 10))
    before = made.reanchor(WallAnchor(0, 7_777 * US_PER_MINUTE))
    fill(made, seconds(30, 10, start=30))
    after = made.close_all()
    assert sum(i.energy_mj for i in before + after) == 600
    assert after[0].start_us == 7_777 * US_PER_MINUTE + 30_000_000
