"""Two intervals of the same owner as one; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.units import US_PER_MINUTE

if TYPE_CHECKING:
    from meter.model import Interval


def joined(one: Interval, other: Interval) -> Interval:
    """Two intervals of the same minute, owner and method as one."""
    held = [each.held_us for each in (one, other) if each.held_us is not None]
    return replace(
        one,
        start_us=min(one.start_us, other.start_us),
        end_us=max(one.end_us, other.end_us),
        energy_mj=one.energy_mj + other.energy_mj,
        low_mj=one.low_mj + other.low_mj,
        high_mj=one.high_mj + other.high_mj,
        covered_us=one.covered_us + other.covered_us,
        measured_mj=one.measured_mj + other.measured_mj,
        held_us=sum(held) if held else None,
    )


def follows(one: Interval, other: Interval) -> bool:
    """Whether another interval of an owner goes on where one ends, in the same minute."""
    same_minute = one.start_us // US_PER_MINUTE == other.start_us // US_PER_MINUTE
    return one.end_us == other.start_us and same_minute and one.method is other.method
