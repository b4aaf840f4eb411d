"""The way of facts into the ledger: the batch that grows, and what is durable of those before.

The metering thread writes; the ledger's writer tells when a batch is durable. What is durable may
be read from any thread: it is replaced as a whole.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Protocol

from meter.agent.committed import Totals
from meter.agent.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meter.agent.booking import Books, Key
    from meter.agent.committed import Committed
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
        self._totals = Totals()
        self._sent = 0
        self._changes: deque[tuple[int, Callable[[], None]]] = deque()
        self._taking = threading.Lock()
        self._undurable: deque[tuple[Future[None], LedgerBatch]] = deque(maxlen=_UNDURABLE_KEPT)

    @property
    def committed(self) -> Committed:
        """Every counter as it is durable, and those announced at zero; any thread."""
        return self._totals.now

    @property
    def undurable(self) -> list[LedgerBatch]:
        """Batches that wait for the ledger; any thread."""
        return [batch for _, batch in list(self._undurable)]

    def restore(self, books: Books) -> None:
        """Begin with totals that are durable already."""
        books.gone()
        self._totals.begin(books.all())

    def announce(self, keys: Iterable[Key]) -> None:
        """Show counters at zero before anything of them is durable: zero is never ahead of it."""
        with self._taking:
            self._totals.announce(keys)

    def send(self, books: Books, endings: Sequence[Ending], *, urgent: bool) -> Future[None]:
        """Write what is there with what has changed in the books; done when durable.

        By then the endings are done too. Nothing is written of nothing, unless it is urgent.
        """
        draft, self.draft = self.draft, Draft()
        self.hurry = False
        draft.counters += books.changed()
        if draft.empty and not urgent:
            return self.written
        exemplars = books.exemplars.all()
        batch = draft.batch(self._site_id)
        number = self._note(books, batch.counters)
        future = self.written = self._store.write(batch, urgent=urgent)
        self._undurable.append((future, batch))

        def durable(done: Future[None]) -> None:
            if done.exception() is None:
                self._show(number)
                self.exemplars = exemplars
            for ending in endings:
                _pass_on(done, ending)

        future.add_done_callback(durable)
        while self._undurable and self._undurable[0][0].done():
            self._undurable.popleft()
        return future

    def _note(self, books: Books, changed: Sequence[Counter]) -> int:
        """Keep what is to be shown once a batch is durable; the batch's number."""
        gone = books.gone()
        with self._taking:
            self._sent += 1
            if len(self._changes) < _UNDURABLE_KEPT:
                shown = partial(self._totals.take, changed, gone)
            else:  # the ledger has long been away: what there is now stands for all of it
                self._changes.clear()
                shown = partial(self._totals.begin, books.all())
            self._changes.append((self._sent, shown))
            return self._sent

    def _show(self, number: int) -> None:
        """Show what changed up to a batch, also in those before that were refused."""
        with self._taking:
            while self._changes and self._changes[0][0] <= number:
                self._changes.popleft()[1]()


def _pass_on(done: Future[None], ending: Ending) -> None:
    if ending.done.done():
        return
    error = done.exception()
    if error is None:
        ending.done.set_result(None)
    else:
        ending.done.set_exception(error)
