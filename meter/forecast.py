"""What a run will have used at its end, from marks that tell how much of it is done; pure, exact.

The value goes on at the rate of the recent half of the progress. The bounds are the lowest and
the highest rate of up to eight equal stretches of it, wider the fewer they are: a model, no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST = Fraction(1, 100)
"""Before so much is done nothing is forecast."""

_STRETCHES = 8


@dataclass(frozen=True, slots=True, order=True)
class Progress:
    """A mark: the part of the run that was done at an instant, and its energy until then."""

    at_us: int
    fraction: Fraction
    energy_mj: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Energy of the run at its end, in mJ, and when that is; ``mark`` is the newest one."""

    mark: Progress
    energy_mj: Fraction
    low_mj: Fraction
    high_mj: Fraction
    ends_us: int


def forecast(marks: Iterable[Progress], started_us: int) -> Forecast | None:
    """The run's end, None where less than a percent is done.

    A fraction that goes back is a restart from a checkpoint: what was spent stays spent, and only
    progress since then, or before it where there is none yet, tells a rate.
    """
    ordered = sorted(marks)
    if not ordered or ordered[-1].fraction < LEAST:
        return None
    last = ordered[-1]
    left = max(Fraction(0), 1 - last.fraction)
    path = _path(ordered, Progress(started_us, Fraction(0), 0))
    half = _nearest(path, (path[0].fraction + path[-1].fraction) / 2)
    value = _rate(half, path[-1])
    low, high = _bounds(path, value)
    ahead_us = left * (path[-1].at_us - half.at_us) / (path[-1].fraction - half.fraction)
    return Forecast(
        mark=last,
        energy_mj=last.energy_mj + left * value,
        low_mj=last.energy_mj + left * low,
        high_mj=last.energy_mj + left * high,
        ends_us=last.at_us + round(ahead_us),
    )


def _path(ordered: Sequence[Progress], origin: Progress) -> list[Progress]:
    """The newest progress that has a rate: at least two marks, fractions strictly rising."""
    paths: list[list[Progress]] = [[]]
    for mark in ordered:
        path = paths[-1]
        if path and mark.fraction < path[-1].fraction:
            paths.append([mark])
        elif path and mark.fraction == path[-1].fraction:
            path[-1] = mark  # what was spent without progress is spent
        else:
            path.append(mark)
    for path in reversed(paths):
        if len(path) > 1:
            return path
    furthest = max(ordered, key=lambda mark: mark.fraction)
    return [origin, furthest]


def _bounds(path: Sequence[Progress], value: Fraction) -> tuple[Fraction, Fraction]:
    """The lowest and the highest rate; with one stretch alone, nothing and twice as much."""
    first, last = path[0].fraction, path[-1].fraction
    stops = [
        _nearest(path, first + (last - first) * place / _STRETCHES)
        for place in range(_STRETCHES + 1)
    ]
    stretches = [(one, other) for one, other in pairwise(stops) if one != other]
    rates = [value, *(_rate(one, other) for one, other in stretches)]
    more = Fraction(1, len(stretches))
    return min(rates) * (1 - more), max(rates) * (1 + more)


def _nearest(path: Sequence[Progress], fraction: Fraction) -> Progress:
    """The mark nearest to a fraction, but the last."""
    if fraction >= path[-1].fraction:
        return path[-1]
    return min(path[:-1], key=lambda mark: abs(mark.fraction - fraction))


def _rate(one: Progress, other: Progress) -> Fraction:
    """Energy of the whole run at the rate between two marks; never below zero."""
    spent = max(0, other.energy_mj - one.energy_mj)
    return Fraction(spent) / (other.fraction - one.fraction)
