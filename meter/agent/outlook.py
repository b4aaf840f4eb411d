"""How far a live run has come, thinly kept: what its live forecast stands on.

The document's forecast stands on every mark; this one on some, which costs a node little. After a
restart it begins anew, from the run's start and the next mark.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from meter.forecast import LEAST, Forecast, Progress, forecast

if TYPE_CHECKING:
    from meter.model import Mark

MOST = 64
"""Marks that are kept; beyond, every second one is forgotten."""


class Outlook:
    """The progress of a run; for the metering thread."""

    def __init__(self) -> None:
        self._kept: list[Progress] = []
        self._last: Progress | None = None
        self._step = Fraction(0)  # marks nearer to the last that is kept are not
        self._found: Forecast | None = None
        self._stale = False

    def note(self, mark: Mark) -> None:
        """Take a mark whose energy is known; those that tell no part done are no news."""
        if mark.fraction is None:
            return
        self._last = Progress(mark.at_us, Fraction(mark.fraction), mark.energy_mj)
        self._stale = True
        if self._kept:
            risen = self._last.fraction - self._kept[-1].fraction
            if 0 <= risen < self._step:
                return
        self._kept.append(self._last)
        if len(self._kept) > MOST:
            self._kept = self._kept[::2]
            self._step = max(2 * self._step, LEAST / 2)

    def forecast(self, started_us: int) -> Forecast | None:
        """The run's end as of the newest mark, None where too little is done."""
        if self._stale:
            last = () if self._last is None else (self._last,)
            self._found = forecast({*self._kept, *last}, started_us)
            self._stale = False
        return self._found
