"""The thread that asks for live grid intensity; metering never waits for it."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.agent.feed_pace import Pace
from meter.agent.feed_watch import STALE, FeedWatch
from meter.errors import FeedError, FeedRefusedError, LedgerError
from meter.factors.feeds import factors_of_points
from meter.factors.feeds.feed import iso_seconds
from meter.identified import identified
from meter.model import LedgerBatch
from meter.units import US_PER_HOUR, US_PER_QUARTER, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meter.agent.feed_rest import Rest
    from meter.factors.feeds import Feed, Point
    from meter.model import Factor, Notice
    from meter.snapshot import FeedView

SECONDS_PER_MINUTE = 60.0
START_S = 0.5  # the job's start comes first
TICK_S = 15.0  # how often it is looked whether the present is still known
_DAY_US = 24 * US_PER_HOUR
_DAY_AGAIN_US = US_PER_HOUR  # providers correct the last hours
_STOP_S = 1.0
_ENDED_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the feeding has to do with the rest of the agent."""

    site_id: str
    learn: Callable[[Sequence[Factor]], Sequence[Factor]]  # written; what of it was news
    take: Callable[[Sequence[Factor]], None]  # the rates that hold from now on
    write: Callable[[LedgerBatch], object]
    runs: Callable[[], list[str]]
    now_us: Callable[[], int]
    rest: Rest | None = None  # what the agents before this one promised the provider


class Feeding:
    """Asks one feed again and again, until stopped."""

    def __init__(
        self, feed: Feed, every_minutes: int, around: Surroundings, known: Iterable[Factor] = ()
    ) -> None:
        self._feed = feed
        self._around = around
        grace_us = round(every_minutes * 60) * US_PER_S
        self._watch = FeedWatch(feed.about, around.now_us(), grace_us)
        self._watch.recall(row for row in known if row.scope == around.site_id)
        self._lock = threading.RLock()  # of what is known, told and shown
        self._pace = Pace(every_minutes * SECONDS_PER_MINUTE)
        self._random = random.Random()  # noqa: S311 - spreads requests, hides nothing
        self._stopping = threading.Event()
        self._day_us = 0  # when the last day was asked for
        self._rested = False
        self._told: dict[str, set[str]] = {}  # what is wrong, and which runs know of it
        self._ended: deque[str] = deque(maxlen=_ENDED_KEPT)  # told at their end
        self._view = self._watch.view()
        self._thread = threading.Thread(target=self._work, name="meter-feeding", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = _STOP_S) -> bool:
        """End the thread; False if it waits for an answer, which nobody will use then."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def view(self) -> FeedView:
        """What is shown of the feed; from any thread."""
        return self._view

    def poll(self) -> float:
        """Ask once, and keep what is new; seconds until the next time."""
        try:
            self._ask()
        except FeedError as error:
            return self._failed(error)
        except LedgerError as error:  # closed, as it is when the agent ends
            return self._failed(FeedError(f"the ledger takes no factors ({error.message})"))
        except Exception as error:  # noqa: BLE001 - a feed must never end the agent
            return self._failed(FeedError(f"this is a defect of the feed ({type(error).__name__})"))
        self._pace = replace(self._pace, failures=0)
        wait_s = self._pace.after_answer(self._random.random(), self._left_s())
        self._promise(wait_s)
        return wait_s

    def learned(self, factors: Iterable[Factor]) -> None:
        """Know what others have learned of this feed; from any thread."""
        with self._lock:
            self._watch.recall(factors)
            self._view = self._watch.view()

    def ended(self, run_id: str, from_us: int, to_us: int) -> Notice | None:
        """What a run that ends is to be told, if it is not yet; from any thread.

        Runs may be over before the first answer, or the first failure, is there.
        """
        with self._lock:
            notice = self._watch.without(from_us, to_us)
            if notice is None or run_id in (*self._told.get(notice.code, ()), *self._ended):
                return None
            self._ended.append(run_id)
            return replace(notice, run_id=run_id)

    def look(self) -> None:
        """See whether the present is still known, and tell each run once what is wrong."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        now_us = self._around.now_us()
        runs = self._around.runs()
        wrong = self._watch.look(now_us)
        for notice in wrong:
            told = self._told.get(notice.code)
            late = [run_id for run_id in runs if run_id not in (*(told or ()), *self._ended)]
            if told is None or late:
                self._note(notice, late)
            self._told[notice.code] = {*(told or ()), *runs}
        over = self._told.keys() - {notice.code for notice in wrong}
        for code in over:
            del self._told[code]
        if STALE in over:
            self._note(self._watch.back(now_us), runs)
        self._view = self._watch.view()

    def _ask(self) -> None:
        """The present first; then the last day, at the start and every hour."""
        now_us = self._around.now_us()
        self._keep(self._feed.fetch(now_us))
        with self._lock:
            self._watch.heard(now_us)
        if 0 <= now_us - self._day_us < _DAY_AGAIN_US:  # a clock that was set back asks again
            return
        self._day_us = now_us
        from_us = now_us - now_us % US_PER_QUARTER - _DAY_US + US_PER_QUARTER
        try:
            self._keep(self._feed.past(from_us, now_us))
        except FeedError as error:  # of the past only; the present is known
            self._watch.error = f"of the last day: {error}"

    def _keep(self, points: Iterable[Point]) -> None:
        now_us = self._around.now_us()
        begun = [point for point in points if point.start_us <= now_us]
        rows = factors_of_points(begun, self._feed.about, self._around.site_id)
        fresh = self._watch.news(rows)
        if not fresh or self._stopping.is_set():
            return
        try:
            learned = self._around.learn(fresh)
        except LedgerError:  # busy: it keeps them, and writes them once, when it can
            self._around.write(LedgerBatch(factors=tuple(fresh)))
            learned = [identified(replace(row, recorded_us=now_us)) for row in fresh]
        self._around.take(learned)
        with self._lock:
            self._watch.keep(fresh, now_us)

    def _failed(self, error: FeedError) -> float:
        self._pace = replace(self._pace, failures=self._pace.failures + 1)
        refused = isinstance(error, FeedRefusedError)
        with self._lock:
            self._watch.failed(error, refused=refused)
        retry_s = error.retry_after_s
        wait_s = self._pace.after_failure(self._random.random(), retry_s, refused=refused)
        if not refused:  # a key that was refused may have been mended for the next agent
            self._promise(wait_s if retry_s is None else retry_s)
        return wait_s

    def _promise(self, wait_s: float) -> None:
        """Keep for the agents after this one that nothing is asked for so long."""
        if self._around.rest is not None:
            self._around.rest.keep(self._around.now_us() + round(wait_s * US_PER_S))

    def _left_s(self) -> float | None:
        left_us = self._watch.left_us(self._around.now_us())
        return None if left_us is None else left_us / US_PER_S

    def _rest_s(self) -> float:
        """How long nothing is asked at the start: the present is known, or it was promised."""
        if self._rested:
            return 0.0
        self._rested = True
        now_us, left_s, rest = self._around.now_us(), self._left_s(), self._around.rest
        until_us = 0 if rest is None else rest.until_us(now_us)
        wait_s = max(0.0, (until_us - now_us) / US_PER_S)
        with self._lock:
            if left_s is not None:
                self._watch.rested(now_us)
                return max(wait_s, self._pace.after_answer(self._random.random(), left_s))
            if wait_s:
                error = FeedError(f"it is to be left alone until {iso_seconds(until_us)}")
                self._watch.failed(error, refused=False)
        return wait_s

    def _note(self, notice: Notice, runs: list[str]) -> None:
        """Write a notice for each run that it concerns, or for none."""
        noted = tuple(replace(notice, run_id=run_id) for run_id in runs)
        with contextlib.suppress(LedgerError):  # closed: the agent ends, and so does this
            self._around.write(LedgerBatch(notices=noted or (notice,)))

    def _work(self) -> None:
        wait_s = START_S
        while not self._stopping.wait(min(wait_s, TICK_S)):
            wait_s -= TICK_S
            if wait_s <= 0:
                wait_s = self._rest_s() or self.poll()
            self.look()
