"""BoAmps' grade of a figure's quality, by the width of its bounds; pure."""

from __future__ import annotations

from fractions import Fraction

GRADES = (("high", Fraction(10, 100)), ("medium", Fraction(25, 100)), ("low", Fraction(50, 100)))
"""How far a figure may be off, as a share of it, best first."""


def grade(low: int, mid: int | None, high: int) -> str | None:
    """``high``, ``medium`` or ``low`` by the farther bound; None where it is wider than all.

    A bound alone, without a middle, has none.
    """
    if not mid:
        return None
    width = Fraction(max(high - mid, mid - low), mid)
    return next((name for name, most in GRADES if width <= most), None)
