"""Energy of a run up to an instant: from what is written of it, and from what is open; pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

KNOTS = 120
"""Instants at which a run's written energy is remembered, of each device: two hours at least."""


class Point(NamedTuple):
    """Energy of a run until an instant, in mJ.

    Low and high bound it, but for where between two ticks the instant lies: by that it may be
    ``below`` less and ``above`` more.
    """

    energy: int = 0
    low: int = 0
    high: int = 0
    below: int = 0
    above: int = 0

    def plus(self, other: Point) -> Point:
        """Both together."""
        return Point(
            self.energy + other.energy,
            self.low + other.low,
            self.high + other.high,
            self.below + other.below,
            self.above + other.above,
        )


@dataclass(slots=True)
class Written:
    """What is written of a run's energy on one device, at the instants where it was closed."""

    knots: deque[tuple[int, Point]] = field(default_factory=lambda: deque(maxlen=KNOTS))

    def add(self, start_ns: int, end_ns: int, energy: int, low: int, high: int) -> None:
        """Take an interval; a correction adds to what is written up to the last instant."""
        if not self.knots:
            self.knots.append((start_ns, Point()))
        last_ns, last = self.knots[-1]
        point = last.plus(Point(energy, low, high))
        if end_ns <= last_ns:
            self.knots[-1] = (last_ns, point)
        else:
            self.knots.append((end_ns, point))

    @property
    def last(self) -> Point:
        """All that is written."""
        return self.knots[-1][1] if self.knots else Point()

    def at(self, at_ns: int) -> Point:
        """Up to an instant that is closed: between two others, and nobody remembers where."""
        index = bisect_right(self.knots, at_ns, key=lambda knot: knot[0])
        if index == len(self.knots):
            return self.last
        after_ns, after = self.knots[index]
        if index == 0:  # older than what is remembered: anything up to there
            return after._replace(low=0, below=after.energy)
        before_ns, before = self.knots[index - 1]
        part, span = at_ns - before_ns, after_ns - before_ns
        energy, low, high = (
            old + (new - old) * part // span for old, new in zip(before[:3], after[:3], strict=True)
        )
        return Point(
            energy, low, high, max(0, energy - before.energy), max(0, after.energy - energy)
        )
