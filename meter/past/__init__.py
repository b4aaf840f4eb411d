"""Runs that were not metered: what is stated of them, checked, and booked as modelled."""

from __future__ import annotations

from meter.past.booking import PastRun, booked, known_of, store
from meter.past.statement import Statement

__all__ = ["PastRun", "Statement", "booked", "known_of", "store"]
