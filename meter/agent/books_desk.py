"""The books as an agent answers for them; any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from meter.agent.problems import NotFoundError
from meter.errors import LedgerError, UsageError
from meter.intake import rows_of_json, take_factors, take_prices
from meter.ledger import books

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meter.agent.shelf import Shelf
    from meter.ledger import Ledger
    from meter.ledger.books import Asked
    from meter.ledger.learning import Learned


class BooksDesk:
    """Lists the books, and takes rows into them."""

    def __init__(
        self,
        ledger: Ledger,
        shelf: Shelf,
        on_prices: Callable[[], None] = lambda: None,
        *,
        keeps: bool = True,
    ) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._on_prices = on_prices
        self._keeps = keeps
        self._taking = threading.Lock()  # what is said of one thing at one instant is said once

    def factors(self, asked: Asked) -> list[dict[str, Any]]:
        """Rows of the factor book."""
        with self._ledger.question() as reader:
            return books.factors(reader, asked)

    def prices(self, asked: Asked) -> list[dict[str, Any]]:
        """Rows of the price book."""
        with self._ledger.question() as reader:
            return books.prices(reader, asked)

    def history(self, text: str) -> list[dict[str, Any]]:
        """Every row about the same thing as a factor. Raises NotFoundError."""
        try:
            with self._ledger.question() as reader:
                return books.history(reader, text)
        except UsageError as error:
            raise NotFoundError(error.message, error.remedy) from None

    def take_factors(self, rows: Sequence[Mapping[str, Any]]) -> Learned:
        """Learn factors, all or none; what was news. Live counters book by them.

        Raises RowsError, LedgerError.
        """
        self._require_keeping()
        with self._taking:
            learned = take_factors(self._ledger, rows_of_json(rows), [self._shelf.site.id])
        self._shelf.take((*learned.withdrawn, *learned.factors))
        return learned

    def take_prices(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Learn prices, all or none; ids of what was news. Raises RowsError, LedgerError."""
        self._require_keeping()
        with self._taking:
            learned = take_prices(self._ledger, rows_of_json(rows))
        self._on_prices()
        return [price.id for price in learned.prices]

    def _require_keeping(self) -> None:
        """Raises LedgerError where all that is learned ends with this agent."""
        if not self._keeps:
            raise LedgerError(
                "this agent has its ledger in memory and would forget what it is told",
                "try again when its run has ended",
            )
