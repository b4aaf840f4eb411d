"""Runs that were not metered: what is stated of them, checked, and booked as modelled."""

from __future__ import annotations

from meter.past.booking import PastRun, booked, known_of, store
from meter.past.statement import Statement
from meter.past.taking import Imported, RowsTold, take_runs

__all__ = [
    "Imported",
    "PastRun",
    "RowsTold",
    "Statement",
    "booked",
    "known_of",
    "store",
    "take_runs",
]
