"""The thread that books hosted work soon after it is stored; metering never waits for it."""

from __future__ import annotations

import contextlib
import threading
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.agent.hosted_books import HostedBooks, HostedSum, hosted_after
from meter.agent.usage_books import UsageBooks, UsageSum
from meter.errors import MeterError
from meter.factors.cells import date_us

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from meter.agent.loop import Loop
    from meter.agent.shelf import Shelf
    from meter.ledger import Ledger
    from meter.ledger.reader import Reader

SHOWN_S = 35.0
"""How long a new series shows zero: two scrapes of 15 s see it before its first amount."""
LONGEST_S = 150.0
"""How long it may, where it is scraped more slowly: two scrapes of a minute."""
_SCRAPES = 2.2  # that see it
_JOIN_S = 1.0  # usage of so long is booked together
_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class _News:
    """What is not booked, and the number of the newest commit."""

    usage: list[UsageSum]
    hosted: list[HostedSum]
    last: Mapping[str, Any]

    @property
    def seq(self) -> int:
        """Number of the newest commit that is in it."""
        return int(self.last["seq"])


def _news(
    reader: Reader, usage_seq: int | None, hosted_seq: int | None, until: Mapping[str, Any] | None
) -> _News:
    """What came after commits that are booked, until one that was announced, or the newest."""
    last = until or reader.one("recovery/last_commit") or {"seq": 0, "recorded_at": 0}
    as_of = last["recorded_at"]
    rows = reader.rows("report/usage_to_book", since_seq=usage_seq, as_of=as_of)
    hosted = hosted_after(reader, hosted_seq, as_of)
    return _News([UsageSum.of(row) for row in rows], hosted, last)


def price_dates(reader: Reader, providers: Container[str]) -> tuple[tuple[str, int], ...]:
    """Of these providers, when (UTC µs) the newest of their prices was told by its source."""
    dates = ((r["provider"], date_us(r["source_date"])) for r in reader.rows("report/price_dates"))
    return tuple((name, at_us) for name, at_us in dates if at_us is not None and name in providers)


class UsageBooking:
    """Looks for usage and jobs that are not booked whenever it is woken, until stopped."""

    def __init__(
        self,
        ledger: Ledger,
        loop: Loop,
        shelf: Shelf,
        *,
        shown_s: float = SHOWN_S,
        gap_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``gap_s`` tells the time between scrapes, 0 where nobody scrapes."""
        self._ledger = ledger
        self._loop = loop
        self._shelf = shelf
        self._shown_s = shown_s
        self._gap_s = gap_s
        self._announced: Mapping[str, Any] | None = None  # the newest commit that was
        self._usage = UsageBooks(loop.metering.books)
        self._hosted = HostedBooks(loop.metering.books)
        self._first = True
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="meter-usage", daemon=True)

    def start(self) -> None:
        """Begin, with what no agent before this one has booked."""
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """There is usage, or a price; from any thread."""
        self._woken.set()

    def stop(self, timeout_s: float) -> None:
        """End the thread; what is not booked then, the next agent books."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def look(self) -> float | None:
        """Book what is new; seconds until the next look, None if nothing waits.

        Raises MeterError.
        """
        since = self._loop.ask(lambda: (self._usage.seq, self._hosted.seq))
        with self._ledger.question() as reader, reader.snapshot():
            news = _news(reader, *since, self._announced)
        more = self._announced is not None  # what came while it waited has its turn
        waits = self._loop.ask(lambda: self._booked(news))
        with self._ledger.question() as reader:
            self._shelf.price_dates = price_dates(reader, self._usage.providers)
        self._first = False
        if waits:
            return max(self._shown_s, min(LONGEST_S, _SCRAPES * self._gap_s()))
        return _JOIN_S if more else None

    def _booked(self, news: _News) -> bool:
        """Book, unless something must be shown at zero first: True then."""
        runs = self._loop.metering.on_page  # also one that ended before its usage is booked
        # what came while no agent ran is no increase of now
        if not self._first and self._announced is None:
            new_usage = self._usage.announce(news.usage, runs)
            if self._hosted.announce(news.hosted) or new_usage:
                self._announced = news.last
                return True
        self._usage.book(news.usage, runs, news.seq)
        self._hosted.book(news.hosted, news.seq)
        self._announced = None
        return False

    def _work(self) -> None:
        wait_s: float | None = None
        while not self._stopping.is_set():
            if wait_s is None:
                self._woken.wait()
                wait_s = 0.0 if self._first else _JOIN_S
            if self._stopping.wait(wait_s):
                return
            self._woken.clear()
            try:
                wait_s = self.look()
            except MeterError:  # the ledger is closed for a moment, or the meter is busy
                wait_s = _AGAIN_S
            except Exception:  # noqa: BLE001  one bad moment must not end the counting
                with contextlib.suppress(OSError):  # the log's disk may be full
                    traceback.print_exc()
                wait_s = _AGAIN_S
