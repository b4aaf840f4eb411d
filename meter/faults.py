"""What is wrong with rows that somebody brings: each fault with its place, told as lines; pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, Self

from meter.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHOWN = 20
"""Most faults that are told one by one."""
_CELL_CHARS = 40


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


class FaultsError(MeterError):
    """Rows that are wrong: nothing of them was written. ``more`` are faults that are not held."""

    named: ClassVar[str] = "rows"
    have: ClassVar[str] = "the rows have"
    advice: ClassVar[str] = "nothing was written; correct them and send all again"

    def __init__(self, faults: Sequence[Fault], *, more: int = 0) -> None:
        self.faults = tuple(faults)
        self.count = len(faults) + more
        super().__init__(
            f"{self.have} {counted(self.count)}, the first: {faults[0].text(self.named)}",
            self.advice,
        )

    @classmethod
    def of(cls, reason: str, line: int | None = None, column: str | None = None) -> Self:
        """The error for a file that cannot be read at all."""
        return cls([Fault(reason, None, line, column)])

    @property
    def more(self) -> int:
        """Faults beyond those that are told one by one."""
        return self.count - len(self.faults[:SHOWN])

    def told(self, name: str) -> list[str]:
        """The faults as lines, the first so many, then a count."""
        told = [fault.text(name) for fault in self.faults[:SHOWN]]
        return [*told, f"{name}: and {self.more:,} more"] if self.more else told


def counted(count: int) -> str:
    """``1 fault``, ``2,000 faults``."""
    return f"{count:,} fault{'' if count == 1 else 's'}"


def shown(text: object) -> str:
    """A cell as it is told: printable, short."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return repr(clean if len(clean) <= _CELL_CHARS else f"{clean[: _CELL_CHARS - 3]}...")


def place_of(line: int | None, index: int) -> str:
    """Where another row is."""
    return f"row {index + 1}" if line is None else f"line {line}"


def unknown_column(name: str, known: Iterable[str]) -> str:
    """What is said of a column that is not known."""
    return f"is no column that is known{nearest(name, known)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was meant, or else all of them, as the end of a reason."""
    names = list(known)
    close = get_close_matches(name.lower(), names, 1)
    return f": did you mean {close[0]}?" if close else f": name one of {', '.join(sorted(names))}"
