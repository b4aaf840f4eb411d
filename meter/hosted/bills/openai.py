"""OpenAI's costs by day, project and line item: pages of ``GET /v1/organization/costs``; pure.

Source: API reference and types of the openai package 3.54.0. ``amount.value`` is a number or a
text of many digits. Users, keys and names of projects and organisations are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.faults import Fault
from meter.hosted.bills.rows import (
    NOT_OVER,
    ROUNDED,
    BillError,
    BillRow,
    added,
    derived_id,
    nine,
    refused,
)
from meter.hosted.bills.wanted import Sheet, Wanted, without_none
from meter.hosted.jobs.fields import Fields
from meter.instants import instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

SOURCE = "openai-costs"
PATH = "/v1/organization/costs"
_PAGE, _BUCKET, _RESULT = "page", "bucket", "organization.costs.result"
_UNGROUPED = (
    "is not grouped: ask for it with group_by=project_id and group_by=line_item, "
    "or the same money would count once for each way of grouping"
)
_UNFINISHED = (
    "The last page says that there are more (has_more): days are missing. Fetch the pages after it "
    "(page=next_page) and import them too, or use meter bill sync."
)
_THOUSAND = "1000_tokens"


@dataclass(frozen=True, slots=True)
class _Key:
    """What one charge is about."""

    start_us: int
    end_us: int
    project: str | None
    line_item: str
    currency: str


@dataclass(slots=True)
class _Sum:
    """Its parts: a page may be grouped by user or key as well, which are not kept."""

    amounts: list[Decimal] = field(default_factory=list)
    quantities: list[tuple[Decimal, str]] = field(default_factory=list)


def is_costs(value: object) -> bool:
    """Whether a JSON value is pages of costs."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and first.get("object") in {_PAGE, _BUCKET}


def sheet(value: object, wanted: Wanted, now_us: int) -> Sheet:
    """Charges of a page or several, each day, project and line item once.

    Raises BillError naming the field that is wrong.
    """
    sums: dict[_Key, _Sum] = {}
    try:
        for number, bucket in enumerate(buckets(value)):
            _add(sums, bucket, number)
    except UsageError as error:
        raise refused(error.message) from None
    if sums and all(key.project is None for key in sums):
        raise refused(_UNGROUPED, column="project_id")
    rows = tuple(_row(key, parts, wanted, now_us) for key, parts in sums.items())
    return Sheet(rows, notices=unfinished(value))


def unfinished(value: object) -> tuple[str, ...]:
    """A notice where the last page says that there are more: a file may have the first alone."""
    last = value[-1] if isinstance(value, list) and value else value
    more = isinstance(last, dict) and last.get("has_more") is True
    return (_UNFINISHED,) if more else ()


def buckets(value: object) -> Iterator[Fields]:
    """The buckets of pages; of a list each entry is a page or a bucket."""
    entries = value if isinstance(value, list) else [value]
    for index, entry in enumerate(entries):
        where = f"[{index}]." if isinstance(value, list) else ""
        fields = Fields(entry, where)
        if fields.text("object") == _BUCKET:
            yield fields
            continue
        fields.one_of("object", _PAGE)
        if not fields.has("data"):
            raise fields.fault("data", "is missing")
        yield from fields.items("data")


def _add(sums: dict[_Key, _Sum], bucket: Fields, number: int) -> None:
    bucket.one_of("object", _BUCKET)
    start_us = bucket.needed_instant_us("start_time")
    end_us = bucket.needed_instant_us("end_time")
    for result in bucket.items("results"):
        result.one_of("object", _RESULT)
        amount = result.inside("amount")
        line_item = result.text("line_item")
        if line_item is None:
            raise BillError([Fault(_UNGROUPED, number, None, "line_item")])
        currency = amount.needed_text("currency").upper()
        key = _Key(start_us, end_us, result.text("project_id"), line_item, currency)
        parts = sums.setdefault(key, _Sum())
        parts.amounts.append(_money(amount))
        quantity = result.number("quantity")
        if quantity is not None:
            parts.quantities.append((quantity, result.text("quantity_unit") or ""))


def _money(amount: Fields) -> Decimal:
    value = amount.signed("value")
    if value is None:
        raise amount.fault("value", "is missing")
    return value


def _row(key: _Key, parts: _Sum, wanted: Wanted, now_us: int) -> BillRow:
    amount, rounded = nine(added(parts.amounts))
    quantity, unit = _quantity(parts)
    start, end = instant(key.start_us), instant(key.end_us)
    flags = {ROUNDED: rounded, NOT_OVER: key.end_us > now_us}
    cells = {
        "source": SOURCE,
        "id": derived_id(start, end, key.project, key.line_item, key.currency),
        "provider": wanted.provider,
        "start": start,
        "end": end,
        "amount": f"{amount:f}",
        "currency": key.currency,
        "line_item": key.line_item,
        "project": wanted.project_of(key.project),
        "quantity": quantity,
        "unit": unit,
        "flags": " ".join(flag for flag, holds in flags.items() if holds) or None,
    }
    return BillRow(without_none(cells))


def _quantity(parts: _Sum) -> tuple[str | None, str | None]:
    """The quantity in one unit; thousands of tokens are tokens; none where units differ."""
    found = [
        (quantity * 1000, "tokens") if unit == _THOUSAND else (quantity, unit)
        for quantity, unit in parts.quantities
    ]
    units = {unit for _, unit in found}
    if len(units) != 1:
        return None, None
    total = added([quantity for quantity, _ in found])
    return f"{total:f}", units.pop() or None


def next_page(page: Mapping[str, object]) -> str | None:
    """The cursor of the page after this one. Raises BillError for more without a cursor."""
    if page.get("has_more") is not True:
        return None
    cursor = page.get("next_page")
    if not isinstance(cursor, str) or not cursor:
        raise refused("a page has more after it, but no next_page")
    return cursor
