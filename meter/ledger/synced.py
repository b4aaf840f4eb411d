"""Rows of a provider's answer into the ledger: which were new, which were corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.ledger import recovery
from meter.ledger.learning import learn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.ledger.ledger import Ledger
    from meter.model import Factor


@dataclass(frozen=True, slots=True)
class Synced:
    """What was written, and of how many times something else, or the same, was known before."""

    factors: tuple[Factor, ...]
    corrected: int
    unchanged: int

    @property
    def new(self) -> int:
        """Times of which nothing was known."""
        return len(self.factors) - self.corrected


def synced(ledger: Ledger, rows: Sequence[Factor]) -> Synced:
    """Write rows, all or none. Raises LedgerError if they cannot be written."""
    with ledger.reader() as reader:
        known = {_time(row) for row in recovery.factors(reader)}
    learned = learn(ledger, rows).factors if rows else ()
    corrected = sum(_time(row) in known for row in learned)
    return Synced(learned, corrected, len(rows) - len(learned))


def _time(row: Factor) -> tuple[object, ...]:
    return row.book, row.kind, row.scope, row.valid_from_us, row.valid_to_us
