"""The document of bills beside usage, ``meter.bill/1``: rows, totals, idle models; pure."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.idle import idle_of, unclear_of
from meter.instants import instant
from meter.reconciliation import DAY_US, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.idle import Hosting, Idle
    from meter.reconciliation import Reconciliation, Row, Unpriced

SCHEMA = "meter.bill/1"
_SAYS = {
    Reason.EXACT: "billed as computed",
    Reason.ROUNDING: "rounding",
    Reason.WITHIN: "within 0.5 %",
    Reason.NEIGHBOURING_DAY: "agrees with the day beside it",
    Reason.WHOLE_DAY: "the whole day agrees",
    Reason.OTHER_CURRENCY: "the other side is in another currency",
    Reason.CREDIT: "a credit: no usage has that",
    Reason.NOTHING_COMPUTED: "no usage was told",
    Reason.NOTHING_BILLED: "nothing billed yet",
    Reason.LINE_ITEM_UNKNOWN: "which meter this line item is, is not known",
    Reason.DIFFERS: "not explained",
}


def document(
    found: Reconciliation,
    hostings: Sequence[Hosting],
    span_us: tuple[int, int],
    as_of_us: int,
    missing: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The document of the rows that reach into a span of days; ``missing`` are prices to add."""
    rows = [row for row in found.rows if row.start_us < span_us[1] and row.end_us > span_us[0]]
    return {
        "schema": SCHEMA,
        "from": _day(span_us[0]),
        "to": _day(span_us[1]),
        "as_of": instant(as_of_us),
        "rows": [_row(row) for row in rows],
        "totals": totals(rows),
        "unpriced": _without(found.unpriced, span_us),
        "missing_prices": list(missing),
        "uncounted": _without(found.uncounted, span_us),
        "idle": [_idle(one) for one in idle_of(hostings)],
        "idle_not_known": [_idle(one) for one in unclear_of(hostings)],
    }


def _without(found: Iterable[Unpriced], span_us: tuple[int, int]) -> list[dict[str, Any]]:
    """Usage of a span that has no amount of money."""
    return [
        {
            "day": _day(one.day_us),
            "provider": one.line.provider,
            "project": one.line.project,
            "model": one.model,
            "meter": one.line.meter,
            "quantity": None if one.quantity is None else _plain(one.quantity),
        }
        for one in found
        if span_us[0] <= one.day_us < span_us[1]
    ]


def totals(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Sums by currency; differences are billed minus computed, to the digit."""
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        one = sums[row.currency]
        one["billed"] += row.billed or 0
        one["computed"] += row.computed or 0
        one["difference"] += row.difference
        one["unexplained"] += 0 if row.reason.explained else row.difference
    return [
        {"currency": currency, **{name: _plain(value) for name, value in one.items()}}
        for currency, one in sorted(sums.items())
    ]


def _row(row: Row) -> dict[str, Any]:
    return {
        "from": _day(row.start_us),
        "to": _day(row.end_us),
        "provider": row.line.provider,
        "project": row.line.project,
        "line": row.line.text(),
        "model": row.line.model,
        "meter": row.line.meter,
        "currency": row.currency,
        "billed": None if row.billed is None else _plain(row.billed),
        "computed": None if row.computed is None else _plain(row.computed),
        "price_ids": sorted(row.price_ids),
        "difference": _plain(row.difference),
        "charges": row.charges,
        "credits": row.credits,
        "reason": row.reason.value,
        "explained": row.reason.explained,
        "says": _says(row),
    }


def _says(row: Row) -> str:
    if row.reason is Reason.UNPRICED:
        return f"no price of {'; '.join(row.missing)}"
    if row.reason is Reason.UNCOUNTED:
        return f"how much was used is not told of some of {'; '.join(row.missing)}"
    if row.reason is Reason.LINE_ITEM_UNKNOWN and row.missing:
        return f"{_SAYS[row.reason]}; no price of {'; '.join(row.missing)}, which may be it"
    days = (row.end_us - row.start_us) // DAY_US
    if row.reason is Reason.WHOLE_DAY and days > 1:
        return f"all lines of the {days} days agree"
    return _SAYS[row.reason]


def _idle(one: Idle) -> dict[str, Any]:
    each = one.each_hour()
    return {
        "provider": one.provider,
        "project": one.project,
        "model": one.model,
        "from": _day(one.first_us),
        "to": _day(one.last_us + DAY_US),
        "days": one.days,
        "hours": _plain(one.hours),
        "currency": one.currency,
        "amount": None if one.amount is None else _plain(one.amount),
        "per_hour": None if each is None else _plain(each),
    }


def _day(at_us: int) -> str:
    return instant(at_us)[:10]


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
