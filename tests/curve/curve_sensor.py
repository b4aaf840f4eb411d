"""A small simulated sensor with exact truth: what a device did, and what looks at it showed."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

from meter.model import Basis, Component, Device, Method, Reading
from meter.sampling.curve import CurveBuilder

MS = 1_000_000
S = 1_000_000_000
GPU = Device("gpu-a", Component.GPU, "H100", Method.MEASURED, power_limit_mw=700_000)


class Load:
    """Power as straight pieces; energy is exact. Times in s, power in W, energy in mJ."""

    def __init__(self, knots):
        self.knots = knots  # (t, power from there, power just before the next knot)
        self._times = [t for t, *_ in knots]
        sums = [0.0]
        for (t0, p0, p1), (t1, *_) in pairwise(knots):
            sums.append(sums[-1] + (p0 + p1) / 2 * (t1 - t0) * 1000)
        self._sums = sums

    def _index(self, t):
        return min(max(bisect_right(self._times, t) - 1, 0), len(self.knots) - 2)

    def power(self, t):
        i = self._index(t)
        t0, p0, p1 = self.knots[i]
        return p0 + (p1 - p0) * (t - t0) / (self._times[i + 1] - t0)

    def energy(self, t):
        i = self._index(t)
        t0, p0, _ = self.knots[i]
        return self._sums[i] + (p0 + self.power(t)) / 2 * (t - t0) * 1000

    def energy_ns(self, start_ns, end_ns):
        return self.energy(end_ns / S) - self.energy(start_ns / S)

    def mean_mw(self, start, end):
        return (self.energy(end) - self.energy(start)) / (end - start)


def constant(power=400, span=200):
    return Load([(-10, power, power), (span, power, power)])


def square(low=100, high=700, period=0.9, phase=0.0, span=200):
    knots, t, up = [(-20, low, low)], -10 + phase, True
    while t < span:
        knots.append((t, high, high) if up else (t, low, low))
        t, up = t + period / 2, not up
    return Load([*knots, (span + period, low, low)])


def spikes(base=200, top=650, width=0.05, every=0.437, span=200):
    knots, t = [(-20, base, base)], -10.0
    while t < span:
        knots += [(t, top, top), (t + width, base, base)]
        t += every
    return Load([*knots, (span + every, base, base)])


def ramp(low=100, high=700, rise=8.0, span=200):
    knots, t, up = [(-20, low, low)], -10.0, True
    while t < span:
        knots.append((t, low, high) if up else (t, high, low))
        t, up = t + rise, not up
    return Load([*knots, (span + rise, low, low)])


LOADS = {"constant": constant, "square": square, "spikes": spikes, "ramp": ramp}


@dataclass
class Sensor:
    """What the driver shows at an instant; ``faults`` change it."""

    load: Load
    seed: int = 0
    tick: float | None = 0.1  # of the counter, None: it has none
    jitter: float = 0.001
    period: float = 0.1  # of the power fields
    window: float = 0.025
    mean: bool = True
    instant: bool = True
    span: float = 70.0
    faults: list = field(default_factory=list)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        phase = self.random.uniform(0, self.tick or 0.1)
        self.ticks = []
        t = phase - 2 * (self.tick or 0.1)
        while self.tick and t < self.span:
            self.ticks.append(t + self.random.uniform(-self.jitter, self.jitter))
            t += self.tick
        self.phase = self.random.uniform(0, self.period)

    def look(self, t):
        """(counter, mean, instant) or None for a look that failed."""
        counter = None
        if self.ticks:
            tick = self.ticks[bisect_right(self.ticks, t) - 1]
            counter = round(self.load.energy(tick)) + 5_000_000
        update = t - (t - self.phase) % self.period
        mean = round(self.load.mean_mw(update - 1, update)) if self.mean else None
        instant = round(self.load.mean_mw(update - self.window, update)) if self.instant else None
        shown = (counter, mean, instant)
        for fault in self.faults:
            shown = fault(self, t, shown)
            if shown is None:
                return None
        return shown


def locked(sensor, start=0.0, end=30.0, half=0.0009, plain=0.02):
    """Readings as a tick-locked sampler takes them: a look before and after each tick.

    Where the counter stands still or fails, it looks on a plain grid.
    """
    readings, at = [], start
    looks = [start]
    for tick, following in zip(sensor.ticks, sensor.ticks[1:], strict=False):
        if start < tick < end:
            shift = sensor.random.uniform(-half / 3, half / 3)
            looks += [tick - half + shift, tick + half + shift]
            grid = tick + half + plain
            while grid < min(following - half - 0.002, end):
                looks.append(grid)
                grid += plain
    value = power = None
    seen = since_seen = kept = 0
    for at in sorted(looks):
        shown = sensor.look(at)
        now = round(at * S)
        if shown is None:
            continue
        counter = shown[0]
        changed = value is not None and counter is not None and counter != value
        first = value is None
        still = now - seen > 900 * MS
        worth = changed or first or (still and shown[1:] != power) or now - kept > 250 * MS
        if worth:
            readings.append(Reading(GPU.id, now, since_seen if changed else None, *shown))
            kept, power = now, shown[1:]
        if counter is not None:
            if changed or first:
                seen = now
            value, since_seen = counter, now
    return readings


def polled(sensor, start=0.0, end=30.0, step=0.02):
    """Readings as a sampler takes them that follows power: one per change, and once a second."""
    readings, t = [], start
    power, before, kept = None, 0, 0
    while t <= end:
        at = t + sensor.random.uniform(0, 0.0005)
        shown, now = sensor.look(at), round(at * S)
        t += step
        if shown is None:
            continue
        changed = power is not None and shown[1:] != power
        if changed or power is None or now - kept > 900 * MS:
            readings.append(Reading(GPU.id, now, before if changed else None, *shown))
            kept = now
        power, before = shown[1:], now
    return readings


# -- faults: each takes what would be shown at t and gives what is shown ----------------------


def stuck(start, end, *, catches_up):
    """The counter stands still for a while."""

    def show(sensor, t, shown):
        if shown is None or t < start:
            return shown
        counter, *power = shown
        held = _counter(sensor, start)
        if t < end:
            return (held, *power)
        if catches_up:
            return shown
        return (counter - (_counter(sensor, end) - held), *power)

    return show


def reset(at, value=0):
    """The counter starts anew."""

    def show(sensor, t, shown):
        if shown is None or t < at:
            return shown
        return (shown[0] - _counter(sensor, at) + value, *shown[1:])

    return show


def backwards(at, by_mj):
    """The counter jumps back and goes on from there."""

    def show(sensor, t, shown):
        return shown if shown is None or t < at else (shown[0] - by_mj, *shown[1:])

    return show


def glitch(at, value, last=0.001):
    """One wrong value."""

    def show(sensor, t, shown):
        update = sensor.ticks[bisect_right(sensor.ticks, at) - 1]
        return shown if shown is None or not update <= t < update + last else (value, *shown[1:])

    return show


def lost(start, end):
    """Nothing can be read."""

    def show(sensor, t, shown):
        return None if start <= t < end else shown

    return show


def unknown(part):
    """A part of all looks fails."""

    def show(sensor, t, shown):
        return None if sensor.random.random() < part else shown

    return show


def no_counter_between(start, end):
    """The counter field alone fails."""

    def show(sensor, t, shown):
        return shown if shown is None or not start <= t < end else (None, *shown[1:])

    return show


def _counter(sensor, t):
    tick = sensor.ticks[bisect_right(sensor.ticks, t) - 1]
    return round(sensor.load.energy(tick)) + 5_000_000


# -- curves of it ------------------------------------------------------------------------------


def grown(readings, end, device=GPU, start=None, builder=None):
    """A curve built of readings, with time passing in between, and its segments."""
    builder = builder or CurveBuilder(device, start=start)
    segments, last = [], None
    for reading in readings:
        while last is not None and last + S // 2 < reading.at_ns:
            last += S // 2
            segments += builder.advance(last)
        segments += builder.feed(reading)
        last = reading.at_ns
    return builder, segments + builder.finish(round(end * S))


def energy_of(segments, start_ns, end_ns):
    """Energy, low and high between two instants, with the edge term of both."""
    energy = low = high = 0.0
    for one in segments:
        part = min(end_ns, one.end_ns) - max(start_ns, one.start_ns)
        if part > 0:
            part /= one.end_ns - one.start_ns
            energy += one.energy_mj * part
            low += one.low_mj * part
            high += one.high_mj * part
    for at, begins in ((start_ns, True), (end_ns, False)):
        below, above = edge_at(segments, at)
        low -= above if begins else below
        high += below if begins else above
    return energy, low, high


def edge_at(segments, at_ns):
    """How much lower and higher the curve may be at an instant."""
    for one in segments:
        if not one.correction and one.start_ns <= at_ns < one.end_ns:
            return one.below_mj, one.above_mj
    return 0, 0


def check_curve(builder, segments):
    """What holds of every curve, whatever the readings were."""
    plain = [one for one in segments if not one.correction]
    assert all(a.end_ns == b.start_ns for a, b in pairwise(plain))
    assert all(one.start_ns < one.end_ns for one in segments)
    assert all(0 <= one.low_mj <= one.energy_mj <= one.high_mj for one in plain)
    others = [one for one in segments if one.correction and one.basis is not Basis.COUNTER_GAP]
    assert all(one.low_mj <= one.energy_mj <= one.high_mj for one in others)
    low, energy, high = (
        sum(getattr(one, name) for one in segments) for name in ("low_mj", "energy_mj", "high_mj")
    )
    assert low <= energy <= high
    assert sum(one.energy_mj for one in segments) == builder.curve_mj
    total = 0
    for one in segments:
        total += one.energy_mj
        assert total >= 0
    if plain:
        assert plain[-1].end_ns == builder.settled_ns
