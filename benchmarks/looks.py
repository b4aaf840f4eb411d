"""What a series of looks at a GPU tells: ticks, periods, energy by counter and by power; pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Look:
    """One look: CLOCK_BOOTTIME in ns, counter in mJ, 1 s mean and instant power in mW."""

    at_ns: int
    energy_mj: int | None
    mean_mw: int | None
    instant_mw: int | None


def spread(values: Sequence[float]) -> dict[str, float]:
    """Count, least, median, 99th percentile, greatest and standard deviation of some values."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "min": round(ordered[0], 4),
        "median": round(statistics.median(ordered), 4),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 4),
        "max": round(ordered[-1], 4),
        "sd": round(statistics.pstdev(ordered), 4),
    }


def changes(looks: Sequence[Look], value: Callable[[Look], int | None]) -> list[int]:
    """Instants in ns of the first look that showed each new value."""
    found = []
    for before, after in pairwise(looks):
        old, new = value(before), value(after)
        if old is not None and new is not None and old != new:
            found.append(after.at_ns)
    return found


def periods_ms(instants: Sequence[int]) -> list[float]:
    """Time between instants in ms."""
    return [(after - before) / 1e6 for before, after in pairwise(instants)]


def ticks(looks: Sequence[Look]) -> dict[str, Any]:
    """How often the counter changes and by how much, and how often the two powers do."""
    told: dict[str, Any] = {"looks": len(looks)}
    told["look_ms"] = spread(periods_ms([look.at_ns for look in looks]))
    for name in ("energy_mj", "mean_mw", "instant_mw"):
        if all(getattr(look, name) is None for look in looks):
            told[name] = None
            continue
        instants = changes(looks, lambda look, name=name: getattr(look, name))  # type: ignore[misc]
        told[name] = {"changes": len(instants), "period_ms": spread(periods_ms(instants))}
    steps = [
        after.energy_mj - before.energy_mj
        for before, after in pairwise(looks)
        if before.energy_mj is not None
        and after.energy_mj is not None
        and before.energy_mj != after.energy_mj
    ]
    told["counter_step_mj"] = spread(steps)
    return told


def held_mj(looks: Sequence[Look], value: Callable[[Look], int | None]) -> float | None:
    """Energy in mJ if each power held until the next look; None where a look had none."""
    total = 0.0
    for before, after in pairwise(looks):
        power_mw = value(before)
        if power_mw is None:
            return None
        total += power_mw * (after.at_ns - before.at_ns) / 1e9
    return total


def between_ticks(looks: Sequence[Look], start_ns: int, end_ns: int) -> list[Look]:
    """The looks of a window, cut to begin and end where the counter changes; all without one."""
    inside = [look for look in looks if start_ns <= look.at_ns <= end_ns]
    instants = changes(inside, lambda look: look.energy_mj)
    if len(instants) < 2:
        return inside
    return [look for look in inside if instants[0] <= look.at_ns <= instants[-1]]


def compared(looks: Sequence[Look], start_ns: int, end_ns: int) -> dict[str, Any]:
    """Energy of a window by counter, by mean and by instant power, in J, and their ratios."""
    part = between_ticks(looks, start_ns, end_ns)
    if len(part) < 2:
        return {"looks": len(part)}
    first, last = part[0], part[-1]
    counter = (
        (last.energy_mj - first.energy_mj) / 1e3
        if first.energy_mj is not None and last.energy_mj is not None
        else None
    )
    mean = held_mj(part, lambda look: look.mean_mw)
    instant = held_mj(part, lambda look: look.instant_mw)
    told: dict[str, Any] = {
        "looks": len(part),
        "seconds": round((last.at_ns - first.at_ns) / 1e9, 4),
        "counter_j": counter,
        "mean_power_j": None if mean is None else round(mean / 1e3, 3),
        "instant_power_j": None if instant is None else round(instant / 1e3, 3),
        "instant_w": spread(
            [look.instant_mw / 1e3 for look in part if look.instant_mw is not None]
        ),
    }
    for name in ("mean_power_j", "instant_power_j"):
        if counter and told[name]:
            told[f"counter_over_{name.removesuffix('_j')}"] = round(counter / told[name], 5)
    return told
