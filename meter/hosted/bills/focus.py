"""A cost and usage table of FOCUS 1.2 as charges: rows that say the same are added; pure.

A bill of a cloud has a row for each resource and hour. What is kept of one: service, SKU, span,
account, amount, quantity, and of the tags only ``project``, ``model`` and ``job``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.faults import Fault, shown
from meter.hosted.bills.rows import ROUNDED, BillError, BillRow, added, derived_id, nine, refused
from meter.hosted.bills.tables import table_rows
from meter.hosted.bills.wanted import Sheet, Wanted, without_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER = frozenset({"BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd"})
"""Columns that a table of FOCUS always has."""
_TAGS = ("project", "model", "job")
_NAMES = {
    "start": "ChargePeriodStart", "end": "ChargePeriodEnd", "amount": "BilledCost",
    "currency": "BillingCurrency", "line_item": "SkuId", "project": "SubAccountId",
    "quantity": "ConsumedQuantity", "unit": "ConsumedUnit",
}  # fmt: skip
_DIGITS = 60


@dataclass(frozen=True, slots=True)
class _Key:
    """What one charge is about."""

    service: str | None
    sku: str | None
    start: str | None
    end: str | None
    currency: str | None
    account: str | None
    unit: str | None
    tags: tuple[str | None, ...]


@dataclass(slots=True)
class _Sum:
    """The rows of one charge."""

    line: int | None
    amounts: list[Decimal] = field(default_factory=list)
    quantities: list[Decimal] = field(default_factory=list)


def sheet(text: str, wanted: Wanted) -> Sheet:
    """Charges of a table. Raises BillError with every fault."""
    sums: dict[_Key, _Sum] = {}
    faults: list[Fault] = []
    services: set[str] = set()
    for row in table_rows(text):
        service = row.cells.get("ServiceName")
        services.add(service or "")
        if not wanted.services or service in wanted.services:
            _add(sums, row, faults)
    if faults:
        raise BillError(faults)
    if not sums:
        raise refused(f"has no row of {', '.join(wanted.services)}: {_some(services)}")
    rows = tuple(_row(key, parts, wanted) for key, parts in sums.items())
    return Sheet(rows, notices=_many(services, wanted))


def _some(services: Iterable[str]) -> str:
    return "it has " + ", ".join(shown(one) for one in sorted(services)[:5])


def _many(services: set[str], wanted: Wanted) -> tuple[str, ...]:
    if wanted.services or len(services) <= 1:
        return ()
    return (f"All {len(services)} services of the bill were taken: --service names those wanted.",)


def _add(sums: dict[_Key, _Sum], row: BillRow, faults: list[Fault]) -> None:
    cells = row.cells
    before = len(faults)
    amount = _number(row, "BilledCost", faults)
    quantity = _number(row, "ConsumedQuantity", faults) if "ConsumedQuantity" in cells else None
    if "BilledCost" not in cells:
        faults.append(Fault("is missing", None, row.line, "BilledCost"))
    tags = _tags(row, faults)
    if len(faults) > before or amount is None:
        return
    key = _Key(
        cells.get("ServiceName"), cells.get("SkuId"), cells.get("ChargePeriodStart"),
        cells.get("ChargePeriodEnd"), cells.get("BillingCurrency"), cells.get("SubAccountId"),
        cells.get("ConsumedUnit"), tuple(tags.get(name) for name in _TAGS),
    )  # fmt: skip
    parts = sums.setdefault(key, _Sum(row.line))
    parts.amounts.append(amount)
    if quantity is not None:
        parts.quantities.append(quantity)


def _number(row: BillRow, column: str, faults: list[Fault]) -> Decimal | None:
    text = row.cells.get(column)
    if text is None:
        return None
    try:
        found = Decimal(text) if len(text) <= _DIGITS else None
    except ArithmeticError:
        found = None
    if found is None or not found.is_finite() or found.adjusted() > _DIGITS:
        faults.append(Fault(f"{shown(text)} is no number", None, row.line, column))
        return None
    return found


def _tags(row: BillRow, faults: list[Fault]) -> Mapping[str, str]:
    """The tags that are kept; others may be anybody's words."""
    text = row.cells.get("Tags")
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        faults.append(Fault("is no JSON object", None, row.line, "Tags"))
        return {}
    kept = {name: found[name] for name in _TAGS if name in found}
    return {name: value for name, value in kept.items() if isinstance(value, str) and value}


def _row(key: _Key, parts: _Sum, wanted: Wanted) -> BillRow:
    amount, rounded = nine(added(parts.amounts))
    project, model, job = key.tags
    about = (key.start, key.end, key.currency, key.account, key.unit)
    line_item = ": ".join(part for part in (key.service, key.sku) if part) or None
    cells = {
        "source": f"focus:{wanted.provider}",
        "id": derived_id(key.service, key.sku, *about, *key.tags),
        "provider": wanted.provider,
        "start": key.start,
        "end": key.end,
        "amount": f"{amount:f}",
        "currency": key.currency,
        "line_item": line_item,
        "project": wanted.project or wanted.project_of(project or key.account),
        "model": model,
        "job": job,
        "flags": ROUNDED if rounded else None,
    }
    if parts.quantities:
        cells |= {"quantity": f"{added(parts.quantities):f}", "unit": key.unit}
    return BillRow(without_none(cells), parts.line, _NAMES)
