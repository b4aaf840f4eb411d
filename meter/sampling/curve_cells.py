"""Between two ticks of a counter: where inside the cell its energy was used; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAT_PART = 0.03
FLAT_MW = 3_000
STEP_PART = 0.05
"""Levels that differ by less are one level: placing an edge between them would only add noise."""


@dataclass(slots=True)
class Point:
    """A tick: the counter's value, and when it came, give or take ``half_ns``."""

    at_ns: int
    half_ns: int
    energy_mj: int


@dataclass(slots=True)
class Cell:
    """The energy between two ticks."""

    start_ns: int
    end_ns: int
    energy_mj: int
    start_half_ns: int = 0
    end_half_ns: int = 0
    hole: bool = False  # for part of it nobody looked
    whole_mj: int | None = None  # begun in mid-cell: the energy since the tick before

    @property
    def span_ns(self) -> int:
        """Length."""
        return self.end_ns - self.start_ns

    @property
    def power_mw(self) -> float:
        """Mean power."""
        return self.energy_mj * NS_PER_S / self.span_ns

    @property
    def blur(self) -> float:
        """Part of the mean power by which it may be wrong, since ticks are not seen exactly."""
        return (self.start_half_ns + self.end_half_ns) / self.span_ns


Break = tuple[int, int]
"""Instant and energy since the cell's start, where its power changes."""


def _alike(one: Cell, other: Cell) -> bool:
    a, b = one.power_mw, other.power_mw
    return abs(a - b) <= FLAT_MW + max(a, b) * (FLAT_PART + one.blur + other.blur)


def flat(one: Cell, other: Cell) -> float | None:
    """Power of two neighbouring cells that are flat, None if they are not."""
    if not _alike(one, other):
        return None
    return (one.energy_mj + other.energy_mj) * NS_PER_S / (one.span_ns + other.span_ns)


def _level(near: Sequence[Cell], known: Sequence[float]) -> float | None:
    """Power of a level beside a cell: two flat cells, or one at a level that was seen before.

    ``near`` begins with the nearest. A missed tick leaves a level one full cell at times.
    """
    if not near:
        return None
    if len(near) > 1 and (power := flat(near[0], near[1])) is not None:
        return power
    own = near[0].power_mw
    if any(abs(own - power) <= FLAT_MW + own * (FLAT_PART + near[0].blur) for power in known):
        return own
    return None


def shape(
    left: Sequence[Cell], cell: Cell, right: Sequence[Cell], known: Sequence[float] = ()
) -> list[Break]:
    """Where the power changes inside a cell, from the cells beside it and the ``known`` levels.

    One edge is placed so that cell energy and both levels fit, if the levels on both sides are
    flat; else the cumulative energy is interpolated monotonely. Nothing leaves the cell's
    energy.
    """
    if cell.hole or not cell.energy_mj:
        return []
    before, after = _level(left[::-1], known), _level(right, known)
    if before is not None and after is not None:
        found = _edge(before, cell, after)
        if found is not None:
            return found
    if not left or not right or _alike(left[-1], cell) or _alike(cell, right[0]):
        return []  # a part of a level, whose edge is in the cell beside it
    return _bend(left[-1].power_mw, cell, right[0].power_mw)


def _edge(before: float, cell: Cell, after: float) -> list[Break] | None:
    step = before - after
    if abs(step) < FLAT_MW + STEP_PART * max(before, after):
        return []
    span = cell.span_ns
    offset = (cell.energy_mj * NS_PER_S - after * span) / step
    slack = cell.start_half_ns + cell.end_half_ns + 0.02 * span
    if not -slack <= offset <= span + slack:
        return None
    at = round(offset)
    if not 0 < at < span:
        return []
    energy = min(max(round(before * at / NS_PER_S), 0), cell.energy_mj)
    return [(cell.start_ns + at, energy)]


def _bend(before: float, cell: Cell, after: float) -> list[Break]:
    """The middle point of a monotone cubic through the ticks (harmonic means as slopes)."""
    own = cell.power_mw
    first = 2 * before * own / (before + own) if before + own else 0.0
    last = 2 * after * own / (after + own) if after + own else 0.0
    bend = round(cell.span_ns * (first - last) / 8 / NS_PER_S)
    if abs(bend) * 100 < cell.energy_mj or cell.span_ns < 2:
        return []
    energy = min(max(cell.energy_mj // 2 + bend, 0), cell.energy_mj)
    return [(cell.start_ns + cell.span_ns // 2, energy)]


def reach(
    start_ns: int, end_ns: int, energy_mj: int, breaks: Sequence[Break], most_mw: float
) -> tuple[int, int]:
    """By how much the cumulative energy inside may be lower and higher than drawn, in mJ.

    It stays between the values at both ends and rises at ``most_mw`` at the most.
    """
    span = end_ns - start_ns
    fastest = min(span, round(energy_mj * NS_PER_S / most_mw)) if most_mw > 0 else span
    knots = [(0, 0), *((at - start_ns, y) for at, y in breaks), (span, energy_mj)]
    below = above = 0.0
    for at, drawn in (*knots, *(_drawn(knots, at) for at in (fastest, span - fastest))):
        lowest = max(0.0, energy_mj - most_mw * (span - at) / NS_PER_S)
        highest = min(float(energy_mj), most_mw * at / NS_PER_S)
        below = max(below, drawn - lowest)
        above = max(above, highest - drawn)
    return round(below + 0.5), round(above + 0.5)


def hole_reach(span_ns: int, energy_mj: int, most_mw: float) -> list[tuple[int, int, int]]:
    """The same for a cell that nobody saw: offset, lower and higher where that bends.

    Exact between: a run that begins a moment before the end of a long hole is sure but for that
    moment.
    """
    fastest = min(span_ns, round(energy_mj * NS_PER_S / most_mw)) if most_mw > 0 else span_ns
    found = []
    for at in sorted({0, fastest, span_ns - fastest, span_ns}):
        drawn = energy_mj * at / span_ns
        lowest = max(0.0, energy_mj - most_mw * (span_ns - at) / NS_PER_S)
        highest = min(float(energy_mj), most_mw * at / NS_PER_S)
        found.append((at, ceil(max(0.0, drawn - lowest)), ceil(max(0.0, highest - drawn))))
    return found


def _drawn(knots: Sequence[tuple[int, int]], at: int) -> tuple[int, float]:
    for (x0, y0), (x1, y1) in pairwise(knots):
        if x0 <= at <= x1:
            return at, y0 + (y1 - y0) * (at - x0) / max(1, x1 - x0)
    return at, float(knots[-1][1])
