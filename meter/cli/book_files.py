"""Files of the books: read, taken, and what is said of it; rows written as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from meter.cli import output
from meter.cli.faulty import nothing_imported
from meter.cli.writes import Taken, repeated
from meter.factors.rows import BYTES, RowsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meter.cli.writes import Writes
    from meter.config import Config
    from meter.factors.imports import Wanted
    from meter.factors.rows import Row, Sheet

WITHDRAWN = "withdrawn"


def told_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what a file does not tell of its rows."""
    for option in (
        click.option("--licence", metavar="TEXT", help="Licence of rows that name none."),
        click.option("--source-date", metavar="DATE", help="Source date of rows without one."),
        click.option("--source", metavar="TEXT", help="Source of rows that name none."),
    ):
        function = option(function)
    return function


def told_of(**given: str | None) -> dict[str, str]:
    """What of it was said."""
    return {name: value for name, value in given.items() if value is not None}


def take(
    config: Config,
    file: IO[bytes],
    read: tuple[Callable[[bytes, Wanted], Sheet], Wanted],
    write: Callable[[Writes, Sequence[Row]], Taken],
) -> tuple[Sheet, Taken]:
    """Read a file and write its rows, all or none.

    Every fault is a line on stderr. Raises MeterError where there are any.
    """
    name = getattr(file, "name", "-")
    reader, wanted = read
    wanted = replace(wanted, suffix=Path(name).suffix)
    return take_sheet(config, name, lambda: reader(file.read(BYTES + 1), wanted), write)


def take_sheet(
    config: Config,
    name: str,
    read: Callable[[], Sheet],
    write: Callable[[Writes, Sequence[Row]], Taken],
) -> tuple[Sheet, Taken]:
    """Write the rows of a sheet, all or none; ``name`` is what faults are told of.

    Every fault is a line on stderr. Raises MeterError where there are any.
    """
    try:
        sheet = read()
        return sheet, repeated(config, lambda writes: write(writes, sheet.rows))
    except RowsError as error:
        raise nothing_imported(error, name) from None


def say(sheet: Sheet, taken: Taken, *, what: str, as_json: bool) -> None:
    """What became of a file's rows."""
    notices = [*sheet.notices, *taken.notices]
    if taken.withdrawn:
        notices.append(f"Withdrawn: {taken.withdrawn:,} rows of the region that the site was in.")
    if as_json:
        told = {"new": len(taken.ids), "known": taken.known, "ids": list(taken.ids)}
        output.print_json({**told, "notices": notices})
        return
    for notice in notices:
        click.echo(f"meter: {notice}", err=True)
    known = f", {taken.known:,} known already" if taken.known else ""
    count = len(taken.ids)
    one = what.removesuffix("s") if count == 1 else what
    news = f"{count:,} new {one}{known}" if count else f"No news: all {what} known"
    click.echo(f"{news}.")


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as a table that can be imported again."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = {**row, "value": WITHDRAWN} if row["value"] is None else row
        writer.writerow([_cell(cells.get(column)) for column in columns])
    return made.getvalue().rstrip("\n")


def _cell(value: object) -> str:
    if isinstance(value, float):
        from meter.figures import decimal_of  # noqa: PLC0415

        return f"{decimal_of(value).normalize():f}"
    return "" if value is None else str(value)
