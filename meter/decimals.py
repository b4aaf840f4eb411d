"""Decimals as they are hashed; pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

_WIDE = Context(prec=60)


def decimal_text(value: Decimal, step: Decimal) -> str:
    """A decimal with the places of a unit of its last one; zero has no sign."""
    # the engine rounds to the column's places in the same way
    kept = value.quantize(step, ROUND_HALF_UP, _WIDE)
    return f"{kept or abs(kept):f}"
