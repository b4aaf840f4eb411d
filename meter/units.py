"""Units used inside: energy in mJ, power in mW, time in ns or µs, all integers."""

from __future__ import annotations

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
US_PER_S = 1_000_000
US_PER_MINUTE = 60 * US_PER_S
US_PER_HOUR = 3_600 * US_PER_S
US_PER_QUARTER = 900 * US_PER_S
"""A quarter of an hour."""
MJ_PER_J = 1_000
"""Millijoules in a joule; ``_mj`` always means millijoule, never megajoule."""
J_PER_KWH = 3_600_000


def mj_of(power_mw: float, duration_ns: int) -> float:
    """Energy in mJ of a constant power in mW held for a duration in ns."""
    return power_mw * duration_ns / NS_PER_S


def kwh_of_joules(joules: float) -> float:
    """Energy in kWh."""
    return joules / J_PER_KWH
