"""Rows of a provider's answer into the ledger: which were new, which were corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.ledger.instants import timestamp
from meter.ledger.learning import learn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

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
    """Write rows of one book, kind and scope, all or none; raises LedgerError if that cannot be."""
    if not rows:
        return Synced((), 0, 0)
    one = rows[0]
    with ledger.reader() as reader:
        found = reader.rows(
            "recovery/factor_times", book=one.book, kind=one.kind.value, scope=one.scope
        )
    known = {(row["valid_from"], row["valid_to"]) for row in found}
    learned = learn(ledger, rows).factors
    corrected = sum(_time(row) in known for row in learned)
    return Synced(learned, corrected, len(rows) - len(learned))


def _time(row: Factor) -> tuple[datetime | None, datetime | None]:
    start, end = row.valid_from_us, row.valid_to_us
    return (
        None if start is None else timestamp(start),
        None if end is None else timestamp(end),
    )
