"""Sheets for tests: rows of factors as a user writes them, and what they are checked against."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from meter.factors.factor_rows import Known, factors_of_rows
from meter.factors.imports import Wanted, factor_sheet, price_sheet
from meter.factors.price_rows import prices_of_rows
from meter.factors.rows import RowsError

if TYPE_CHECKING:
    from meter.faults import Fault

NOW_US = 1_790_000_000_000_000  # 2026-09-21
KNOWN = Known(frozenset({"lab"}), newest_us=1_780_000_000_000_000, now_us=NOW_US)

FACTOR = {
    "kind": "grid_intensity", "scope": "FRA", "value": "56", "unit": "g/kWh",
    "source": "grid operator", "source_date": "2025", "licence": "own data",
}  # fmt: skip
PRICE = {
    "provider": "p", "model": "m", "meter": "input", "per": "1000000", "currency": "USD",
    "value": "2.5", "source": "price list", "source_date": "2026-01-05", "licence": "own data",
}  # fmt: skip


def table(*rows: dict[str, str], delimiter: str = ",") -> bytes:
    """Rows as CSV, with a column for each key of any."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    made = io.StringIO()
    writer = csv.DictWriter(made, names, delimiter=delimiter, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue().encode()


def factors(content: bytes | str, **wanted):
    data = content.encode() if isinstance(content, str) else content
    return factors_of_rows(factor_sheet(data, Wanted(**wanted)).rows, KNOWN)


def prices(content: bytes | str, **wanted):
    data = content.encode() if isinstance(content, str) else content
    return prices_of_rows(price_sheet(data, Wanted(**wanted)).rows, KNOWN)


def factor(**changes: str):
    """The factor of one row."""
    (found,) = factors(table({**FACTOR, **changes}))
    return found


def faults(content: bytes | str, read=factors, **wanted) -> list[Fault]:
    """What is wrong with a sheet; empty if nothing is."""
    try:
        read(content, **wanted)
    except RowsError as error:
        return list(error.faults)
    return []


def reasons(**changes: str) -> dict[str | None, str]:
    """What is wrong with one row, by column."""
    return {fault.column: fault.reason for fault in faults(table({**FACTOR, **changes}))}
