"""A residual mix as rows: what a zone emits a kWh that nobody has claimed; pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.factors.cells import NEXT, Cells
from meter.factors.rows import Cell, Row, RowsError, Sheet
from meter.factors.tables import csv_rows
from meter.faults import Fault, shown
from meter.model import FactorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

ZONES = ("zone", "country")
VALUES = ("g_per_kwh", "gCO2/kWh")
"""Names that the columns of zone and value go by; the third is ``year``."""

_KNOWN = (*ZONES, *VALUES, "year", "source", "source_date", "licence")
_NAMES = {"valid_from": "year", "valid_to": "year"}
_YEAR = re.compile(r"(19|20)\d{2}")
_FAR_US = 1 << 62
_AIB = "AIB"


def is_residual_mix(header: list[str]) -> bool:
    """Whether a table's columns are those of a residual mix."""
    return "year" in header and any(n in header for n in ZONES) and any(n in header for n in VALUES)


def residual_mix_rows(text: str, told: Mapping[str, str] | None = None) -> Sheet:
    """The market-based intensity of each zone and year; the newest year holds until the next.

    ``told`` are source, its date and licence where rows do not tell them. A zone without residual
    mix, a value of 0, is told and left out. Raises RowsError.
    """
    given = csv_rows(text)
    faults: list[Fault] = []
    read: list[tuple[str, int, str, Row]] = []
    unknown: set[str] = set()
    for index, row in enumerate(given):
        cells = Cells(row, index, _FAR_US)
        cells.columns(_KNOWN, unknown)
        read += _read(cells)
        faults += cells.faults
    if faults:
        raise RowsError(faults)
    empty = sorted({zone for zone, _, value, _ in read if Decimal(value) == 0})
    used = [one for one in read if Decimal(one[2]) != 0]
    if not used:
        raise RowsError([Fault("has no residual mix but 0")])
    rows = tuple(_row(*one, told or {}) for one in used)
    said = f"Left out, because a residual mix of 0 is none: {', '.join(empty)}." if empty else ""
    return Sheet(rows, (said,) if said else ())


def _read(cells: Cells) -> list[tuple[str, int, str, Row]]:
    zone_column = next((name for name in ZONES if cells.raw(name) is not None), ZONES[0])
    value_column = next((name for name in VALUES if cells.raw(name) is not None), VALUES[0])
    zone = cells.text(zone_column, required=True)
    value = cells.number(value_column, required=True)
    year = cells.text("year", required=True)
    if year is not None and not _YEAR.fullmatch(year):
        cells.wrong("year", f"{shown(year)} is no year")
    if cells.faults or zone is None or value is None or year is None:
        return []
    return [(zone, int(year), str(value), cells.row)]


def _row(zone: str, year: int, value: str, row: Row, told: Mapping[str, str]) -> Row:
    cells: dict[str, Cell] = {
        "kind": FactorKind.MARKET_INTENSITY.value,
        "scope": zone,
        "value": value,
        "unit": "g/kWh",
        "share": "1",
        "rank": "210",
        "source_date": str(year),
        "valid_from": f"{year}-01-01",
        "valid_to": NEXT,
        "detail": f"residual mix of {year}",
    }
    given = {**told, **row.cells}
    cells |= {n: given[n] for n in ("source", "source_date", "licence") if n in given}
    if _AIB in str(cells.get("source", "")):  # its figures are of combustion alone
        cells["basis"] = "average, direct"
    return Row(cells, row.line, names={**_NAMES, **_own_names(row)})


def _own_names(row: Row) -> dict[str, str]:
    zone = next(name for name in ZONES if name in row.cells)
    value = next(name for name in VALUES if name in row.cells)
    dated = {} if "source_date" in row.cells else {"source_date": "year"}
    return {"scope": zone, "value": value, "unit": value, **dated}
