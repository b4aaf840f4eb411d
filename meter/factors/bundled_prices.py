"""Prices of hosted training, hosting and tuned models that come with meter."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from meter.factors.rows import Sheet
from meter.factors.tables import csv_rows


@cache
def bundled_prices() -> Sheet:
    """The rows of the file of prices, as an import takes them.

    Their rank is below that of what a user imports, so that a price of one's own goes first.
    """
    path = Path(__file__).parent / "data" / "prices.csv"
    return Sheet(tuple(csv_rows(path.read_text(encoding="utf-8"))))
