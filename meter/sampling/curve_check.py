"""Counter against power: two figures of the same energy that should agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.units import NS_PER_S, mj_of

if TYPE_CHECKING:
    from meter.sampling.curve_cells import Cell
    from meter.sampling.curve_power import PowerTracks

WINDOW_NS = 30 * NS_PER_S
DIFFER_PART = 0.15
DIFFER_MJ = 30_000


class PowerCheck:
    """Adds both up over half a minute; the counter stays what is used."""

    __slots__ = ("_counter_mj", "_power_mj", "_span_ns")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new window."""
        self._counter_mj = 0.0
        self._power_mj = 0.0
        self._span_ns = 0

    def counter(self, cell: Cell, tracks: PowerTracks) -> bool:
        """Take a cell; whether a window just ended in which the two differ."""
        if tracks.has_mean:
            power_mw = tracks.mean.power_mw(cell.end_ns)
        elif tracks.has_instant:
            power_mw = tracks.instant.level_mw
        else:
            return False
        self._counter_mj += cell.energy_mj
        self._power_mj += mj_of(power_mw, cell.span_ns)
        self._span_ns += cell.span_ns
        if self._span_ns < WINDOW_NS:
            return False
        apart = abs(self._counter_mj - self._power_mj)
        differs = apart > DIFFER_MJ and apart > DIFFER_PART * self._power_mj
        self.restart()
        return differs
