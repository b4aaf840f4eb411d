"""When an energy counter ticks: phase and period, learnt from brackets of real looks; pure.

A bracket (since, at] says that a tick fell between two looks. Phase and period follow the
brackets by a two-state Kalman filter; the half-width of the window in which the next tick is
looked for follows the misses: wider at once after a miss, slowly narrower after hits.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import ceil, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Bracket = tuple[int, int]
"""(since_ns, at_ns]: the tick fell after the first instant, at the latest at the second."""

MIN_HALF_NS = 600_000
PHASE_WALK_NS = 40_000.0  # how far a tick may wander from the grid of the ones before
PERIOD_WALK_NS = 400.0
WIDER, NARROWER = 1.6, 0.98  # in balance at about one miss in 24 ticks
NARROWER_AT_FIRST = 0.9  # from what the scan left, until the first miss
LOST_SCORE = 5.0
FORGIVEN_BY_HIT = 0.2
SPARSE_PERIOD_NS = 110_000_000  # a wider one is rather the load's than a sensor's
SPARSE_TRIES = 12
SPARSE_MISFIT = 0.6  # of a bracket: half of it, and what a fit may be beside the truth
SPARSE_SPREADS = 2.5  # periods must be wider than brackets by this


class TickModel:
    """Prediction of the next tick; all times in ns of the looks' clock."""

    __slots__ = (
        "_half",
        "_max_half",
        "_min_half",
        "_narrower",
        "_ppp",
        "_ptp",
        "_ptt",
        "at",
        "period",
        "score",
    )

    def __init__(self, at: float, period: float, spread: float, min_half: float) -> None:
        self.at = at
        self.period = period
        self.score = 0.0
        self._max_half = period / 5
        self._min_half = min(min_half, self._max_half)
        self._half = min(max(spread, self._min_half), self._max_half)
        self._narrower = NARROWER_AT_FIRST
        self._ppp = (spread / 2) ** 2
        self._ptp = 0.0
        self._ptt = (spread / 3) ** 2

    @property
    def half(self) -> float:
        """Half-width of the window around ``at`` in which the tick is expected."""
        if self.sharp:
            return self._half
        return min(2 * sqrt(self._ppp), self._max_half)

    @property
    def sharp(self) -> bool:
        """Whether the window is as wide as misses made it, not as the prediction is vague."""
        return 4 * self._ppp <= self._half * self._half

    @property
    def settled(self) -> bool:
        """Whether the prediction is sharper than the narrowest window."""
        return 9 * self._ppp < self._half * self._half

    @property
    def lost(self) -> bool:
        """Whether misses came too often to speak of a grid."""
        return self.score >= LOST_SCORE

    def advance(self, ticks: int) -> None:
        """Expect the tick after the next ``ticks`` periods."""
        self.at += ticks * self.period
        self._ppp += ticks * (2 * self._ptp + ticks * self._ptt) + ticks * PHASE_WALK_NS**2
        self._ptp += ticks * self._ptt
        self._ptt += ticks * PERIOD_WALK_NS**2

    def hit(self, bracket: Bracket, *, informative: bool) -> None:
        """The expected tick came inside the window.

        Only a bracket that was split by a look in its middle (``informative``) moves the grid:
        one that is as wide as the window would only confirm the prediction that placed it.
        """
        self._half = max(self._half * self._narrower, self._min_half)
        self.score = max(0.0, self.score - FORGIVEN_BY_HIT)
        if informative:
            self._update(bracket)

    def missed_late(self, bracket: Bracket) -> None:
        """The tick came after its window; looks went on until they found it."""
        self.missed()
        self._update(bracket)

    def missed_early(self, at_ns: int) -> None:
        """The tick had come before its window began, seen at ``at_ns``."""
        self.missed()
        width = round(2 * self._half)
        self._update((at_ns - width, at_ns))

    def missed(self) -> None:
        """The tick came outside its window, nobody knows on which side."""
        self._half = min(self._half * WIDER, self._max_half)
        self._narrower = NARROWER
        self.score += 1.0

    def _update(self, bracket: Bracket) -> None:
        since, at = bracket
        error = (since + at) / 2 - self.at
        noise = ((at - since) / 2) ** 2 / 3 + (self._half / 3) ** 2
        gain = self._ppp / (self._ppp + noise)
        period_gain = self._ptp / (self._ppp + noise)
        self.at += gain * error
        self.period += period_gain * error
        self._ptt -= period_gain * self._ptp
        self._ptp *= 1 - gain
        self._ppp *= 1 - gain


def learn(brackets: Sequence[Bracket], min_half: float = MIN_HALF_NS) -> TickModel | None:
    """The grid through the changes that a scan saw; None if they lie on none.

    Needs three changes. A gap may span several ticks (the counter need not move at each).
    """
    if len(brackets) < 3:
        return None
    middles = [(since + at) / 2 for since, at in brackets]
    spread = max(at - since for since, at in brackets)
    gaps = [later - former for former, later in pairwise(middles)]
    period = sorted(gaps)[(len(gaps) - 1) // 2]
    if period < spread:
        return None
    counted = accumulate((max(1, round(gap / period)) for gap in gaps), initial=0)
    begin, period = linear_fit(tuple(counted), middles)
    grid = _fit(middles, begin, period, spread / 2 + period / 6)
    if grid is None:
        return None
    last, period = grid
    sharpened = spread * min(1.0, 2 / sqrt(len(brackets)))
    return TickModel(last, period, sharpened, min_half)


def learn_sparse(brackets: Sequence[Bracket], min_half: float = MIN_HALF_NS) -> TickModel | None:
    """The widest grid that all changes lie on, where most of its ticks changed nothing.

    Its period is at most 110 ms. Brackets must be several times narrower than the period, or
    everything lies on a grid.
    """
    middles = [(since + at) / 2 for since, at in brackets]
    spread = max(at - since for since, at in brackets)
    shortest = min(later - former for former, later in pairwise(middles))
    fewest = ceil(shortest / SPARSE_PERIOD_NS)
    for parts in range(fewest, fewest + SPARSE_TRIES):
        if shortest / parts < SPARSE_SPREADS * spread:
            break
        grid = _grow(middles, shortest / parts, SPARSE_MISFIT * spread)
        if grid is not None and grid[1] >= SPARSE_SPREADS * spread:
            sharpened = spread * min(1.0, 2 / sqrt(len(brackets)))
            return TickModel(*grid, sharpened, min_half)
    return None


def _grow(middles: Sequence[float], period: float, tolerance: float) -> tuple[float, float] | None:
    """Last tick and period of the grid, counted from one change to the next as it gets sharper."""
    numbers = [0]
    begin = middles[0]
    for count, middle in enumerate(middles[1:], 2):
        numbers.append(round((middle - begin) / period))
        if numbers[-1] <= numbers[-2]:
            return None
        if count > 2:
            begin, period = linear_fit(numbers, middles[:count])
    return _fit(middles, begin, period, tolerance)


def _fit(
    middles: Sequence[float], begin: float, period: float, tolerance: float
) -> tuple[float, float] | None:
    """Last tick and period of the grid near a given one, None if the changes lie beside it."""
    numbers = [round((middle - begin) / period) for middle in middles]
    if len(set(numbers)) < len(numbers):
        return None
    begin, period = linear_fit(numbers, middles)
    fitted = zip(numbers, middles, strict=True)
    if any(abs(begin + number * period - middle) > tolerance for number, middle in fitted):
        return None
    return begin + numbers[-1] * period, period


def linear_fit(xs: Sequence[int], ys: Sequence[float]) -> tuple[float, float]:
    """Value at 0 and slope of the line with the least squares."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope = covariance / sum((x - mean_x) ** 2 for x in xs)
    return mean_y - slope * mean_x, slope
