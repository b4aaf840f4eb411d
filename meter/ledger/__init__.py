"""The only door to DuckDB: one writer, a cursor per reader, SQL from ``queries/``."""

from __future__ import annotations

from meter.ledger.ledger import QUESTION_S, Ledger, LedgerHealth
from meter.ledger.reader import Reader, open_reader

__all__ = ["QUESTION_S", "Ledger", "LedgerHealth", "Reader", "open_reader"]
