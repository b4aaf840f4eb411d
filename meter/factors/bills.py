"""Electricity bills as rows: what a kWh of a site cost in each period; pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from meter.factors.cells import Cells
from meter.factors.rows import Cell, Row, RowsError, Sheet
from meter.factors.tables import csv_rows
from meter.faults import Fault, shown
from meter.model import FactorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = frozenset({"first_day", "last_day", "kwh", "amount", "currency"})
"""Columns of a table of bills; ``source`` may name the supplier, ``detail`` the bill."""

RANK = "420"
"""What was billed goes before what a tariff says, imported or configured."""

_KNOWN = (*sorted(HEADER), "source", "detail")
_FAR_US = 1 << 62
_MOST_PLACES = Decimal("1E-9")
_MOST_PRICE = Decimal("1E9")
_YEARS = range(1971, 9999)  # such that each day has a midnight everywhere, and a day after it
_NAMES = {
    "scope": "--site",
    "value": "amount",
    "unit": "currency",
    "source_date": "last_day",
    "valid_from": "first_day",
    "valid_to": "last_day",
}
"""What the columns of factors are in a table of bills."""


def bill_rows(text: str, *, site: str, timezone: str = "UTC") -> Sheet:
    """The price of a kWh at a site for each bill's days, of its time zone; raises RowsError."""
    rows, faults = [], []
    total = Decimal(0)
    unknown: set[str] = set()
    for index, row in enumerate(csv_rows(text)):
        cells = Cells(row, index, _FAR_US)
        cells.columns(_KNOWN, unknown)
        found, kwh = _row(cells, site, timezone)
        faults += cells.faults
        rows.append(found)
        total += kwh
    if faults:
        raise RowsError(faults)
    said = (
        f"The bills' {total:,f} kWh are not compared with what was metered: a bill is of all that "
        "is behind its meter."
    )
    return Sheet(tuple(rows), (said,))


def _row(cells: Cells, site: str, timezone: str) -> tuple[Row, Decimal]:
    first, last = _day(cells, "first_day"), _day(cells, "last_day")
    kwh = cells.number("kwh", required=True)
    amount = cells.number("amount", required=True)
    cells.text("currency", required=True)
    if amount is not None and amount < 0:
        cells.wrong("amount", f"{amount} is a credit: add it to the bill that it corrects")
    if kwh is not None and kwh <= 0:
        cells.wrong("kwh", f"{kwh} is not above 0: there is no price of nothing")
    if first is not None and last is not None and last < first:
        cells.wrong("last_day", "is before first_day")
    if cells.faults or kwh is None or first is None or last is None or amount is None:
        return cells.row, Decimal(0)
    price = amount / kwh
    if abs(price) >= _MOST_PRICE:
        cells.wrong("amount", f"{amount} for {kwh} kWh is absurd: check both")
        return cells.row, Decimal(0)
    made: dict[str, Cell] = {
        "kind": FactorKind.ELECTRICITY_PRICE.value,
        "scope": site,
        "value": f"{price.quantize(_MOST_PLACES):f}",
        "unit": "/kWh",
        "currency": cells.row.cells["currency"],
        "source": cells.row.cells.get("source", "electricity bill"),
        "source_date": last.isoformat(),
        "licence": "own data",
        "valid_from": _midnight(first, timezone),
        "valid_to": _midnight(last + timedelta(days=1), timezone),
        "rank": RANK,
        "detail": "; ".join(_detail(cells.row, amount, kwh)),
    }
    return Row(made, cells.row.line, names=_NAMES), kwh


def _detail(row: Row, amount: Decimal, kwh: Decimal) -> Sequence[str]:
    told = [f"{amount} {row.cells['currency']} for {kwh} kWh"]
    return [*told, str(row.cells["detail"])] if "detail" in row.cells else told


def _day(cells: Cells, column: str) -> date | None:
    found = cells.text(column, required=True)
    if found is None:
        return None
    try:
        day = date.fromisoformat(found)
    except ValueError:
        cells.wrong(column, f"{shown(found)} is no day such as 2026-03-31")
        return None
    if day.year not in _YEARS:
        cells.wrong(column, f"{day} is in no year from {_YEARS[0]} to {_YEARS[-1]}")
        return None
    return day


def _midnight(day: date, timezone: str) -> str:
    """The instant at which a day begins there, in UTC; raises RowsError for no time zone."""
    try:
        zone = ZoneInfo(timezone)
    except (LookupError, ValueError, OSError):
        raise RowsError([Fault(f"{shown(timezone)} is no time zone")]) from None
    begins = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return begins.strftime("%Y-%m-%dT%H:%MZ")
