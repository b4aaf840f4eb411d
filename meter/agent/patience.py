"""How long an agent that nobody needs any more stays: for who asked, for who scrapes it.

Runs on the metering thread; scrapes are noted by any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.agent.scrapers import Scrapers
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.agent.askers import Askers
    from meter.agent.metering import Metering

SCRAPED_NS = 120 * NS_PER_S
"""How long after a scrape another one is expected: two of the longest usual intervals."""
SCRAPED_LINGER_NS = 60 * NS_PER_S
"""How long ended runs stay to be scraped where nobody said how long."""


class Patience:
    """Knows who may come again for runs that have ended; nobody waits where nothing is kept."""

    def __init__(self, metering: Metering, askers: Askers, *, keeps: bool) -> None:
        self._metering = metering
        self._askers = askers
        self._keeps = keeps
        self.linger_ns: int | None = None
        self.scraped_ns: int | None = None  # when /metrics was last asked for over TCP
        self._before_ns: int | None = None  # and when before that
        self._scrapers = Scrapers()

    def linger(self, linger_s: float) -> None:
        """Somebody asks to stay so long after the last run's end; the longest wish counts."""
        self.linger_ns = max(self.linger_ns or 0, int(linger_s * NS_PER_S))

    def scraped(self, now_ns: int, scraper: str = "") -> None:
        """Somebody collects /metrics over TCP, and may come again."""
        self._before_ns, self.scraped_ns = self.scraped_ns, now_ns
        self._scrapers.note(scraper, now_ns)

    @property
    def scrape_gap_s(self) -> float:
        """Time between scrapes of whoever scrapes most slowly, 0 where nobody does."""
        return self._scrapers.gap_ns(self._metering.clock.boot_ns()) / NS_PER_S

    def idle(self, now_ns: int, patience_ns: int) -> bool:
        """Whether nothing has lived here for so long, or for the linger that was asked for.

        Nobody waits where nothing is kept, or for a run whose launcher asked and has gone.
        """
        if self._metering.runs:
            return False
        if not self._metering.ended:
            wait_ns = 0 if self._askers.gone else patience_ns
        else:
            wait_ns = self._linger_ns(now_ns) if self._keeps else 0
        return now_ns - self._metering.idle_since_ns >= wait_ns

    @property
    def _seen(self) -> bool:
        """Whether who scrapes has seen twice how the last run ended: nothing more will come."""
        before_ns = self._before_ns
        return before_ns is not None and before_ns > self._metering.idle_since_ns

    def _linger_ns(self, now_ns: int) -> int:
        """How long it was asked to stay; where nobody said, long enough for who scrapes it."""
        if self._seen:
            return 0
        if self.linger_ns is not None:
            return self.linger_ns
        scraped = self.scraped_ns is not None and now_ns - self.scraped_ns <= SCRAPED_NS
        return SCRAPED_LINGER_NS if scraped else 0
