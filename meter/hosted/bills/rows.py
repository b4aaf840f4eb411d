"""What a bill says before it is checked, and what is wrong with it; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING

from meter.faults import FaultsError
from meter.tables import Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS = 200_000
"""Most rows of one file, before those that say the same are added."""
CHARGES = 20_000
"""Most charges of one import: they are written all or none."""
BYTES = 64 << 20
"""Largest file of a bill."""
CELL_CHARS = 20_000
"""Longest cell: tags of clouds are long."""
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


class BillError(FaultsError):
    """A bill that is wrong: nothing of it was written."""

    named = "bill"
    have = "the bill has"
    advice = "nothing was written; correct it and send all again"


def refused(reason: str, line: int | None = None, column: str | None = None) -> BillError:
    """The error for a file that cannot be read as a bill."""
    return BillError.of(reason, line, column)


FORM = Form(BillError, BYTES, ROWS, CELL_CHARS, split="split it by day")
"""How much is taken of a table."""


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
