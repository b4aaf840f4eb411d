"""The way of facts into the ledger: the batch that grows, and what is durable of those before.

The metering thread writes; the ledger's writer tells when a batch is durable. What is durable may
be read from any thread: it is replaced as a whole.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from meter.agent.booking import counters
from meter.agent.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.agent.booking import Books, Key
    from meter.agent.runs import Ending
    from meter.model import Counter, LedgerBatch
    from meter.snapshot import Exemplar, Series

_UNDURABLE_KEPT = 10_000


class Store(Protocol):
    """Where batches become durable."""

    def write(self, batch: LedgerBatch, *, urgent: bool = False) -> Future[None]:
        """Queue a batch; the future is done when it is durable."""


class Outbox:
    """What is to be written, what waits to become durable, and the totals that are."""

    def __init__(self, store: Store, draft: Draft, site_id: str) -> None:
        self.draft = draft
        self.hurry = False  # something waits to become durable at once
        self.exemplars: Mapping[Series, Exemplar] = {}  # of what is durable
        self.written: Future[None] = Future()  # of the newest batch
        self.written.set_result(None)
        self._store = store
        self._site_id = site_id
        self._committed: Mapping[Key, Decimal] = {}
        self._announced: Mapping[Key, Decimal] = {}  # zeros of what is not durable yet
        self._undurable: deque[tuple[Future[None], LedgerBatch]] = deque(maxlen=_UNDURABLE_KEPT)

    @property
    def committed(self) -> tuple[Counter, ...]:
        """Every counter as it is durable, and those announced at zero; any thread."""
        # in this order: what becomes durable between the two looks is in the second
        return counters({**self._announced, **self._committed})

    @property
    def undurable(self) -> list[LedgerBatch]:
        """Batches that wait for the ledger; any thread."""
        return [batch for _, batch in list(self._undurable)]

    def restore(self, books: Books) -> None:
        """Begin with totals that are durable already."""
        self._committed = books.totals()

    def announce(self, keys: Iterable[Key]) -> None:
        """Show counters at zero before anything of them is durable: zero is never ahead of it."""
        self._announced = self._waiting([*self._announced, *keys])

    def send(self, books: Books, endings: Sequence[Ending], *, urgent: bool) -> Future[None]:
        """Write what is there with what has changed in the books; done when durable.

        By then the endings are done too. Nothing is written of nothing, unless it is urgent.
        """
        draft, self.draft = self.draft, Draft()
        self.hurry = False
        draft.counters += books.changed()
        if draft.empty and not urgent:
            return self.written
        shown, exemplars = books.totals(), books.exemplars.all()
        self._announced = self._waiting(key for key in self._announced if key in shown)
        batch = draft.batch(self._site_id)
        future = self.written = self._store.write(batch, urgent=urgent)
        self._undurable.append((future, batch))

        def durable(done: Future[None]) -> None:
            if done.exception() is None:
                self._committed, self.exemplars = shown, exemplars
            for ending in endings:
                _pass_on(done, ending)

        future.add_done_callback(durable)
        while self._undurable and self._undurable[0][0].done():
            self._undurable.popleft()
        return future

    def _waiting(self, keys: Iterable[Key]) -> dict[Key, Decimal]:
        return {key: Decimal(0) for key in keys if key not in self._committed}


def _pass_on(done: Future[None], ending: Ending) -> None:
    if ending.done.done():
        return
    error = done.exception()
    if error is None:
        ending.done.set_result(None)
    else:
        ending.done.set_exception(error)
