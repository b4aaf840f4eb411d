"""Cells of a counter on their way into the curve: each waits for two ticks more."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from meter.model import Basis, Gap
from meter.sampling.curve_cells import flat, shape
from meter.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from meter.sampling.curve_cells import Cell
    from meter.sampling.curve_notices import Notices
    from meter.sampling.curve_output import Output

TICK_NS = 100 * NS_PER_MS
"""Longest tick of a known counter; assumed until ticks were seen."""
BEHIND = 2  # cells that wait
LEVELS, LEVEL_PART = 6, 0.03
"""Levels that a load is taken to come back to, and what tells two of them apart."""


class CellQueue:
    """Settles cells once their neighbours on both sides are known."""

    def __init__(self, out: Output, notices: Notices) -> None:
        self._out = out
        self._notices = notices
        self._done: deque[Cell] = deque(maxlen=2)
        self._waiting: deque[Cell] = deque()
        self._levels: deque[float] = deque(maxlen=LEVELS)
        self._spans: deque[int] = deque(maxlen=15)
        self.tick_ns = TICK_NS

    @property
    def waiting_mj(self) -> int:
        """Energy that is not settled yet."""
        return sum(cell.energy_mj for cell in self._waiting)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    @property
    def last_mw(self) -> float | None:
        """Power of the last settled cell, None where none is near."""
        return self._done[-1].power_mw if self._done else None

    @property
    def usual_mw(self) -> float | None:
        """Mean power of the last few cells, None where none is near."""
        cells = (*self._done, *self._waiting)
        if not cells:
            return None
        return sum(cell.energy_mj for cell in cells) * NS_PER_S / sum(c.span_ns for c in cells)

    def add(self, cell: Cell) -> None:
        """Take the next cell."""
        if cell.whole_mj is None and not cell.hole:
            self._learn_tick(cell)
        self._waiting.append(cell)
        while len(self._waiting) > BEHIND:
            self._settle(self._waiting.popleft())

    def flush(self) -> None:
        """Settle all cells, whether their neighbours are known or not."""
        while self._waiting:
            self._settle(self._waiting.popleft())

    def cut(self) -> None:
        """Settle all cells, and let those to come have no neighbours before them."""
        self.flush()
        self._done.clear()

    def _learn_tick(self, cell: Cell) -> None:
        self._spans.append(cell.span_ns)
        if len(self._spans) >= 4:
            self.tick_ns = min(sorted(self._spans)[len(self._spans) // 4] * 21 // 20, TICK_NS)

    def _settle(self, cell: Cell) -> None:
        right = tuple(self._waiting)
        if cell.whole_mj is not None:
            tick = right[0].span_ns if right else TICK_NS
            cell.energy_mj = cell.whole_mj * min(cell.span_ns, tick) // tick
        if cell.hole:
            gap = Gap(cell.start_ns, cell.end_ns, cell.span_ns)
            self._notices.tell("gap_bridged", cell.end_ns, gap=gap)
        self._out.stretch(
            cell.end_ns,
            cell.energy_mj,
            Basis.COUNTER_GAP if cell.hole else Basis.COUNTER,
            shape(tuple(self._done), cell, right, self._levels),
            blur_ns=max(cell.start_half_ns, cell.end_half_ns),
            blur_mw=max(near.power_mw for near in (*self._done, cell, *right[:1])),
        )
        if cell.hole:
            self._done.clear()
        else:
            self._learn_level(cell)
            self._done.append(cell)

    def _learn_level(self, cell: Cell) -> None:
        level = flat(self._done[-1], cell) if self._done else None
        if level is not None and all(abs(level - one) > LEVEL_PART * one for one in self._levels):
            self._levels.append(level)
