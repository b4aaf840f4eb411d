"""What projects use in a UTC month: what the ledger has of it, and what was booked live since.

The ledger is asked at the start and every hour, in a thread of its own. It has whole minutes
only, so that the figure may be a minute of use behind.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.agent.budgeting import Use, used
from meter.errors import LedgerError
from meter.units import US_PER_HOUR, US_PER_MINUTE, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meter.agent.booking import Books
    from meter.config import ProjectBudget

Sums = dict[tuple[str, str], Decimal]
"""What was used, by project and unit of budget."""

Live = dict[tuple[str, str], Decimal | None]
"""What live counters say of the same; None: nothing counts in that unit."""


@dataclass(frozen=True, slots=True)
class Month:
    """A UTC month: its name, its first instant and the one after its last."""

    name: str
    from_us: int
    to_us: int

    @classmethod
    def of(cls, at_us: int) -> Month:
        """The month that an instant lies in."""
        at = datetime.fromtimestamp(at_us // US_PER_S, UTC)
        first = datetime(at.year, at.month, 1, tzinfo=UTC)
        after = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
        return cls(f"{at:%Y-%m}", *(int(day.timestamp()) * US_PER_S for day in (first, after)))


@dataclass(frozen=True, slots=True)
class _Base:
    """What the ledger had of a month, and what live counters had then."""

    month: Month
    stored: Mapping[tuple[str, str], Decimal]
    live: Live


class Months:
    """The projects' budgets; ``look`` is for the metering thread."""

    def __init__(
        self, budgets: Sequence[ProjectBudget], stored: Callable[[int, int], Sums]
    ) -> None:
        self._budgets = tuple(budgets)
        self._stored = stored
        self._base: _Base | None = None
        self._asks: threading.Thread | None = None
        self._next_us = 0
        self._asked: Month | None = None
        self.uses: tuple[tuple[str, Use], ...] = ()
        self.month = ""

    def look(self, now_us: int, books: Books) -> None:
        """Bring ``uses`` up to date; nothing is known before the ledger has answered."""
        month = Month.of(now_us)
        live: Live = {
            (b.project, b.unit): used(books.of_project(b.project), b.unit) for b in self._budgets
        }
        due = now_us >= self._next_us or month != self._asked
        if due and (self._asks is None or not self._asks.is_alive()):
            self._ask(month, live, now_us)
        base, self.uses = self._base, ()
        if base is not None and base.month == month:
            self.month = month.name
            self.uses = tuple((b.project, _use(b, base, live)) for b in self._budgets)

    def _ask(self, month: Month, live: Live, now_us: int) -> None:
        self._asked, self._next_us = month, now_us + US_PER_HOUR

        def read() -> None:
            try:
                self._base = _Base(month, self._stored(month.from_us, month.to_us), live)
            except LedgerError:  # busy, or closed since the agent ends
                self._next_us = now_us + US_PER_MINUTE

        self._asks = threading.Thread(target=read, name="meter-months", daemon=True)
        self._asks.start()


def _use(budget: ProjectBudget, base: _Base, live: Live) -> Use:
    key = budget.project, budget.unit
    now, then = live[key], base.live[key]
    if now is None and key not in base.stored:
        return Use(budget.amount, budget.unit, None)
    since = max(Decimal(0), (now or Decimal(0)) - (then or Decimal(0)))
    return Use(budget.amount, budget.unit, base.stored.get(key, Decimal(0)) + since)
