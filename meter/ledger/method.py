"""How a document is made of the ledger's rows: its version, and the making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter import __version__
from meter.ledger.reports import run_document
from meter.ledger.texts import Library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.ledger.reader import Reader

METHOD_VERSION = "6"
"""Raised whenever the same rows and query texts would give another document; docs/adr/0012."""

MADE_BY = f"tunemeter {__version__}"


def derived(
    reader: Reader, run_id: str, as_of_us: int, sources: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """A run's document as known at an instant, and the query texts that it was made by.

    ``sources`` are the texts to use, by their names under ``queries/``; today's if None. Raises
    LedgerError where one is missing or fails.
    """
    library = Library(sources)
    with reader.by_texts(library) as derived_by:
        document = run_document(derived_by, run_id, as_of_us=as_of_us)
    return document, library.used()
