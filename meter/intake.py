"""Rows that a user brings, checked against a ledger and learned by it: all of them or none."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meter.factors.cells import NEXT
from meter.factors.cloud_regions import left, regions_of_sites
from meter.factors.factor_rows import BOOK, Known, factors_of_rows
from meter.factors.price_rows import prices_of_rows
from meter.factors.rows import Cell, Row, RowsError
from meter.faults import Fault
from meter.ledger import books
from meter.ledger.books import Asked
from meter.ledger.learning import Learned, learn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.ledger import Ledger
    from meter.model import Factor


def take_factors(ledger: Ledger, rows: Sequence[Row], sites: Iterable[str]) -> Learned:
    """Learn the factors of rows; ``sites`` are known besides the ledger's.

    What a site's earlier cloud region said of it is withdrawn. Returns what was news. Raises
    RowsError with every fault, LedgerError if it cannot be written.
    """
    regions = regions_of_sites(rows)
    standing = _standing(ledger, rows, regions)
    withdrawn = left(regions, standing)
    gone = {_without_value(one) for one in withdrawn}
    known = replace(
        _known(ledger, sites),
        standing=[one for one in standing if _without_value(one) not in gone],
    )
    factors = factors_of_rows(rows, known)
    # Withdrawn first: of what is learned at once, none goes before the other.
    before = learn(ledger, factors=withdrawn).factors if withdrawn else ()
    return replace(learn(ledger, factors=factors), withdrawn=before)


def _without_value(factor: Factor) -> Factor:
    return replace(factor, id="", recorded_us=0, value=None, low=None, high=None)


def _standing(ledger: Ledger, rows: Sequence[Row], sites: Iterable[str]) -> list[Factor]:
    """Imported rows that may end some of these, and those of some sites."""
    kinds = {row.cells.get("kind") for row in rows if row.cells.get("valid_to") == NEXT}
    asked = [
        *(Asked(kind=kind, book=BOOK) for kind in kinds if isinstance(kind, str)),
        *(Asked(scope=site, book=BOOK) for site in sites),
    ]
    with ledger.reader() as reader:
        found = {one.id: one for each in asked for one in books.standing(reader, each)}
    return list(found.values())


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
