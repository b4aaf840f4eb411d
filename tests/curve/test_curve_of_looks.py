"""From looks to the curve: the tick-locked looker before a simulated sensor, on a manual clock."""

from __future__ import annotations

import random
from statistics import pstdev

import pytest

from curve.curve_sensor import (
    GPU,
    MS,
    S,
    Sensor,
    check_curve,
    energy_of,
    lost,
    reset,
    square,
    stuck,
    unknown,
)
from meter.errors import TransientError
from meter.sampling.curve import CurveBuilder
from meter.sampling.looker import Looker
from meter.sampling.source import Look

SPAN = 30


class Clock:
    """Goes on only when it is told to."""

    now = 0

    def __call__(self):
        return self.now


class Source:
    """The sensor behind the interface of a source; a look takes its time."""

    name, driver_version = "sensor", None

    def __init__(self, sensor, clock):
        self.sensor, self.clock = sensor, clock

    def look(self, device_id):
        self.clock.now += self.sensor.random.randint(15_000, 40_000)
        shown = self.sensor.look(self.clock.now / S)
        if shown is None:
            raise TransientError("Unknown Error")
        return Look(*shown)

    def resolution_ns(self, device_id):
        return None


def metered(sensor, stalls=0.0):
    """Look, batch and build like sampler and agent do, with wake-ups that come late."""
    clock, chance = Clock(), random.Random(1)
    source, looker, builder = Source(sensor, clock), Looker(clock), CurveBuilder(GPU)
    looker.watch(GPU.id, source)
    segments, batch_ns = [], 0
    while clock.now < SPAN * S:
        clock.now = max(clock.now, looker.wake_ns()) + round(chance.expovariate(1 / 60_000))
        if chance.random() < stalls:
            clock.now += chance.randint(2, 60) * MS
        looker.look_due()
        for again, device_id in looker.take_lost():
            looker.watch(device_id, again)
        if clock.now >= batch_ns:
            batch_ns = clock.now + S // 2
            batch = looker.drain()
            segments += [one for r in batch.readings for one in builder.feed(r)]
            segments += [one for f in batch.faults for one in builder.fault(f)]
            segments += builder.advance(clock.now)
    segments += [one for r in looker.drain().readings for one in builder.feed(r)]
    segments += builder.finish(SPAN * S)
    check_curve(builder, segments)
    return builder, segments


@pytest.mark.parametrize("stalls", [0.0, 0.01])
def test_steps_through_the_tick_lock_hold_their_figures(stalls):
    load = square(phase=0.2)
    _, segments = metered(Sensor(load, seed=3), stalls)
    chance, errors = random.Random(3), []
    for _ in range(200):
        start = round(chance.uniform(2, SPAN - 2) * S)
        end = start + round(chance.uniform(0.5, 0.9) * S)
        energy, low, high = energy_of(segments, start, end)
        truth = load.energy_ns(start, end)
        assert low <= truth <= high
        errors.append(100 * (energy / truth - 1))
    assert pstdev(errors) <= (1.0 if stalls else 0.5)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (stuck(10.03, 20.1, catches_up=True), "counter_caught_up"),
        (stuck(10.03, 16.6, catches_up=False), "counter_not_caught_up"),
        (reset(12.33), "counter_reset"),
        (lost(12.33, 17.4), "gap_bridged"),
        (unknown(0.05), "reads_failed"),
    ],
)
def test_faults_through_the_tick_lock_cost_at_most_a_percent(fault, code):
    load = square()
    builder, segments = metered(Sensor(load, seed=2, faults=[fault]))
    energy, low, high = energy_of(segments, 0, SPAN * S - 1)
    truth = load.energy_ns(0, SPAN * S)
    assert abs(energy / truth - 1) <= 0.01
    assert low <= truth <= high
    assert code in {notice.code for notice in builder.drain_notices()}
