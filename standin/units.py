"""From seconds and watts, as people write them, to the integers that scripts hold."""

from __future__ import annotations

from fractions import Fraction

NS_PER_S = 1_000_000_000


def ns(seconds: float) -> int:
    """Nanoseconds, rounded; 0.9 is taken for nine tenths, not for the nearest double."""
    return round(Fraction(str(seconds)) * NS_PER_S)


def mw(watts: float) -> int:
    """Milliwatts, rounded."""
    return round(Fraction(str(watts)) * 1000)


def mj(joules: float) -> int:
    """Millijoules, rounded."""
    return round(Fraction(str(joules)) * 1000)
