"""Tables that people bring, as rows with their lines; pure: text in, cells out, none is checked."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.faults import Fault, FaultsError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Form:
    """How much is taken of a file, the error for what is not, and how it can be made smaller."""

    error: type[FaultsError]
    most_bytes: int
    most_rows: int
    cell_chars: int
    split: str = "split it"

    def text_of(self, content: bytes) -> str:
        """A file's text, without the mark that some programs begin it with.

        Raises the form's error for what is too large, or is no UTF-8.
        """
        if len(content) > self.most_bytes:
            raise self.error.of(f"the file has more than {self.most_bytes:,} bytes: {self.split}")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise self.error.of("is not UTF-8: save it as UTF-8 text", line) from None
        if "\0" in text:
            raise self.error.of("is no text file", text[: text.index("\0")].count("\n") + 1)
        return text

    def header_of(self, text: str) -> tuple[int, list[str]]:
        """The line of a table's header, and the names of its columns; none where it has none."""
        return next(self._lines(text), (1, []))

    def rows_of(self, text: str) -> list[tuple[int, dict[str, str]]]:
        """A table's rows with their lines; empty cells, empty lines and ``#`` lines are none.

        Commas, semicolons or tabs part its cells. Raises the form's error for what is no table,
        and for half a row.
        """
        faults: list[Fault] = []
        rows: list[tuple[int, dict[str, str]]] = []
        names: list[str] = []
        for line, cells in self._lines(text):
            if not names:
                names = self._names(cells, line)
            elif len(rows) >= self.most_rows:
                raise self.error.of(f"has more than {self.most_rows:,} rows: {self.split}", line)
            elif len(cells) != len(names):
                reason = f"has {len(cells)} cells where the header has {len(names)}"
                faults.append(Fault(reason, None, line))
            else:
                rows.append((line, self._cells(names, cells, line)))
        if faults:
            raise self.error(faults)
        if not rows:
            raise self.error.of("has no rows")
        return rows

    def _lines(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Each row with the line that it begins on."""
        delimiter = max(",;\t", key=first_line(text).count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        before = 0
        try:
            for cells in reader:
                line, before = before + 1, reader.line_num
                if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                    yield line, [cell.strip() for cell in cells]
        except csv.Error as error:
            raise self.error.of(f"is no CSV, or half of it ({error})", before + 1) from None

    def _names(self, cells: Sequence[str], line: int) -> list[str]:
        for index, name in enumerate(cells):
            if not name:
                raise self.error.of(f"column {index + 1} has no name in the header", line)
            if name in cells[:index]:
                raise self.error.of(f"the header has {shown(name)} twice", line)
        return list(cells)

    def _cells(self, names: Sequence[str], cells: Sequence[str], line: int) -> dict[str, str]:
        for name, cell in zip(names, cells, strict=True):
            if len(cell) > self.cell_chars:
                raise self.error.of(f"has more than {self.cell_chars:,} characters", line, name)
        return {name: cell for name, cell in zip(names, cells, strict=True) if cell}


def first_line(text: str) -> str:
    """The first line that says something, which is a table's header."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return next((line for line in lines if line.strip(" \t,;")), "")


def number_of(text: str, most_digits: int) -> Decimal | None:
    """A finite number with a point, exactly as written; None for any other text."""
    if len(text) <= most_digits and _NUMBER.fullmatch(text):
        return Decimal(text)
    return None


def no_number(text: str) -> str:
    """What is said of a text that is no number."""
    if "," in text:
        return f"{shown(text)} has a comma: write 1234.56"
    return f"{shown(text)} is no number"
