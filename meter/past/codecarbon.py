"""codecarbon's emissions.csv as runs; pure: a file in, runs or faults out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from meter.factors.cells import Cells
from meter.factors.rows import Row, RowsError, Sheet
from meter.factors.tables import csv_rows, header_of, text_of
from meter.faults import Fault, shown
from meter.past.codecarbon_row import NUMBERS, REQUIRED, TEXTS, RowOfCodecarbon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meter.past.told import ToldRun

COLUMNS = (*REQUIRED, *NUMBERS, *TEXTS)
"""Columns that are read; what else a version writes is not."""


def sheet_of(content: bytes) -> Sheet:
    """A file's rows, columns that are read only.

    Raises RowsError for what is no table, or has no such columns.
    """
    text = text_of(content)
    line, header = header_of(text)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        said = "is missing: is this codecarbon's emissions.csv, of version 2 or later?"
        raise RowsError([Fault(said, None, line, name) for name in missing])
    rows = tuple(
        Row({name: row.cells[name] for name in COLUMNS if name in row.cells}, row.line)
        for row in csv_rows(text)
    )
    return Sheet(rows)


@dataclass(frozen=True, slots=True)
class Found:
    """Runs of some rows, and what is said of them all."""

    runs: tuple[ToldRun, ...]
    notices: tuple[str, ...] = ()


def runs_of_rows(
    rows: Sequence[Row], *, timezone: str = "UTC", project: str | None = None
) -> Found:
    """The runs that rows tell; of rows about one run, which trackers write meanwhile, the longest.

    Raises RowsError with every fault.
    """
    zone = _zone_info(timezone)
    faults: list[Fault] = []
    found: dict[str, ToldRun] = {}
    naive = False
    for index, row in enumerate(rows):
        told = RowOfCodecarbon(Cells(row, index, 0), zone, project)
        run = told.run()
        faults += told.cells.faults
        if run is None:
            continue
        naive |= told.naive
        before = found.setdefault(run.id, run)
        if run.length_us > before.length_us:
            found[run.id] = run
        elif run.length_us == before.length_us and replace(run, place=before.place) != before:
            reason = "is about the same run as an earlier row, with other figures: keep one"
            faults.append(Fault(reason, index, row.line))
    if faults:
        raise RowsError(faults)
    said = _said(len(rows) - len(found), timezone, naive=naive)
    return Found(tuple(found.values()), tuple(said))


def _said(earlier: int, timezone: str, *, naive: bool) -> Iterator[str]:
    if earlier:
        rows = "1 row is" if earlier == 1 else f"{earlier:,} rows are"
        yield f"{rows} about a run that another row tells more of: left out."
    if naive and timezone == "UTC":
        yield (
            "codecarbon writes local time without its zone, which is taken as UTC: if it was "
            "another, name it with --timezone."
        )


def _zone_info(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (LookupError, ValueError, OSError):
        raise RowsError([Fault(f"{shown(timezone)} is no time zone")]) from None
