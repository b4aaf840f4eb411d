"""Rows that a user brings, checked against a ledger and learned by it: all of them or none."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meter.factors.cells import NEXT
from meter.factors.factor_rows import BOOK, Known, factors_of_rows
from meter.factors.price_rows import prices_of_rows
from meter.factors.rows import Cell, Fault, Row, RowsError
from meter.ledger import books
from meter.ledger.books import Asked
from meter.ledger.learning import Learned, learn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.ledger import Ledger
    from meter.model import Factor


def take_factors(ledger: Ledger, rows: Sequence[Row], sites: Iterable[str]) -> Learned:
    """Learn the factors of rows; ``sites`` are known besides the ledger's.

    Returns what was news. Raises RowsError with every fault, LedgerError if it cannot be written.
    """
    known = replace(_known(ledger, sites), standing=_standing(ledger, rows))
    return learn(ledger, factors=factors_of_rows(rows, known))


def _standing(ledger: Ledger, rows: Sequence[Row]) -> list[Factor]:
    """Imported rows that may end some of these."""
    kinds = {row.cells.get("kind") for row in rows if row.cells.get("valid_to") == NEXT}
    with ledger.reader() as reader:
        return [
            factor
            for kind in sorted(kind for kind in kinds if isinstance(kind, str))
            for factor in books.standing(reader, Asked(kind=kind, book=BOOK))
        ]


def take_prices(ledger: Ledger, rows: Sequence[Row]) -> Learned:
    """Learn the prices of rows.

    Returns what was news. Raises RowsError with every fault, LedgerError if it cannot be written.
    """
    return learn(ledger, prices=prices_of_rows(rows, _known(ledger, ())))


def rows_of_json(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows as a request brings them; numbers are taken as they are written. Raises RowsError."""
    faults: list[Fault] = []
    rows = []
    for index, one in enumerate(found):
        cells: dict[str, Cell] = {}
        for name, value in one.items():
            cell = _cell(value)
            if cell is None and value is not None:
                faults.append(Fault("must be text or a number", index, None, name[:40]))
            elif cell:
                cells[name] = cell
        rows.append(Row(cells))
    if faults:
        raise RowsError(faults)
    return rows


def _cell(value: object) -> Cell | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float):
        return repr(value)
    return value if isinstance(value, dict) else None


def _known(ledger: Ledger, sites: Iterable[str]) -> Known:
    with ledger.reader() as reader:
        known = frozenset((*books.site_ids(reader), *sites))
        return Known(known, reader.newest_us(), time.time_ns() // 1_000)
