"""Text and tables of a bill's file, with the lines; pure, nothing of it is checked."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from meter.hosted.bills.rows import BYTES, ROWS, BillError, BillRow, Fault, refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

CELL_CHARS = 20_000
"""Longest cell: tags of clouds are long."""


def text_of(content: bytes) -> str:
    """A file's text, without the mark that some programs begin it with.

    Raises BillError for what is too large, or is no UTF-8.
    """
    if len(content) > BYTES:
        raise refused(f"the file has more than {BYTES:,} bytes: split it by day")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refused("is not UTF-8: save it as UTF-8 text", line) from None
    if "\0" in text:
        raise refused("is no text file", text[: text.index("\0")].count("\n") + 1)
    return text


def header_of(text: str) -> list[str]:
    """The names of a table's columns; none where the first line is no header."""
    return next((cells for _, cells in _lines(text)), [])


def table_rows(text: str) -> list[BillRow]:
    """A table's rows by the file's own columns; empty lines and ``#`` lines are none.

    Raises BillError for what is no table, and for half a row.
    """
    faults: list[Fault] = []
    rows: list[BillRow] = []
    names: list[str] = []
    for line, cells in _lines(text):
        if not names:
            names = _names(cells, line)
        elif len(rows) >= ROWS:
            raise refused(f"has more than {ROWS:,} rows: split it by day", line)
        elif len(cells) != len(names):
            reason = f"has {len(cells)} cells where the header has {len(names)}"
            faults.append(Fault(reason, None, line))
        else:
            rows.append(BillRow(_cells(names, cells, line), line))
    if faults:
        raise BillError(faults)
    if not rows:
        raise refused("has no rows")
    return rows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line that it begins on."""
    first = next((line for line in text.splitlines() if line.strip(" \t,;")), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                yield line, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise refused(f"is no CSV, or half of it ({error})", before + 1) from None


def _names(cells: list[str], line: int) -> list[str]:
    for index, name in enumerate(cells):
        if not name:
            raise refused(f"column {index + 1} has no name in the header", line)
        if name in cells[:index]:
            raise refused(f"the header has {shown(name)} twice", line)
    return cells


def _cells(names: list[str], cells: list[str], line: int) -> dict[str, str]:
    for name, cell in zip(names, cells, strict=True):
        if len(cell) > CELL_CHARS:
            raise refused(f"has more than {CELL_CHARS:,} characters", line, name)
    return {name: cell for name, cell in zip(names, cells, strict=True) if cell}
