"""Devices that several runs hold, split by their use: whose is what, and that all adds up."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.metering.activity import LASTING_NS, REMEMBERED, IdlePolicy, Looks, Use
from meter.metering.intervals import IntervalBuilder
from meter.metering.splits import notice_of
from meter.metering.wall import WallAnchor
from meter.model import Basis, Component, Device, Hold, Kind, Method, Segment
from meter.units import NS_PER_MS, NS_PER_S, US_PER_MINUTE
from metering.laws import ANCHOR as ODD_ANCHOR
from metering.laws import SPAN_MS, curves, hold_lists, holds, instants, owners

ANCHOR = WallAnchor(boot_ns=0, wall_us=1_000 * US_PER_MINUTE)
S = NS_PER_S
GPU = Device("gpu-a", Component.GPU, "NVIDIA H100", Method.MEASURED, index=0)
POLICIES = st.sampled_from(IdlePolicy)


def hold(run, start_s, share=Fraction(1)):
    return Hold(run, "gpu-a", start_s * S, None, share)


def segment(start_s, end_s, energy_mj):
    low, high = energy_mj * 95 // 100, energy_mj * 105 // 100
    return Segment(
        "gpu-a", start_s * S, end_s * S, energy_mj, low, high, Basis.COUNTER, Method.MEASURED
    )


def fill(made, count, energy_mj, start=0):
    for second in range(start, start + count):
        made.add(segment(second, second + 1, energy_mj))


def builder(*held, idle=IdlePolicy.OWNER):
    return IntervalBuilder(ANCHOR, held, idle=idle)


def use(from_s, at_s, others=None, idle_mw=0, **runs):
    return Use(int(from_s * S), int(at_s * S), tuple(sorted(runs.items())), others, idle_mw)


def shared(*looks, idle=IdlePolicy.OWNER, energy_mj=1_000, held=("a", "b")):
    """Energy of ten seconds on a device that runs hold, by owner."""
    made = builder(*(hold(run, 0) for run in held), idle=idle)
    for look in looks:
        made.weigh("gpu-a", look)
    fill(made, 10, energy_mj)
    found = Counter()
    for i in made.close_all():
        found[i.run_id or i.kind.value] += i.energy_mj
    return dict(+found)


def test_energy_above_idle_goes_by_use_and_idle_to_the_runs_on_the_device():
    assert shared(use(0, 10, a=90, b=30, idle_mw=200)) == {"a": 7_000, "b": 3_000}


@pytest.mark.parametrize(
    ("idle", "expected"),
    [
        (IdlePolicy.OWNER, {"a": 10_000}),
        (IdlePolicy.SHARED, {"a": 9_000, "b": 1_000}),
        (IdlePolicy.NONE, {"a": 8_000, "idle": 2_000}),
    ],
)
def test_idle_power_goes_by_the_declared_policy(idle, expected):
    assert shared(use(0, 10, a=90, idle_mw=200), idle=idle) == expected


def test_use_by_processes_of_no_run_is_unattributed():
    found = shared(use(0, 10, others=50, a=25, b=25, idle_mw=200))
    assert found == {"a": 3_000, "b": 3_000, "unattributed": 4_000}


def test_a_device_that_nobody_uses_is_idle_whatever_it_draws():
    nobody = use(0, 10, idle_mw=200)
    assert shared(nobody) == {"a": 5_000, "b": 5_000}
    assert shared(nobody, idle=IdlePolicy.NONE) == {"idle": 10_000}


def test_a_device_whose_processes_do_nothing_goes_to_those_that_have_one():
    assert shared(use(0, 10, a=0, idle_mw=200), held="abc") == {"a": 10_000}
    assert shared(use(0, 10, others=0, idle_mw=200)) == {"unattributed": 10_000}


def test_power_below_the_idle_power_is_all_idle():
    assert shared(use(0, 10, a=99, b=1, idle_mw=5_000)) == {"a": 5_000, "b": 5_000}


def test_each_look_replaces_what_was_carried_forward():
    assert shared(use(0, 4, a=1), use(4, 8, b=1)) == {"a": 4_000, "b": 6_000}
    assert shared(use(4, 8, b=1), use(0, 4, a=1)) == {"a": 4_000, "b": 6_000}


def test_before_the_first_look_the_device_is_split_equally():
    assert shared(use(6, 8, b=1)) == {"a": 3_000, "b": 7_000}


def test_a_look_is_believed_for_half_a_minute():
    made = builder(hold("a", 0), hold("b", 0))
    made.weigh("gpu-a", use(0, 2, a=1))
    fill(made, 52, 100)
    found = Counter()
    for i in made.close_all():
        found[i.run_id] += i.energy_mj
    assert found == {"a": 3_200 + 1_000, "b": 1_000}


def test_a_look_tells_nothing_of_a_run_that_came_after_it():
    made = builder(hold("a", 0), hold("b", 0), hold("c", 5))
    made.weigh("gpu-a", use(0, 2, a=1))
    fill(made, 8, 300)
    assert made.energy_mj("b") == made.energy_mj("c") == 300
    made.weigh("gpu-a", use(2, 8, a=1, c=2))
    assert (made.energy_mj("b"), made.energy_mj("c")) == (0, 600)


def test_a_late_look_moves_open_energy_and_tells_what_it_moved():
    made = builder(hold("a", 0), hold("b", 0))
    fill(made, 10, 100)
    parts = made.weigh("gpu-a", use(4, 8, a=1))
    assert [(p.run_id, p.energy_mj, p.held_us) for p in parts] == [("a", 300, 0), ("b", -300, 0)]
    assert made.weigh("gpu-a", use(4, 8, a=1)) == []


def test_a_look_does_not_reach_what_is_written():
    made = builder(hold("a", 0), hold("b", 0))
    fill(made, 10, 100)
    made.close_all()
    assert made.weigh("gpu-a", use(4, 8, a=1)) == []
    assert made.energy_mj("b") == 500
    fill(made, 10, 100, start=10)
    assert made.energy_mj("b") == 500


def test_a_device_that_one_run_holds_is_measured_and_all_its():
    made = builder(hold("a", 0), hold("b", 5))
    made.weigh("gpu-a", use(0, 10, others=50, b=50, idle_mw=10))
    fill(made, 5, 100)
    (interval,) = made.close_all()
    assert (interval.run_id, interval.energy_mj, interval.method) == ("a", 500, Method.MEASURED)


def test_slices_of_a_board_are_not_split_by_use():
    made = builder(hold("a", 0, share=Fraction(3, 7)), hold("b", 0, share=Fraction(4, 7)))
    made.weigh("gpu-a", use(0, 10, a=1))
    made.add(segment(0, 10, 7_000))
    assert (made.energy_mj("a"), made.energy_mj("b")) == (3_000, 4_000)


def test_looks_of_one_minute_and_owner_are_one_interval():
    made = builder(hold("a", 0), hold("b", 0))
    for second in range(0, 80, 2):
        made.weigh("gpu-a", use(second, second + 2, a=second + 1, b=5))
    fill(made, 80, 100)
    found = made.close_all()
    assert [(i.run_id, i.end_us - i.start_us) for i in found] == [
        ("a", 60_000_000), ("b", 60_000_000), ("a", 20_000_000), ("b", 20_000_000),
    ]  # fmt: skip
    assert sum(i.energy_mj for i in found) == 8_000
    assert {(i.low_mj, i.method) for i in found} == {(0, Method.MODELLED)}
    assert [i.high_mj for i in found] == [6_300, 6_300, 2_100, 2_100]


@pytest.mark.parametrize(("seen", "how"), [(True, "least seen"), (False, "from its limit")])
def test_a_split_by_use_is_told_with_the_idle_power_it_stands_on(seen, how):
    made = builder(hold("a", 0), hold("b", 0))
    made.weigh("gpu-a", Use(0, S, (("a", 1),), None, 70_000, seen))
    fill(made, 5, 100_000)
    made.close_all()
    notices = [notice_of(split, GPU) for split in made.drain_splits()]
    assert [(n.code, n.run_id) for n in notices] == [("shared_by_use", "a"), ("shared_by_use", "b")]
    assert how in notices[0].text
    assert "70 W" in notices[0].text


def test_old_looks_are_forgotten():
    looks = Looks()
    for n in range(REMEMBERED + 1):
        looks.put(Use(n * S, (n + 1) * S))
    assert looks.at(S // 2) == (None, S)
    assert looks.at(S) == (Use(S, 2 * S), 2 * S)
    last = looks.at((REMEMBERED + 1) * S)
    assert last == (Use(REMEMBERED * S, (REMEMBERED + 1) * S), (REMEMBERED + 1) * S + LASTING_NS)


# -- laws ---------------------------------------------------------------------------------------

weights = st.integers(0, 100_000)
whole_holds = holds().map(lambda h: Hold(h.run_id, "gpu-a", h.start_ns, h.end_ns))
crowds = st.lists(
    st.one_of(whole_holds, whole_holds, holds()),
    max_size=6,
    unique_by=lambda h: (h.run_id, h.device_id, h.start_ns),
)


@st.composite
def looks(draw):
    from_ns, at_ns = sorted((draw(instants), draw(instants)))
    runs = draw(st.dictionaries(st.sampled_from("rst"), weights, max_size=3))
    others = draw(st.none() | weights)
    idle_mw = draw(st.sampled_from([0, 1, 30, 1_000, 10**7]))
    return Use(from_ns, at_ns, tuple(sorted(runs.items())), others, idle_mw)


look_lists = st.lists(looks(), max_size=6)


def made_of(curve, held, seen, idle):
    made = IntervalBuilder(ODD_ANCHOR, held, idle=idle)
    for look in seen:
        made.weigh("gpu-a", look)
    for one in curve:
        made.add(one)
    return made


@given(curves("gpu-a"), crowds, look_lists, POLICIES)
def test_runs_and_idle_and_unattributed_are_the_device_whoever_used_it(curve, held, seen, idle):
    found = made_of(curve, held, seen, idle).close_all()
    assert sum(i.energy_mj for i in found) == sum(s.energy_mj for s in curve)
    span_us = ODD_ANCHOR.us(SPAN_MS * NS_PER_MS) - ODD_ANCHOR.us(0)
    assert sum(i.held_us for i in found) == span_us
    assert all(0 <= i.low_mj <= i.energy_mj <= i.high_mj for i in found)
    assert all(0 <= i.measured_mj <= i.energy_mj for i in found)
    assert all(0 <= i.covered_us <= i.end_us - i.start_us for i in found)
    assert all(i.start_us // 60_000_000 == (i.end_us - 1) // 60_000_000 for i in found)


@given(curves("gpu-a"), crowds, look_lists, POLICIES)
def test_who_has_a_part_only_may_have_had_nothing_or_all(curve, held, seen, idle):
    """Law: whatever a run drew of a device that others held too lies inside its bounds."""
    for i in made_of(curve, held, seen, idle).close_all():
        split = i.kind is not Kind.IDLE and i.method is Method.MODELLED and i.low_mj == 0
        inside = [
            s for s in curve
            if ODD_ANCHOR.us(s.start_ns) >= i.start_us and ODD_ANCHOR.us(s.end_ns) <= i.end_us
        ]  # fmt: skip
        if split and i.held_us:
            assert i.high_mj >= sum(s.high_mj for s in inside)


@given(curves("gpu-a"), crowds, look_lists, POLICIES, st.randoms(use_true_random=False))
def test_the_order_in_which_looks_arrive_changes_nothing(curve, held, seen, idle, random):
    expected = owners(made_of(curve, held, seen, idle).close_all())
    made = IntervalBuilder(ODD_ANCHOR, idle=idle)
    queues = [list(curve), random.sample(held, len(held)), random.sample(seen, len(seen))]
    booked = Counter()
    while any(queues):
        item = random.choice([queue for queue in queues if queue]).pop(0)
        if isinstance(item, Segment):
            parts = made.add(item)
        else:
            parts = made.hold(item) if isinstance(item, Hold) else made.weigh("gpu-a", item)
        for part in parts:
            booked[part.device_id, part.kind, part.run_id, "energy"] += part.energy_mj
            booked[part.device_id, part.kind, part.run_id, "held"] += part.held_us
    found = made.close_all()
    assert owners(found) == expected
    totals = Counter()
    for i in found:
        totals[i.device_id, i.kind, i.run_id, "energy"] += i.energy_mj
        totals[i.device_id, i.kind, i.run_id, "held"] += i.held_us
    assert {k: v for k, v in booked.items() if v} == {k: v for k, v in totals.items() if v}


@given(curves("gpu-a"), crowds, look_lists, POLICIES, st.lists(instants, max_size=6))
def test_writing_early_changes_no_split_by_use(curve, held, seen, idle, cuts):
    expected = owners(made_of(curve, held, seen, idle).close_all())
    made = IntervalBuilder(ODD_ANCHOR, held, idle=idle)
    for look in seen:
        made.weigh("gpu-a", look)
    written = []
    for one in curve:
        made.add(one)
        for cut in sorted(cuts):
            written += made.close(cut)
            written += made.close(cut, run_id="r")
    assert owners(written + made.close_all()) == expected


@given(curves("gpu-a"), hold_lists, look_lists, POLICIES, instants, st.integers(-1_000, 1_000))
def test_corrections_and_looks_that_come_late_lose_nothing(curve, held, seen, idle, cut, energy):
    correction = Segment(
        "gpu-a", 1_000_003, 140_000 * NS_PER_MS, energy, energy, energy,
        Basis.COUNTER, Method.MEASURED, correction=True,
    )  # fmt: skip
    made = made_of(curve, held, seen[::2], idle)
    written = made.close(cut, run_id="r") + made.close(cut)
    made.add(correction)
    for look in seen[1::2]:
        made.weigh("gpu-a", look)
    written += made.close_all()
    assert sum(i.energy_mj for i in written if i.correction) == energy
    assert sum(i.energy_mj for i in written) == energy + sum(s.energy_mj for s in curve)
