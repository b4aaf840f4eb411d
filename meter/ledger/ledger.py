"""The ledger as the agent has it: a writer thread that loses nothing, and readers."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import duckdb

from meter.errors import LedgerError, LedgerFullError, MeterError
from meter.ledger import store
from meter.ledger.pending import Pending, Ticket
from meter.ledger.reader import Reader
from meter.ledger.salvage import salvaged
from meter.ledger.session import Session
from meter.limits import SHOWN_MIN
from meter.model import LedgerBatch, Outcome
from meter.units import US_PER_HOUR, US_PER_MINUTE
from meter.usage_entries import entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from meter.hosted_facts import Charge, Usage, UsageEntry

QUESTION_S = 60.0
"""How long a question may keep all others from the ledger."""
_HOURS_PER_DAY = 24
_BACKOFF = 2.0
_LONGEST_BACKOFF_S = 30.0

# Of the volume, the file or the engine: worth trying again. Anything else is the batch's fault.
_RETRYABLE = (
    duckdb.IOException,
    duckdb.TransactionException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
    duckdb.ConnectionException,
)


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """How writing goes; ``pending`` batches wait, ``dropped`` rows or batches were given up."""

    failures: int = 0
    pending: int = 0
    full: bool = False
    dropped: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """When the writer commits, waits and gives up; seconds, and counts of values."""

    commit_s: float = 1.0
    crowded: int = 150  # where more values wait, as with many runs, it commits half as often
    retry_s: float = 1.0
    pending_limit: int = 200_000

    def every_s(self, waiting: int) -> float:
        """Seconds between commits while so many values wait."""
        return 2 * self.commit_s if waiting > self.crowded else self.commit_s


class Ledger:
    """The single writer of a ledger file, with readers beside it; thread-safe.

    Use :meth:`open`.
    """

    def __init__(
        self,
        path: Path,
        session: Session,
        reopen: Callable[[], Session],
        *,
        pace: Pace,
        retention_days: int,
    ) -> None:
        self.path = path
        self._session: Session | None = session
        self._reopen = reopen
        self._pace = pace
        self._retention_us = retention_days * _HOURS_PER_DAY * US_PER_HOUR
        self._expired_us = 0
        self._pending = Pending(pace.pending_limit)
        self._health = LedgerHealth()
        self._readers: WeakSet[Reader] = WeakSet()
        self._wake = threading.Condition()
        self._turns = threading.Lock()
        self._swap = threading.Lock()  # held while the session is used to open or is replaced
        self._urgent = False
        self._closing = False
        self._last_commit_s = float("-inf")
        self._in_doubt: tuple[int, list[Ticket]] | None = None
        self._thread = threading.Thread(target=self._work, name="meter-ledger", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        memory_limit_mb: int = 64,
        retention_days: int = 30,
        pace: Pace | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> Ledger:
        """The ledger in a file, made or migrated if need be; raw readings expire by retention.

        Raises LedgerLockedError with the holder's PID, LedgerTooNewError, LedgerDamagedError,
        LedgerFullError, or LedgerError if the place cannot be written.
        """

        def session() -> Session:
            try:
                return Session(path, memory_limit_mb=memory_limit_mb, now_us=now_us)
            except duckdb.Error as error:
                raise store.opening_error(path, error) from error

        return cls(path, session(), session, pace=pace or Pace(), retention_days=retention_days)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, batch: LedgerBatch, *, urgent: bool = False) -> Future[None]:
        """Queue a batch; the future is done when it is durable.

        Batches are joined into one commit a second, or in two where many wait, unless urgent. The
        future's exception is a LedgerError if the batch is wrong, refused, or still unwritten
        at the end.
        """
        return self._queue(batch, urgent=urgent)

    def take(self, usages: tuple[Usage, ...]) -> Future[tuple[Outcome, ...]]:
        """Queue usage, urgent; the future has what became of each event once all is durable.

        Its exception is as that of :meth:`write`.
        """
        return self.take_entries(tuple(entries(usages)))

    def take_entries(self, told: tuple[UsageEntry, ...]) -> Future[tuple[Outcome, ...]]:
        """Like :meth:`take`, of events that were made ready elsewhere."""
        return self._queue(LedgerBatch(entries=told), urgent=True)

    def bill(self, charges: tuple[Charge, ...]) -> Future[tuple[Outcome, ...]]:
        """Queue charges, urgent; the future has what became of each once all are durable.

        Its exception is as that of :meth:`write`.
        """
        return self._queue(LedgerBatch(charges=charges), urgent=True)

    def _queue(self, batch: LedgerBatch, *, urgent: bool) -> Future[Any]:
        with self._wake:
            if self._closing:
                raise LedgerError("the ledger is closed", "open it again")
            future = self._pending.add(batch)
            self._urgent = self._urgent or urgent
            self._wake.notify_all()
        return future

    def reader(self) -> Reader:
        """A reader with its own cursor; use it in one thread and close it.

        Raises LedgerError while the file is being opened again, or after :meth:`close`.
        """
        with self._swap:
            if self._session is None:
                raise LedgerError("the ledger is closed", "try again in a moment")
            reader = Reader(self._session.cursor())
            self._readers.add(reader)
            return reader

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One question at a time: the memory that the ledger may use is no more than for one."""
        with self._turns:
            yield

    @contextmanager
    def question(self) -> Iterator[Reader]:
        """A reader in its turn, for :data:`QUESTION_S` at most; not to be nested.

        Raises LedgerError.
        """
        with self.turn(), self.reader() as reader, reader.within(QUESTION_S):
            yield reader

    def health(self) -> LedgerHealth:
        """How writing goes."""
        with self._wake:
            return LedgerHealth(
                failures=self._health.failures,
                pending=len(self._pending.tickets),
                full=self._health.full,
                dropped=self._pending.dropped,
                last_error=self._health.last_error,
            )

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, once more, and close; what stays unwritten fails with its reason."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(timeout_s)
        with self._wake:
            left = self._pending.take()
        for _, future in left:
            reason = self._health.last_error or "the writer is busy"
            error = LedgerError(
                f"the ledger {self.path} could not be written ({reason})",
                "free some space on its volume, or set METER_HOME elsewhere",
            )
            _fail(future, error)
        if not self._thread.is_alive():
            self._close_session()

    # The writer's thread

    def _work(self) -> None:
        backoff_s = 0.0
        while True:
            tickets, last = self._next(backoff_s)
            if tickets:
                backoff_s = self._write_all(tickets, backoff_s)
            if last:
                return

    def _next(self, backoff_s: float) -> tuple[list[Ticket], bool]:
        """Wait until a commit is due; the batches to write, and whether it is the last time."""
        with self._wake:
            while not self._closing:
                wait_s = self._due_in(backoff_s)
                if wait_s is not None and wait_s <= 0:
                    break
                self._wake.wait(wait_s)
            self._urgent = False
            return self._pending.take(), self._closing

    def _due_in(self, backoff_s: float) -> float | None:
        """Seconds until a commit is due, None if nothing waits."""
        if not self._pending.tickets:
            return None
        since_s = time.monotonic() - self._last_commit_s
        if backoff_s:
            return backoff_s - since_s
        if self._urgent:
            return 0.0
        return self._pace.every_s(self._pending.rows) - since_s

    def _write_all(self, tickets: list[Ticket], backoff_s: float) -> float:
        """Write the batches in one commit; the back-off in seconds until the next try."""
        try:
            self._commit(tickets)
        except (LedgerError, *_RETRYABLE) as error:
            self._failed(error)
            with self._wake:
                self._pending.put_back(tickets)
            first = self._pace.retry_s
            return min(max(first, backoff_s * _BACKOFF), max(first, _LONGEST_BACKOFF_S))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other batches go on
            self._failed(error)
            self._one_by_one(tickets, error)
        finally:
            self._last_commit_s = time.monotonic()
        return 0.0

    def _one_by_one(self, tickets: list[Ticket], error: Exception) -> None:
        """A batch that cannot be written must not take others with it, nor a row the others."""
        if len(tickets) == 1:
            (batch, future), *_ = tickets
            if batch.divisible:
                self._salvage(batch, future)
            elif batch.counters:  # what is shown live must not cost the facts
                self._write_all([(replace(batch, counters=()), future)], 0.0)
            else:
                _fail(future, _refusal(error))
            return
        for ticket in tickets:
            self._write_all([ticket], 0.0)

    def _salvage(self, batch: LedgerBatch, future: Future[Any]) -> None:
        """Write all of a batch but the rows that cannot be written: in one commit, as it came."""
        try:
            found = salvaged(batch, self._writable)
        except (LedgerError, *_RETRYABLE) as error:
            self._failed(error)
            with self._wake:
                self._pending.put_back([(batch, future)])
            return
        with self._wake:
            self._pending.dropped += found.lost
        self._write_all([(replace(found.batch, divisible=False), future)], 0.0)

    def _writable(self, batch: LedgerBatch) -> bool:
        """Whether the ledger would take a batch; raises what is no fault of the batch."""
        session = self._session or self._open_again()
        try:
            session.rehearse(batch)
        except duckdb.FatalException:
            self._close_session()
            raise
        except (LedgerError, *_RETRYABLE):
            raise
        except Exception:  # noqa: BLE001 - as in a commit, whatever it is
            return False
        return True

    def _commit(self, tickets: list[Ticket]) -> None:
        session = self._session or self._open_again()
        self._resolve(session)
        left = [ticket for ticket in tickets if not ticket[1].done()]
        if left:
            self._attempt(session, left)
        self._succeeded()

    def _attempt(self, session: Session, tickets: list[Ticket]) -> None:
        """One commit; if the engine dies in it, whether it is in the log tells the next opening."""
        attempt = session.seq + 1
        try:
            outcomes = session.commit([batch for batch, _ in tickets])
        except duckdb.FatalException:
            self._in_doubt = (attempt, tickets)
            self._close_session()
            self._resolve(self._open_again())
            if not all(future.done() for _, future in tickets):
                raise
            return
        for (_, future), outcome in zip(tickets, outcomes, strict=True):
            _settle(future, outcome)

    def _resolve(self, session: Session) -> None:
        """Settle the commit in doubt, if the ledger has it; else it will be tried again."""
        if self._in_doubt is None:
            return
        (attempt, tickets), self._in_doubt = self._in_doubt, None
        if session.seq >= attempt:
            for batch, future in tickets:  # whether some of it was there before is forgotten
                told = len(batch.usages) + len(batch.entries) + len(batch.charges)
                _settle(future, (Outcome.STORED,) * told or None)

    def _open_again(self) -> Session:
        with self._swap:
            self._session = self._reopen()
            return self._session

    def _close_session(self) -> None:
        with self._swap:
            closing: list[Reader | Session] = [*self._readers]
            if self._session is not None:
                closing.append(self._session)
            self._session = None
        for one in closing:
            try:
                one.close()
            except duckdb.Error as error:
                self._failed(error)  # what was committed is in the log; only the tidying failed

    def _succeeded(self) -> None:
        with self._wake:
            self._health = LedgerHealth(failures=self._health.failures)
        if self._session is not None:
            try:
                self._tidy(self._session)
            except duckdb.Error as error:
                self._failed(error)  # tried again when as much has come again

    def _tidy(self, session: Session) -> None:
        """Remove what nobody needs any more: old readings hourly, counters that newer ones hide."""
        if session.counters_crowded:
            session.expire_counters(session.recorded_us - SHOWN_MIN * US_PER_MINUTE)
        if session.recorded_us - self._expired_us >= US_PER_HOUR:
            self._expired_us = session.recorded_us
            session.expire_readings(session.recorded_us - self._retention_us)

    def _failed(self, error: BaseException) -> None:
        with self._wake:
            self._health = LedgerHealth(
                failures=self._health.failures + 1,
                full=store.is_full(error) or isinstance(error, LedgerFullError),
                last_error=str(error).splitlines()[0] if str(error) else type(error).__name__,
            )


def _settle(future: Future[Any], outcome: tuple[Outcome, ...] | None) -> None:
    if future.set_running_or_notify_cancel():  # else whoever asked does not wait any more
        future.set_result(outcome)


def _fail(future: Future[Any], error: BaseException) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)


def _refusal(error: Exception) -> MeterError:
    if isinstance(error, MeterError):
        return error
    return LedgerError(
        f"the ledger refuses a batch ({str(error).splitlines()[0]})", "this is a defect: report it"
    )
