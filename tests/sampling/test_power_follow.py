"""Looks in step with the updates of a power sensor, on a manual clock."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from meter.sampling.looker import Looker
from meter.sampling.source import FieldFault, Look
from meter.sampling.tick import learn_sparse
from tests.sampling.looking import MS, FakeSource, ManualClock, S, Taken, run

if TYPE_CHECKING:
    from meter.model import Reading

REFUSED = (FieldFault("energy", "never", 3, lasting=True),)
LEARNT_S = 3


class Updating:
    """A power sensor with a period, a phase by device, and a load that may be flat."""

    def __init__(self, clock: ManualClock, period_ms: float, *, jitter_ms: float = 0) -> None:
        self.start_ns = clock.now_ns
        self.period_ns = round(period_ms * MS)
        self.jitter_ms = jitter_ms
        self.flat_from_ns = self.flat_until_ns = clock.now_ns
        self.phases: dict[str, int] = {}
        self.told: tuple[FieldFault, ...] = REFUSED

    def update_at(self, device_id: str, number: int) -> int:
        jitter = random.Random(f"{device_id} {number}").uniform(-1, 1) * self.jitter_ms * MS
        phase = self.phases.get(device_id, 3 * MS)
        return self.start_ns + phase + number * self.period_ns + round(jitter)

    def number(self, device_id: str, now_ns: int) -> int:
        phase = self.phases.get(device_id, 3 * MS)
        number = (now_ns - self.start_ns - phase) // self.period_ns + 1
        while self.update_at(device_id, number) > now_ns:
            number -= 1
        return number

    def power_mw(self, device_id: str, now_ns: int) -> int:
        number = self.number(device_id, now_ns)
        if self.flat_from_ns <= self.update_at(device_id, number) < self.flat_until_ns:
            return 300_000
        return 400_000 + number * 7_919 % 1_000

    def __call__(self, device_id: str, now_ns: int) -> Look:
        told, self.told = self.told, ()
        return Look(None, None, self.power_mw(device_id, now_ns), told)


class Followed:
    """A looker before some devices without a counter."""

    def __init__(self, period_ms: float, *, devices: int = 1, jitter_ms: float = 0) -> None:
        self.clock = ManualClock()
        self.sensor = Updating(self.clock, period_ms, jitter_ms=jitter_ms)
        self.source = FakeSource(self.clock, self.sensor)
        self.looker = Looker(self.clock)
        for index in range(devices):
            self.sensor.phases[f"GPU-{index}"] = round((index + 1) * period_ms * MS / 11)
            self.looker.watch(f"GPU-{index}", self.source)
        self.chance = random.Random(1)

    def run(self, seconds: float) -> Taken:
        return run(self.looker, self.clock, seconds, late_ns=lambda: self.chance.randrange(100_000))

    def looks_since(self, at_ns: int) -> int:
        return len([at for _, at in self.source.looks if at >= at_ns])

    def updates(self, taken: Taken) -> list[tuple[int, Reading]]:
        """The readings that tell an update, with its number."""
        changes = [reading for reading in taken.readings if reading.since_ns is not None]
        return [(self.sensor.number(one.device_id, one.at_ns), one) for one in changes]


@pytest.mark.parametrize("period_ms", [20, 20.03, 33.3, 50, 100, 101])
@pytest.mark.parametrize("jitter_ms", [0, 0.3])
def test_updates_are_learnt_and_each_bracketed_closely(period_ms: float, jitter_ms: float) -> None:
    followed = Followed(period_ms, jitter_ms=jitter_ms)
    locks = followed.run(LEARNT_S).locks
    assert locks[-1].locked
    assert abs((locks[-1].tick_ns or 0) - period_ms * MS) < 0.01 * period_ms * MS
    begin = followed.clock.now_ns
    updates = followed.updates(followed.run(20))
    assert followed.looks_since(begin) <= 20 * 50 + 10
    assert len(updates) >= 0.9 * 20_000 / period_ms
    close = 0
    for number, reading in updates:
        update_ns = followed.sensor.update_at(reading.device_id, number)
        assert (reading.since_ns or 0) <= update_ns <= reading.at_ns
        close += reading.at_ns - (reading.since_ns or 0) <= 5 * MS
    assert close >= 0.9 * len(updates)


@pytest.mark.parametrize("period_ms", [20, 100])
def test_flat_power_is_no_reason_to_lose_the_lock(period_ms: float) -> None:
    followed = Followed(period_ms)
    assert followed.run(LEARNT_S).locks[-1].locked
    begin = followed.clock.now_ns
    followed.sensor.flat_from_ns, followed.sensor.flat_until_ns = begin, begin + 10 * S
    flat = followed.run(10)
    assert flat.locks == []
    assert len(flat.readings) >= 10
    assert followed.looks_since(begin) <= 10 * 50 + 10
    after = followed.run(5)
    assert after.locks == []
    updates = followed.updates(after)
    assert len(updates) >= 0.9 * 5_000 / period_ms
    for number, reading in updates[1:]:
        update_ns = followed.sensor.update_at(reading.device_id, number)
        assert (reading.since_ns or 0) <= update_ns <= reading.at_ns


@pytest.mark.parametrize("period_ms", [20, 100])
def test_a_sensor_whose_updates_move_is_learnt_anew(period_ms: float) -> None:
    followed = Followed(period_ms)
    assert followed.run(LEARNT_S).locks[-1].locked
    followed.sensor.phases["GPU-0"] += round(0.4 * period_ms * MS)
    followed.run(10)
    updates = followed.updates(followed.run(5))
    assert len(updates) >= 0.9 * 5_000 / period_ms
    close = [r for _, r in updates if r.at_ns - (r.since_ns or 0) <= 5 * MS]
    assert len(close) >= 0.9 * len(updates)
    for number, reading in updates:
        update_ns = followed.sensor.update_at(reading.device_id, number)
        assert (reading.since_ns or 0) <= update_ns <= reading.at_ns


def test_slow_updates_are_learnt_from_plain_looks_where_power_changes_rarely() -> None:
    followed = Followed(100)
    sensor, clock = followed.sensor, followed.clock

    def square(device_id: str, now_ns: int) -> Look:
        update_ns = sensor.update_at(device_id, sensor.number(device_id, now_ns))
        return Look(None, None, 100_000 if update_ns // (450 * MS) % 2 else 700_000, REFUSED)

    followed.source.answer = square
    followed.run(12)
    begin = clock.now_ns
    updates = followed.updates(followed.run(10))
    assert followed.looks_since(begin) <= 10 * 50
    assert len(updates) >= 20
    assert all(r.at_ns - (r.since_ns or 0) <= 12 * MS for _, r in updates)


def test_power_without_updates_that_can_be_learnt_gets_plain_looks() -> None:
    followed = Followed(100, jitter_ms=49)
    followed.run(10)
    begin = followed.clock.now_ns
    taken = followed.run(20)
    assert followed.looks_since(begin) <= 20 * 50 + 300
    assert len(followed.updates(taken)) >= 0.9 * 200


def test_eight_gpus_without_counters_share_wake_ups() -> None:
    followed = Followed(20, devices=8)
    followed.run(LEARNT_S)
    begin = followed.clock.now_ns
    taken = followed.run(10)
    assert followed.looks_since(begin) <= 8 * (10 * 50 + 10)
    assert followed.looks_since(begin) / taken.wakes >= 2


def test_dear_looks_are_made_rarely_without_a_counter_too() -> None:
    followed = Followed(100)
    followed.source.cost_ns = 4 * MS
    followed.run(5)
    begin = followed.clock.now_ns
    followed.run(20)
    assert followed.looks_since(begin) * 4 * MS <= 0.06 * 20 * S


def test_a_counter_that_comes_back_is_followed_again() -> None:
    followed = Followed(100)
    followed.run(2)
    begin = followed.clock.now_ns
    followed.source.answer = lambda _, now: Look((now - begin) // (50 * MS) * 20_000, None, 400_000)
    taken = followed.run(3)
    assert taken.locks[-1].locked
    assert abs((taken.locks[-1].tick_ns or 0) - 50 * MS) < MS


def test_a_grid_is_found_in_changes_that_leave_most_of_it_out() -> None:
    chance = random.Random(2)
    ticks = [0, 4, 9, 13, 18, 23, 27, 31]
    starts = [100 * MS * tick - chance.randrange(20 * MS) for tick in ticks]
    model = learn_sparse([(start, start + 20 * MS) for start in starts])
    assert model is not None
    assert abs(model.period - 100 * MS) < 2 * MS
    scattered = [chance.randrange(300 * MS) + 400 * MS * index for index in range(12)]
    assert learn_sparse([(start, start + 20 * MS) for start in scattered]) is None
