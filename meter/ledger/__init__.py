"""The only door to DuckDB: one writer, a cursor per reader, SQL from ``queries/``."""

from __future__ import annotations

from meter.ledger.ledger import Ledger, LedgerHealth
from meter.ledger.reader import Reader, open_reader

__all__ = ["Ledger", "LedgerHealth", "Reader", "open_reader"]
