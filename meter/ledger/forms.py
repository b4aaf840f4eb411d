"""The forms of the tables that the audit chain covers, from the headers of their queries."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from meter.ledger.chain import CHAINED, Form
from meter.ledger.texts import load

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def chained_forms() -> Mapping[str, Form]:
    """Form of each table of facts, by its name."""
    return MappingProxyType(
        {table: Form.of(table, load(f"audit/{table}").columns) for table in CHAINED}
    )
