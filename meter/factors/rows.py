"""Rows that a user brings, before they are checked, and what is wrong with them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meter.errors import FactorError
from meter.faults import FaultsError
from meter.tables import Form

ROWS = 20_000
"""Most rows of one import; a year of hours is 8,760."""
BYTES = 8 << 20
"""Largest file of rows."""
CELL_CHARS = 4_000

Cell = str | Mapping[str, object]
"""Text as written, or the windows of a tariff."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column; empty cells are left out. ``line`` is that of the file.

    ``names`` are the file's own names of columns that go by others here.
    """

    cells: Mapping[str, Cell]
    line: int | None = None
    lines: Mapping[str, int] = field(default_factory=dict)  # of cells on lines of their own
    names: Mapping[str, str] = field(default_factory=dict)

    def named(self, column: str | None) -> str | None:
        """A column as the file names it."""
        return self.names.get(column, column) if column else column


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows that belong together, and what of the file is told rather than taken."""

    rows: tuple[Row, ...]
    notices: tuple[str, ...] = ()


class RowsError(FaultsError, FactorError):
    """Rows that are wrong: nothing of them was written."""


def refused(reason: str, line: int | None = None, column: str | None = None) -> RowsError:
    """The error for a file that cannot be read as rows."""
    return RowsError.of(reason, line, column)


FORM = Form(RowsError, BYTES, ROWS, CELL_CHARS)
"""How much is taken of a table."""
