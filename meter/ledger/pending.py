"""The batches that wait to be written, bounded."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from meter.errors import LedgerFullError
from meter.model import LedgerBatch

Ticket = tuple[LedgerBatch, "Future[Any]"]
"""A batch, and what its future is to hold: outcomes of its usage, None if it brings none."""


def rows_in(batch: LedgerBatch) -> int:
    """How many values a batch carries."""
    return (
        len(batch.readings)
        + len(batch.intervals)
        + len(batch.marks)
        + len(batch.counters)
        + len(batch.notices)
        + len(batch.holds)
        + len(batch.states)
        + len(batch.runs)
        + len(batch.factors)
        + len(batch.prices)
        + len(batch.links)
        + len(batch.usages)
        + len(batch.entries)
        + len(batch.charges)
        + len(batch.jobs)
        + len(batch.hosted_energy)
        + len(batch.uses)
    )


@dataclass(slots=True)
class Pending:
    """A queue of batches with at most ``limit`` values in it.

    Beyond the limit raw readings and looks go first, since intervals hold their energy; then new
    batches are refused. ``dropped`` counts rows given up and batches refused.
    """

    limit: int
    tickets: list[Ticket] = field(default_factory=list)
    rows: int = 0
    dropped: int = 0

    def add(self, batch: LedgerBatch) -> Future[Any]:
        """Queue a batch; its future already has a LedgerFullError if it was refused."""
        future: Future[Any] = Future()
        need = rows_in(batch)
        if self.rows + need > self.limit:
            self._give_up_readings()
        if self.rows and self.rows + need > self.limit:
            self.dropped += 1
            future.set_exception(
                LedgerFullError(
                    "the ledger cannot be written and its waiting room is full",
                    "free some space on the ledger's volume",
                )
            )
            return future
        self.tickets.append((batch, future))
        self.rows += need
        return future

    def take(self) -> list[Ticket]:
        """All that waits; the queue is empty afterwards."""
        taken, self.tickets, self.rows = self.tickets, [], 0
        return taken

    def put_back(self, tickets: list[Ticket]) -> None:
        """What could not be written goes to the front again."""
        self.tickets = tickets + self.tickets
        self.rows = sum(rows_in(batch) for batch, _ in self.tickets)
        if self.rows > self.limit:
            self._give_up_readings()

    def _give_up_readings(self) -> None:
        self.dropped += sum(len(batch.readings) + len(batch.uses) for batch, _ in self.tickets)
        self.tickets = [
            (replace(batch, readings=(), uses=()), future) for batch, future in self.tickets
        ]
        self.rows = sum(rows_in(batch) for batch, _ in self.tickets)
