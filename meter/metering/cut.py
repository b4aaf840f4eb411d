"""Exact integer cuts: of a segment in time, and of an energy among owners."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.model import Segment


def until(amount: int, segment: Segment, at_ns: int) -> int:
    """Part of a segment's amount that lies before an instant, rounded down.

    Parts are differences of this, so that any set of cuts adds up to the whole exactly.
    """
    if at_ns >= segment.end_ns:
        return amount
    if at_ns <= segment.start_ns:
        return 0
    return amount * (at_ns - segment.start_ns) // (segment.end_ns - segment.start_ns)


def edge(segment: Segment, at_ns: int) -> tuple[int, int]:
    """By how much the curve at an instant of the segment may be lower and higher, in mJ."""
    span = segment.end_ns - segment.start_ns
    part = at_ns - segment.start_ns
    below = segment.below_mj + -(-(segment.end_below_mj - segment.below_mj) * part // span)
    above = segment.above_mj + -(-(segment.end_above_mj - segment.above_mj) * part // span)
    return below, above


def ratios(shares: Sequence[Fraction]) -> tuple[tuple[int, int], ...]:
    """Each share's part of what those before it left, as numerator and denominator.

    The shares add up to 1, so the last ratio is 1: the last takes the rest.
    """
    left = Fraction(1)
    found = []
    for share in shares:
        ratio = share / left if left else Fraction(0)
        found.append((ratio.numerator, ratio.denominator))
        left -= share
    return tuple(found)


def ratios_of(weights: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The same of whole weights, which need not be shares of anything; the sum is not 0."""
    left = sum(weights)
    found = []
    for weight in weights:
        found.append((weight, left) if left else (0, 1))
        left -= weight
    return tuple(found)


def allot(amount: int, parts: Sequence[tuple[int, int]]) -> list[int]:
    """Divide a cumulative amount among owners; adds up exactly.

    Nested floors, because they never take from an owner what he had when the amount grows.
    """
    rest = amount
    given = []
    for numerator, denominator in parts[:-1]:
        got = rest * numerator // denominator
        given.append(got)
        rest -= got
    given.append(rest)
    return given
