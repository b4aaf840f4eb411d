"""Numbers as people state them, with bounds or without; each refused with its reason; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from meter.config import Banded
from meter.errors import UsageError

_CHARS = 40


@dataclass(frozen=True, slots=True)
class Range:
    """What a number is called, its unit, and where it must lie; ``hint`` says what to do else."""

    what: str
    unit: str
    least: Decimal
    most: Decimal
    hint: str = "check the unit"


def number(text: str, kind: Range) -> Decimal:
    """A number inside its range; raises UsageError."""
    try:
        found = Decimal(text.strip()) if len(text) <= _CHARS else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite():
        raise UsageError(
            f"{kind.what} {text[:_CHARS]!r} is no number",
            "write it like 1234.5, without commas",
        )
    if not kind.least <= found <= kind.most:
        where = f"it must be from {_plain(kind.least)} to {_plain(kind.most)} {kind.unit}".rstrip()
        raise UsageError(f"{kind.what} {text.strip()} cannot be: {where}", kind.hint)
    return found


def band(text: str, kind: Range) -> Banded:
    """``VALUE`` or ``VALUE:LOW:HIGH``, each inside the range; raises UsageError."""
    parts = text.split(":")
    if len(parts) not in {1, 3}:
        raise UsageError(f"{kind.what} {text[:_CHARS]!r} is no band", "write VALUE:LOW:HIGH")
    value, low, high = (number(part, kind) for part in (parts * 3)[:3])
    if not low <= value <= high:
        raise UsageError(
            f"{kind.what} {text[:_CHARS]} is not between its bounds", "write VALUE:LOW:HIGH"
        )
    return Banded(value, low, high)


def whole(text: str, kind: Range) -> int:
    """A whole number inside its range; raises UsageError."""
    found = number(text, kind)
    if found != found.to_integral_value():
        raise UsageError(f"{kind.what} {text.strip()} is no whole number", "round it")
    return int(found)


def _plain(value: Decimal) -> str:
    return f"{value:,f}"
