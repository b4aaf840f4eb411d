"""Text and tables of a bill's file, with the lines; pure, nothing of it is checked."""

from __future__ import annotations

from meter.hosted.bills.rows import FORM, BillRow


def text_of(content: bytes) -> str:
    """A file's text. Raises BillError for what is too large, or is no UTF-8."""
    return FORM.text_of(content)


def header_of(text: str) -> list[str]:
    """The names of a table's columns; none where the first line is no header."""
    return FORM.header_of(text)[1]


def table_rows(text: str) -> list[BillRow]:
    """A table's rows by the file's own columns. Raises BillError for what is no table."""
    return [BillRow(cells, line) for line, cells in FORM.rows_of(text)]
