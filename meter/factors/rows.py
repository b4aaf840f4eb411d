"""Rows that a user brings, before they are checked, and what is wrong with them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter.errors import FactorError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 20_000
"""Most rows of one import; a year of hours is 8,760."""
BYTES = 8 << 20
"""Largest file of rows."""
CELL_CHARS = 4_000
SHOWN = 20
"""Most faults that are told one by one."""

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


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row; ``row`` counts from 0, None is the file as a whole."""

    reason: str
    row: int | None = None
    line: int | None = None
    column: str | None = None

    def text(self, name: str) -> str:
        """One line: file, line, column, reason."""
        place = [name]
        if self.line is not None:
            place.append(str(self.line))
        elif self.row is not None:
            place.append(f"row {self.row + 1}")
        if self.column is not None:
            place.append(self.column)
        return f"{':'.join(place)}: {self.reason}"


class RowsError(FactorError):
    """Rows that are wrong: nothing of them was written."""

    def __init__(self, faults: Sequence[Fault], *, more: int = 0) -> None:
        self.faults = tuple(faults)
        self.more = more + max(len(faults) - SHOWN, 0)
        count = len(faults) + more
        super().__init__(
            f"the rows have {count:,} fault{'s' if count > 1 else ''}, the first: "
            f"{faults[0].text('rows')}",
            "nothing was written; correct them and send all again",
        )

    def told(self, name: str) -> list[str]:
        """The faults as lines, the first so many, then a count."""
        told = [fault.text(name) for fault in self.faults[:SHOWN]]
        return [*told, f"{name}: and {self.more:,} more"] if self.more else told


def refused(reason: str, line: int | None = None, column: str | None = None) -> RowsError:
    """The error for a file that cannot be read as rows."""
    return RowsError([Fault(reason, None, line, column)])


def shown(text: object) -> str:
    """A cell as it is told: printable, short."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return repr(clean if len(clean) <= 40 else f"{clean[:37]}...")
