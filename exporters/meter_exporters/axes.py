"""Axes of charts: round ticks with units, for quantities and for elapsed time."""

from __future__ import annotations

import math
from dataclasses import dataclass

_TIME_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """Ticks of an axis from 0 to ``top``, in the data's unit, with their labels."""

    top: float
    ticks: tuple[tuple[float, str], ...]
    unit: str


def quantity_axis(largest: float, units: tuple[tuple[float, float, str], ...]) -> Axis:
    """An axis with about five round ticks; ``units`` are (from, size, name), smallest first."""
    largest = max(largest, 1e-9)
    size, unit = next((size, name) for least, size, name in reversed(units) if largest >= least)
    step = _round_step(largest / size / 4)
    count = math.ceil(largest / size / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    if step * 10**places % 1 > 1e-6:  # 2.5, 0.25 ...
        places += 1
    ticks = tuple((i * step * size, f"{i * step:,.{places}f}") for i in range(count + 1))
    return Axis(count * step * size, ticks, unit)


def _round_step(rough: float) -> float:
    """The next of 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.9999)


def time_axis(duration_s: float, most: int = 8) -> Axis:
    """An axis of elapsed time with at most ``most`` steps; its top is the duration itself."""
    duration_s = max(duration_s, 1e-3)
    steps = (step for step in _TIME_STEPS_S if duration_s / step <= most)
    step = next(steps, math.ceil(duration_s / most / 604_800) * 604_800)
    count = math.floor(duration_s / step + 1e-9)
    ticks = tuple((i * step, elapsed(i * step)) for i in range(count + 1))
    return Axis(duration_s, ticks, "")


def elapsed(seconds: float) -> str:
    """An elapsed time as a tick says it: ``30 s``, ``1:30 min``, ``2 h``, ``3 d``."""
    if seconds == 0:
        return "0"
    if seconds < 60:
        return f"{seconds:g} s"
    for size, sub, name in ((60, 1, "min"), (3_600, 60, "h"), (86_400, 3_600, "d")):
        if seconds < size * 60 or name == "d":
            whole, rest = divmod(round(seconds), size)
            return f"{whole}:{rest // sub:02} {name}" if rest else f"{whole} {name}"
    raise AssertionError("the last unit takes everything")  # pragma: no cover
