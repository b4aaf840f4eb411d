"""Who scrapes, and how often: two Prometheus and a curious look do not make one that is quick."""

from __future__ import annotations

import threading
from typing import NamedTuple

from meter.units import NS_PER_S

GONE_NS = 600 * NS_PER_S
"""Who has not come for so long scrapes no more."""
MOST = 32
"""Scrapers that are told apart; whoever is more goes by the one that came longest ago."""
LATEST = 4
"""Scrapes of which the longest wait counts: one that came early, or twice, is no pace."""


class _Came(NamedTuple):
    last_ns: int
    gaps_ns: tuple[int, ...] = ()


class Scrapers:
    """The pace of each scraper, by its address and what it calls itself; from any thread."""

    def __init__(self) -> None:
        self._came: dict[str, _Came] = {}
        self._lock = threading.Lock()

    def note(self, who: str, now_ns: int) -> None:
        """Somebody has scraped."""
        with self._lock:
            known = self._came.pop(who, None)
            if known is None or now_ns - known.last_ns > GONE_NS:
                self._came[who] = _Came(now_ns)
            else:
                gaps_ns = (*known.gaps_ns, now_ns - known.last_ns)[-LATEST:]
                self._came[who] = _Came(now_ns, gaps_ns)
            while len(self._came) > MOST:
                del self._came[next(iter(self._came))]

    def gap_ns(self, now_ns: int) -> int:
        """The longest of the latest waits of any that still comes, 0 if none came twice."""
        with self._lock:
            coming = [one for one in self._came.values() if now_ns - one.last_ns <= GONE_NS]
        return max((gap for one in coming for gap in one.gaps_ns), default=0)
