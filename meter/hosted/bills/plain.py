"""A plain table of charges, for bills that no other format is for; pure."""

from __future__ import annotations

from meter.faults import Fault
from meter.hosted.bills.rows import COLUMNS, BillError, BillRow, derived_id
from meter.hosted.bills.tables import table_rows
from meter.hosted.bills.wanted import Sheet, Wanted, without_none

HEADER = frozenset({"start", "end", "amount", "currency", "line_item"})
"""Columns that the table must have."""
_OURS = ("source", "flags")
_ABOUT = ("provider", "start", "end", "currency", "line_item", "project", "model", "job", "unit")


def sheet(text: str, wanted: Wanted) -> Sheet:
    """Charges of a table; the ones without an id get one by what they are about.

    Raises BillError for what is no table.
    """
    rows = table_rows(text)
    faults = [
        Fault("is not a file's to say: leave the column out", index, row.line, name)
        for index, row in enumerate(rows)
        for name in _OURS
        if name in row.cells
    ]
    if faults:
        raise BillError(faults)
    return Sheet(tuple(_row(row, wanted) for row in rows))


def _row(row: BillRow, wanted: Wanted) -> BillRow:
    cells = {"provider": wanted.provider, **row.cells}
    own = cells.get("id")
    made = {
        "source": f"csv:{cells['provider']}",
        "id": own or derived_id(*(cells.get(name) for name in _ABOUT)),
        "project": wanted.project_of(cells.get("project")),
    }
    return BillRow(without_none({**cells, **made}), row.line, {"id": "id"} if own else {})


def is_plain(header: list[str]) -> bool:
    """Whether a table has the columns of charges."""
    return set(header) >= HEADER or (len(HEADER & set(header)) > 2 and set(header) <= set(COLUMNS))
