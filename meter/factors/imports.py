"""A user's file as rows, whatever its format; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.factors.bills import HEADER as BILL_HEADER
from meter.factors.bills import bill_rows
from meter.factors.cloud_regions import HEADER as CLOUD_HEADER
from meter.factors.cloud_regions import cloud_region_rows
from meter.factors.factor_rows import COLUMNS as FACTOR_COLUMNS
from meter.factors.factor_rows import EXPORTED
from meter.factors.litellm_prices import is_litellm, litellm_rows
from meter.factors.price_rows import COLUMNS as PRICE_COLUMNS
from meter.factors.residual_mix import is_residual_mix, residual_mix_rows
from meter.factors.rows import Row, RowsError, Sheet
from meter.factors.tables import csv_rows, header_of, is_csv, text_of, yaml_rows
from meter.faults import Fault, unknown_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MARKS = {frozenset({"kind", "scope"}): "factors", frozenset({"provider", "model"}): "prices"}

AUTO, ROWS = "auto", "rows"
FACTOR_FORMATS = (AUTO, ROWS, "cloud-regions", "bills", "residual-mix")
PRICE_FORMATS = (AUTO, ROWS, "litellm")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a file is read: its format, and what it does not tell itself.

    ``told`` are cells that rows without them get: source, source_date, licence, valid_from.
    ``suffix`` is that of the file's name.
    """

    form: str = AUTO
    site: str | None = None
    region: str | None = None
    timezone: str = "UTC"
    told: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


def factor_sheet(content: bytes, wanted: Wanted) -> Sheet:
    """Rows of factors. Raises RowsError for a file that is none, UsageError for what is missing."""
    text = text_of(content)
    form = _factor_form(text, wanted.suffix) if wanted.form == AUTO else wanted.form
    if wanted.region and form != "cloud-regions":
        raise UsageError("--region is for files of cloud regions", "leave it out")
    if form == "cloud-regions":
        if wanted.site and not wanted.region:
            raise UsageError("a site is in one cloud region", "name it with --region")
        return cloud_region_rows(text, region=wanted.region, site=wanted.site)
    if form == "bills":
        if wanted.site is None:
            raise UsageError("bills are of a site", "name it with --site")
        return bill_rows(text, site=wanted.site, timezone=wanted.timezone)
    if form == "residual-mix":
        return residual_mix_rows(text, wanted.told)
    rows = _rows((text, wanted.suffix), "factors", (*FACTOR_COLUMNS, *EXPORTED))
    told = {**wanted.told, **({"scope": wanted.site} if wanted.site else {})}
    return _with(Sheet(tuple(rows)), told)


def price_sheet(content: bytes, wanted: Wanted) -> Sheet:
    """Rows of prices. Raises RowsError for a file that is none, UsageError for what is missing."""
    text = text_of(content)
    if wanted.form == "litellm" or (wanted.form == AUTO and is_litellm(text)):
        date = wanted.told.get("source_date")
        if date is None:
            raise UsageError(
                "litellm's file has no date of its own", "say when it was taken: --source-date"
            )
        return litellm_rows(text, source_date=date, valid_from=wanted.told.get("valid_from"))
    rows = _rows((text, wanted.suffix), "prices", (*PRICE_COLUMNS, *EXPORTED))
    return _with(Sheet(tuple(rows)), wanted.told)


def _rows(file: tuple[str, str], key: str, columns: Sequence[str]) -> list[Row]:
    """Rows of a sheet; of a table its header is judged first, once for all its rows.

    Raises RowsError, UsageError for a sheet of the other book.
    """
    text, suffix = file
    if not is_csv(text, suffix):
        return yaml_rows(text, key)
    line, header = header_of(text)
    for mark, other in _MARKS.items():
        if other != key and mark <= set(header):
            raise UsageError(f"this is a sheet of {other}", f"`meter {other} import` takes it")
    unknown = [name for name in header if name and name not in columns]
    if unknown:
        raise RowsError(
            [Fault(unknown_column(name, columns), None, line, name) for name in unknown]
        )
    return csv_rows(text)


def _factor_form(text: str, suffix: str) -> str:
    if not is_csv(text, suffix):
        return ROWS
    _, header = header_of(text)
    if set(header) >= CLOUD_HEADER:
        return "cloud-regions"
    if set(header) >= BILL_HEADER:
        return "bills"
    return "residual-mix" if is_residual_mix(header) else ROWS


def _with(sheet: Sheet, told: Mapping[str, str]) -> Sheet:
    if not told:
        return sheet
    rows = (Row({**told, **row.cells}, row.line, row.lines, row.names) for row in sheet.rows)
    return Sheet(tuple(rows), sheet.notices)
