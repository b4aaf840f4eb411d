"""What the stand-in's GPUs truly draw, and what its sensors ought to show.

Computed in closed form from the scenario's objects with exact fractions (sines excepted), sharing
nothing with the library but the definitions in docs/stand-in.md. Instants are trace time in ns;
with ``anchor_ns`` of the scenario they may be instants of its clock.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from standin.shapes import (
    RANDOM_CELLS,
    Constant,
    Ramp,
    RandomSpikes,
    Shape,
    Sine,
    Spikes,
    Square,
    Steps,
)
from standin.units import NS_PER_S, mj, mw, ns

if TYPE_CHECKING:
    from standin.models import Counter, Sensor
    from standin.scenario import Gpu

_MASK = (1 << 64) - 1


def energy_mj(gpu: Gpu, t0_ns: int, t1_ns: int, *, anchor_ns: int = 0) -> float:
    """Energy in mJ that ``gpu`` draws in [t0, t1); counter faults and gains do not change it."""
    return float(exact_mj(gpu, t0_ns, t1_ns, anchor_ns=anchor_ns))


def exact_mj(gpu: Gpu, t0_ns: int, t1_ns: int, *, anchor_ns: int = 0) -> Fraction:
    """The same as an exact fraction: it adds up over any division of the time."""
    total = Fraction(0)
    for shape in gpu.shapes:
        total += _since_zero(shape, t1_ns - anchor_ns, Fraction(gpu.time_scale))
        total -= _since_zero(shape, t0_ns - anchor_ns, Fraction(gpu.time_scale))
    return total / NS_PER_S


def power_mw(gpu: Gpu, at_ns: int, *, anchor_ns: int = 0) -> float:
    """Power in mW at an instant; an edge belongs to what follows."""
    at, stretch = at_ns - anchor_ns, Fraction(gpu.time_scale)
    return float(sum(_power(shape, at, stretch) for shape in gpu.shapes))


def sensor_mw(gpu: Gpu, sensor: Sensor, at_ns: int, *, anchor_ns: int = 0) -> float:
    """What a power sensor shows at an instant, before it is rounded to mW."""
    at, period, phase = at_ns - anchor_ns, ns(sensor.period_s), ns(sensor.phase_s)
    if period:
        at = (at - phase) // period * period + phase
    mean = _window_mean(gpu, at, ns(sensor.window_s))
    return max(0.0, float(mean * Fraction(sensor.gain) + mw(sensor.offset_w)))


def counter_mj(gpu: Gpu, at_ns: int, *, anchor_ns: int = 0) -> int:
    """What the energy counter shows at an instant if no fault touches it."""
    counter = gpu.sensor.counter
    if counter is None:
        raise ValueError(f"{gpu.sensor.name} has no energy counter")
    gained = Fraction(counter.gain) * _counted(gpu, counter, at_ns - anchor_ns)
    value = max(Fraction(0), mj(counter.start_j) + gained)
    return int(value // counter.quantum_mj) * counter.quantum_mj


# The counter


def _counted(gpu: Gpu, counter: Counter, at: int) -> Fraction:
    tick, delay = ns(counter.tick_s), ns(counter.delay_s)
    if tick == 0:
        return exact_mj(gpu, 0, at - delay)
    number = next(
        candidate
        for candidate in range((at - ns(counter.phase_s)) // tick + 1, -(1 << 62), -1)
        if tick_ns(counter, candidate) <= at
    )
    if counter.sampled_window_s is None:
        return exact_mj(gpu, 0, tick_ns(counter, number) - delay)
    window = ns(counter.sampled_window_s)
    ticks, sign = (range(1, number + 1), 1) if number > 0 else (range(number + 1, 1), -1)
    means = sum(
        (_window_mean(gpu, tick_ns(counter, each), window) for each in ticks), start=Fraction(0)
    )
    return sign * means * tick / NS_PER_S


def tick_ns(counter: Counter, number: int) -> int:
    """Trace time of a counter's tick, jitter included."""
    jitter = min(ns(counter.jitter_s), (ns(counter.tick_s) - 1) // 2)
    moved = _draw(counter.seed, 3, number) % (2 * jitter + 1) - jitter
    return ns(counter.phase_s) + number * ns(counter.tick_s) + moved


def _window_mean(gpu: Gpu, at: int, window: int) -> Fraction:
    if window == 0:
        return sum((_power(s, at, Fraction(gpu.time_scale)) for s in gpu.shapes), Fraction(0))
    return exact_mj(gpu, at - window, at) * NS_PER_S / window


# Shapes


def _stretched(seconds: float, stretch: Fraction) -> int:
    return _half_up(ns(seconds) * stretch)


def _half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _place(shape: Shape, at: int, stretch: Fraction) -> tuple[int, int, int]:
    """Whole repetitions before an instant, the instant inside its repetition, and its length."""
    inside, repeat = at - _stretched(shape.phase_s, stretch), _repeat(shape, stretch)
    return (inside // repeat, inside % repeat, repeat) if repeat else (0, inside, 0)


def _repeat(shape: Shape, stretch: Fraction) -> int:
    if isinstance(shape, Steps) and shape.loop:
        return sum(_stretched(step.duration_s, stretch) for step in shape.steps)
    return _stretched(shape.repeat_s, stretch)


def _since_zero(shape: Shape, at: int, stretch: Fraction) -> Fraction:
    def until(instant: int) -> Fraction:
        rounds, inside, repeat = _place(shape, instant, stretch)
        once = _integral(shape, repeat, stretch) if rounds else Fraction(0)
        return rounds * once + _integral(shape, inside, stretch)

    return until(at) - until(0)


def _power(shape: Shape, at: int, stretch: Fraction) -> Fraction:
    return _power_inside(shape, _place(shape, at, stretch)[1], stretch)


def _power_inside(shape: Shape, at: int, stretch: Fraction) -> Fraction:
    match shape:
        case Constant():
            return Fraction(mw(shape.level_w))
        case Ramp():
            over = _stretched(shape.over_s, stretch)
            share = Fraction(min(max(at, 0), over), over)
            return mw(shape.from_w) + share * (mw(shape.to_w) - mw(shape.from_w))
        case Square():
            high = _high_ns(shape, stretch)
            level = at % _stretched(shape.period_s, stretch) < high
            return Fraction(mw(shape.high_w if level else shape.low_w))
        case Spikes():
            spike = at % _stretched(shape.period_s, stretch) < _stretched(shape.width_s, stretch)
            return Fraction(mw(shape.height_w) * spike)
        case Sine():
            turn = 2 * math.pi * at / _stretched(shape.period_s, stretch)
            return Fraction(mw(shape.mean_w) + mw(shape.amplitude_w) * math.sin(turn))
        case RandomSpikes():
            period, width = (_stretched(t, stretch) for t in (shape.period_s, shape.width_s))
            start = _spikes(shape, period, width)[at // period % RANDOM_CELLS]
            inside = at % period
            spike = start is not None and start <= inside < start + width
            return Fraction(mw(shape.height_w) * spike)
        case Steps():
            return _steps_power(shape, at, stretch)
    raise TypeError(f"no truth for {type(shape).__name__}")


def _integral(shape: Shape, until: int, stretch: Fraction) -> Fraction:
    """Integral of a shape's power over [0, until) in mW ns; negative for an instant before 0."""
    match shape:
        case Constant():
            return Fraction(mw(shape.level_w) * until)
        case Ramp():
            over = _stretched(shape.over_s, stretch)
            inside = min(max(until, 0), over)
            slope = Fraction(mw(shape.to_w) - mw(shape.from_w), over)
            ramped = mw(shape.from_w) * inside + slope * inside * inside / 2
            after = mw(shape.to_w) * max(until - over, 0)
            return ramped + mw(shape.from_w) * min(until, 0) + after
        case Square():
            period = _stretched(shape.period_s, stretch)
            extra = _time_on(until, period, _high_ns(shape, stretch))
            low, high = mw(shape.low_w), mw(shape.high_w)
            return Fraction(low * until + (high - low) * extra)
        case Spikes():
            period, width = (_stretched(t, stretch) for t in (shape.period_s, shape.width_s))
            return Fraction(mw(shape.height_w) * _time_on(until, period, width))
        case Sine():
            rate = 2 * math.pi / _stretched(shape.period_s, stretch)
            wave = mw(shape.amplitude_w) * 2 * math.sin(rate * until / 2) ** 2 / rate
            return mw(shape.mean_w) * until + Fraction(wave)
        case RandomSpikes():
            return _random_integral(shape, until, stretch)
        case Steps():
            return _steps_integral(shape, until, stretch)
    raise TypeError(f"no truth for {type(shape).__name__}")


def _high_ns(shape: Square, stretch: Fraction) -> int:
    return _half_up(shape.high_ns * stretch)


def _time_on(until: int, period: int, width: int) -> int:
    return until // period * width + min(until % period, width)


# Random spikes: in cell i one starts at draw(seed, 2, i) if draw(seed, 1, i) is low enough


def _draw(seed: int, stream: int, number: int) -> int:
    return _mix(_mix(_mix(seed) ^ stream) ^ (number & _MASK)) >> 11


def _mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


@cache
def _spikes(shape: RandomSpikes, period: int, width: int) -> tuple[int | None, ...]:
    """Where in each cell its spike starts, None where there is none."""
    return tuple(
        _draw(shape.seed, 2, cell) % (period - width + 1)
        if _draw(shape.seed, 1, cell) < shape.probability * 2**53
        else None
        for cell in range(RANDOM_CELLS)
    )


def _random_integral(shape: RandomSpikes, until: int, stretch: Fraction) -> Fraction:
    period, width = (_stretched(t, stretch) for t in (shape.period_s, shape.width_s))
    starts = _spikes(shape, period, width)
    cell, inside = until // period, until % period
    blocks, number = divmod(cell, RANDOM_CELLS)
    whole = blocks * sum(start is not None for start in starts)
    whole += sum(start is not None for start in starts[:number])
    start = starts[number]
    partial = 0 if start is None else min(max(inside - start, 0), width)
    return Fraction(mw(shape.height_w) * (whole * width + partial))


# Steps


def _steps_power(shape: Steps, at: int, stretch: Fraction) -> Fraction:
    start = 0
    for step in shape.steps:
        length = _stretched(step.duration_s, stretch)
        first = mw(step.power_w)
        last = first if step.to_w is None else mw(step.to_w)
        if at < start + length:
            return first + Fraction(max(at - start, 0) * (last - first), length)
        start += length
    return Fraction(last)


def _steps_integral(shape: Steps, until: int, stretch: Fraction) -> Fraction:
    start, total = 0, Fraction(mw(shape.steps[0].power_w) * min(until, 0))
    for step in shape.steps:
        length = _stretched(step.duration_s, stretch)
        first = mw(step.power_w)
        last = first if step.to_w is None else mw(step.to_w)
        inside = min(max(until - start, 0), length)
        total += first * inside + Fraction((last - first) * inside * inside, 2 * length)
        start += length
    return total + last * max(until - start, 0)
