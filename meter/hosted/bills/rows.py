"""What a bill says before it is checked, and what is wrong with it; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING

from meter.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS = 200_000
"""Most rows of one file, before those that say the same are added."""
CHARGES = 20_000
"""Most charges of one import: they are written all or none."""
BYTES = 64 << 20
"""Largest file of a bill."""
SHOWN = 20
"""Most faults that are told one by one."""
ROUNDED = "rounded"
"""Flag: the provider told more than nine places."""
CREDIT = "credit"
"""Flag: the amount is below zero."""
NOT_OVER = "not_over"
"""Flag: the span had not ended when it was told, more will come."""
FLAGS = frozenset({ROUNDED, CREDIT, NOT_OVER})

COLUMNS = (
    "source", "id", "provider", "start", "end", "amount", "currency", "line_item", "project",
    "model", "job", "quantity", "unit", "flags",
)  # fmt: skip
"""What is kept of a charge; nothing else of a bill is."""

_NINE = Decimal("1E-9")
_DIGITS = 100


@dataclass(frozen=True, slots=True)
class BillRow:
    """One charge as text by our columns, empty ones left out; ``line`` is that of the file.

    ``names`` are the file's own names of columns that go by others here.
    """

    cells: Mapping[str, str]
    line: int | None = None
    names: Mapping[str, str] = field(default_factory=dict)


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


class BillError(MeterError):
    """A bill that is wrong: nothing of it was written."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(faults)
        super().__init__(
            f"the bill has {count:,} fault{'s' if count > 1 else ''}, the first: "
            f"{faults[0].text('bill')}",
            "nothing was written; correct it and send all again",
        )

    def told(self, name: str) -> list[str]:
        """The faults as lines, the first so many, then a count."""
        told = [fault.text(name) for fault in self.faults[:SHOWN]]
        more = len(self.faults) - SHOWN
        return [*told, f"{name}: and {more:,} more"] if more > 0 else told


def refused(reason: str, line: int | None = None, column: str | None = None) -> BillError:
    """The error for a file that cannot be read as a bill."""
    return BillError([Fault(reason, None, line, column)])


def shown(text: object) -> str:
    """A cell as it is told: printable, short."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return repr(clean if len(clean) <= 40 else f"{clean[:37]}...")


def derived_id(*parts: str | None) -> str:
    """An id for a charge that has none: by what it is about, not by its amount."""
    text = "\x1f".join("\0" if part is None else part for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def nine(value: Decimal) -> tuple[Decimal, bool]:
    """An amount with nine places at most, and whether it had to be rounded."""
    with localcontext() as context:
        context.prec = _DIGITS
        kept = value.quantize(_NINE, ROUND_HALF_EVEN)
    return kept, kept != value


def added(values: Sequence[Decimal]) -> Decimal:
    """Their exact sum, however many digits they have."""
    with localcontext() as context:
        context.prec = _DIGITS
        return sum(values, Decimal(0))
