"""Which run raised a project's counter: what OpenMetrics calls its exemplar.

Kept while the agent lives, one for each counter that has any: whoever sees a counter jump finds
the run by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.snapshot import Exemplar
from meter.units import US_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from meter.snapshot import Series

STANDS_US = US_PER_MINUTE
"""How long a larger booking stands against smaller ones: a slow scrape still finds the jump."""
MOST_CHARS = 128 - len("run")
"""Longest id that may be told: names and values of an exemplar have 128 characters in all."""


class Exemplars:
    """The largest booking of the last minute of each counter, or the last one before."""

    def __init__(self, now_us: Callable[[], int] | None) -> None:
        self._now_us = now_us  # UTC; None: nothing is kept
        self._kept: dict[Series, Exemplar] = {}

    def note(self, key: tuple[str, tuple[tuple[str, str], ...]], run: str, amount: Decimal) -> None:
        """A run raises a counter."""
        if self._now_us is None or amount <= 0 or len(run) > MOST_CHARS:
            return
        name, labels = key
        series, at_us = (name, tuple(value for _, value in labels)), self._now_us()
        before = self._kept.get(series)
        stands = before is not None and 0 <= at_us - before.at_us < STANDS_US
        if before is None or not stands or amount >= before.amount:
            self._kept[series] = Exemplar(run, amount, at_us)

    def all(self) -> dict[Series, Exemplar]:
        """Those of now."""
        return dict(self._kept)
