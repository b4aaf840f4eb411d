"""The tick lock on a manual clock: what it learns, what it costs, when it gives up."""

from __future__ import annotations

import itertools
import random

import pytest

from meter.errors import DeviceLostError, TransientError
from meter.sampling.looker import Looker
from meter.sampling.source import FieldFault, Look
from meter.sampling.tick import learn
from tests.sampling.looking import MS, FakeSource, ManualClock, S, Taken, run

STEP_MJ = 50_000


class Ticking:
    """A counter with a tick, a phase by device, and jitter."""

    def __init__(self, clock: ManualClock, tick_ms: float, *, jitter_ms: float = 0) -> None:
        self.start_ns = clock.now_ns
        self.tick_ns = round(tick_ms * MS)
        self.jitter_ms = jitter_ms
        self.phases: dict[str, int] = {}
        self.stuck_from_ns: int | None = None

    def tick_at(self, device_id: str, number: int) -> int:
        jitter = random.Random(f"{device_id} {number}").uniform(-1, 1) * self.jitter_ms * MS
        phase = self.phases.get(device_id, 0)
        return self.start_ns + phase + number * self.tick_ns + round(jitter)

    def count(self, device_id: str, now_ns: int) -> int:
        number = (now_ns - self.start_ns - self.phases.get(device_id, 0)) // self.tick_ns + 1
        while self.tick_at(device_id, number) > now_ns:
            number -= 1
        return number

    def __call__(self, device_id: str, now_ns: int) -> Look:
        if self.stuck_from_ns is not None:
            now_ns = min(now_ns, self.stuck_from_ns)
        return Look(self.count(device_id, now_ns) * STEP_MJ + 10**6, 500_000, 500_000)


def looked(
    devices: int, tick_ms: float, seconds: float, *, jitter_ms: float = 0, **more: int
) -> tuple[Taken, FakeSource, Ticking]:
    clock = ManualClock()
    ticking = Ticking(clock, tick_ms, jitter_ms=jitter_ms)
    source = FakeSource(clock, ticking, **more)
    looker = Looker(clock)
    for index in range(devices):
        ticking.phases[f"GPU-{index}"] = index * round(tick_ms * MS / 11)
        looker.watch(f"GPU-{index}", source)
    return run(looker, clock, seconds), source, ticking


@pytest.mark.parametrize("tick_ms", [10, 20, 33.3, 50, 100])
@pytest.mark.parametrize("jitter_ms", [0, 1])
def test_a_tick_is_learnt_and_every_point_bracketed_by_real_looks(
    tick_ms: float, jitter_ms: float
) -> None:
    taken, source, ticking = looked(1, tick_ms, 10, jitter_ms=jitter_ms)
    locks = [lock for lock in taken.locks if lock.locked]
    assert locks
    assert all(lock.looks <= 150 for lock in locks)
    assert abs((locks[-1].tick_ns or 0) - tick_ms * MS) < 0.01 * tick_ms * MS
    points = [reading for reading in taken.readings if reading.since_ns is not None]
    assert len(points) > 0.8 * 9_000 / tick_ms
    looks = {at for _, at in source.looks}
    for point in points:
        number = ((point.energy_mj or 0) - 10**6) // STEP_MJ
        assert (point.since_ns or 0) <= ticking.tick_at("GPU-0", number) <= point.at_ns
        assert point.at_ns - source.cost_ns // 2 in looks
        assert (point.since_ns or 0) + source.cost_ns // 2 in looks


def test_eight_locked_gpus_keep_their_budget_of_looks() -> None:
    taken, source, _ = looked(8, 20, 20)
    late = [at for _, at in source.looks if at > source.looks[0][1] + 2 * S]
    assert len(late) / 18 < 250
    assert taken.wakes < 20 * 260


def test_gpus_that_tick_together_share_their_wake_ups() -> None:
    clock = ManualClock()
    source = FakeSource(clock, Ticking(clock, 100))
    looker = Looker(clock)
    for index in range(8):
        looker.watch(f"GPU-{index}", source)
    run(looker, clock, 3)
    before = len(source.looks)
    taken = run(looker, clock, 10)
    assert (len(source.looks) - before) / taken.wakes > 4


@pytest.mark.parametrize("cost_ms", [2, 5])
def test_a_look_that_costs_much_is_made_rarely(cost_ms: int) -> None:
    _, source, _ = looked(1, 100, 20, cost_ns=cost_ms * MS)
    late = [at for _, at in source.looks if at > source.looks[0][1] + 4 * S]
    assert len(late) * cost_ms * MS < 0.06 * 16 * S


def test_a_counter_without_a_grid_gets_plain_looks_and_is_tried_again() -> None:
    taken, _, ticking = looked(1, 100, 20, jitter_ms=45)
    assert any(not lock.locked for lock in taken.locks)
    points = [r for r in taken.readings if r.since_ns is not None]
    assert len(points) > 100
    for point in points:
        number = ((point.energy_mj or 0) - 10**6) // STEP_MJ
        assert ticking.tick_at("GPU-0", number) <= point.at_ns


def test_a_counter_that_stands_still_is_looked_at_until_it_moves() -> None:
    clock = ManualClock()
    ticking = Ticking(clock, 100)
    looker = Looker(clock)
    looker.watch("GPU-0", FakeSource(clock, ticking))
    assert run(looker, clock, 2).locks[-1].locked
    ticking.stuck_from_ns = clock.now_ns
    still = run(looker, clock, 3)
    assert not still.locks[-1].locked
    assert len(still.readings) >= 6
    ticking.stuck_from_ns = None
    back = run(looker, clock, 3)
    assert back.locks[-1].locked
    assert back.readings[0].since_ns is not None


@pytest.mark.parametrize("fell_ms", [12, 57, 99])
def test_a_counter_that_is_set_back_keeps_its_lock_and_is_read_at_each_tick(fell_ms: int) -> None:
    clock = ManualClock()
    ticking = Ticking(clock, 100)
    fell_ns = clock.now_ns + 3 * S + fell_ms * MS

    def answer(device_id: str, now_ns: int) -> Look:
        look = ticking(device_id, now_ns)
        less = 10**6 if now_ns >= fell_ns else 0
        return look._replace(energy_mj=(look.energy_mj or 0) - less)

    looker = Looker(clock)
    looker.watch("GPU-0", FakeSource(clock, answer))
    run(looker, clock, 2.5)
    after = run(looker, clock, 3)
    assert after.locks == []
    pauses = [b.at_ns - a.at_ns for a, b in itertools.pairwise(after.readings)]
    assert max(pauses) <= 210 * MS
    first = next(reading for reading in after.readings if reading.at_ns >= fell_ns)
    assert first.at_ns - fell_ns <= 110 * MS


@pytest.mark.parametrize("tick_ms", [20, 100])
def test_there_is_a_reading_each_second_whatever_happens(tick_ms: float) -> None:
    clock = ManualClock()
    chance = random.Random(7)
    ticking = Ticking(clock, tick_ms, jitter_ms=3)

    def answer(device_id: str, now_ns: int) -> Look:
        if chance.random() < 0.1:
            raise TransientError("not now")
        return ticking(device_id, now_ns)

    looker = Looker(clock)
    looker.watch("GPU-0", FakeSource(clock, answer))
    readings = run(looker, clock, 30, late_ns=lambda: chance.randrange(3 * MS)).readings
    pauses = [b.at_ns - a.at_ns for a, b in itertools.pairwise(readings)]
    assert max(pauses) <= 1_100 * MS


@pytest.mark.parametrize("pause_s", [0.05, 3, 7_200])
def test_a_sampler_that_was_stopped_goes_on_without_false_points(pause_s: float) -> None:
    clock = ManualClock()
    ticking = Ticking(clock, 100)
    looker = Looker(clock)
    looker.watch("GPU-0", FakeSource(clock, ticking))
    run(looker, clock, 3)
    clock.now_ns += round(pause_s * S)
    after = run(looker, clock, 5)
    assert not any(not lock.locked for lock in after.locks)
    points = [r for r in after.readings if r.since_ns is not None]
    assert len(points) >= 45
    for point in points:
        number = ((point.energy_mj or 0) - 10**6) // STEP_MJ
        assert (point.since_ns or 0) <= ticking.tick_at("GPU-0", number) <= point.at_ns


def test_power_is_followed_where_there_is_no_counter() -> None:
    clock = ManualClock()
    refused = (FieldFault("energy", "never", 3, lasting=True),)

    def answer(_: str, now_ns: int) -> Look:
        return Look(None, None, now_ns // (100 * MS) % 7 * 1_000, refused)

    source = FakeSource(clock, answer)
    looker = Looker(clock)
    looker.watch("GPU-0", source)
    taken = run(looker, clock, 5)
    changes = [r for r in taken.readings if r.since_ns is not None]
    assert 45 <= len(changes) <= 50
    assert all(r.at_ns - (r.since_ns or 0) < 25 * MS for r in changes)
    assert len(source.looks) <= 5 * 50 + 5


def test_a_counter_that_fails_for_long_lets_power_stand_in() -> None:
    clock = ManualClock()
    ticking = Ticking(clock, 100)
    failing = (FieldFault("energy", "not now", 999),)
    begin = clock.now_ns

    def answer(device_id: str, now_ns: int) -> Look:
        if now_ns - begin < 3 * S:
            return ticking(device_id, now_ns)
        return Look(None, now_ns // (200 * MS) % 5, None, failing)

    looker = Looker(clock)
    looker.watch("GPU-0", FakeSource(clock, answer))
    run(looker, clock, 4.2)
    without = run(looker, clock, 3)
    assert len([r for r in without.readings if r.energy_mj is None]) >= 10
    assert 3 <= len(without.faults) <= 4  # each kind once a second


def test_a_fresh_counter_is_read_twice_a_second_as_fresh_as_it_is() -> None:
    clock = ManualClock()
    source = FakeSource(clock, lambda _, now: Look(now // MS), resolution_ns=MS)
    looker = Looker(clock)
    looker.watch("cpu-0", source)
    readings = run(looker, clock, 5).readings
    assert 10 <= len(readings) <= 12
    assert all(r.at_ns - (r.since_ns or 0) <= 2 * MS for r in readings[1:])


def test_a_lost_device_is_handed_over_and_no_longer_looked_at() -> None:
    clock = ManualClock()

    def answer(device_id: str, _: int) -> Look:
        if device_id == "GPU-1":
            raise DeviceLostError("gone", code=15)
        return Look(1)

    source = FakeSource(clock, answer)
    looker = Looker(clock)
    looker.watch("GPU-0", source)
    looker.watch("GPU-1", source)
    run(looker, clock, 1)
    assert looker.take_lost() == [(source, "GPU-1")]
    assert looker.take_lost() == []
    assert looker.device_ids == ["GPU-0"]


def test_a_device_that_fails_for_seconds_is_handed_over() -> None:
    clock = ManualClock()

    def answer(_: str, __: int) -> Look:
        raise TransientError("unknown error", code=999)

    source = FakeSource(clock, answer)
    looker = Looker(clock)
    looker.watch("GPU-0", source)
    faults = run(looker, clock, 2.5).faults
    assert looker.take_lost() == []
    assert 2 <= len(faults) <= 3
    run(looker, clock, 1)
    assert looker.take_lost() == [(source, "GPU-0")]


def test_changes_on_no_grid_give_no_lock() -> None:
    assert learn([]) is None
    assert learn([(0, 2), (100, 102)]) is None
    assert learn([(0, 2), (100, 102), (130, 132), (330, 332)]) is None
    model = learn([(0, 2), (100, 102), (300, 302)], 1)
    assert model is not None
    assert round(model.period) == 100
