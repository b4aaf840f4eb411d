"""Rows of a sheet as prices of hosted meters; all faults at once; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.factors.books import YEARLY
from meter.factors.cells import Cells, bounds, duplicates
from meter.factors.factor_rows import BOOK, EXPORTED, Known, nine
from meter.factors.money_limits import money_limits
from meter.factors.rows import ROWS, Row, RowsError, refused
from meter.hosted_facts import TOKEN_METERS, Adapter, Meter, Training
from meter.model import Price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.factors.money_limits import MoneyLimits
    from meter.faults import Fault

COLUMNS = (
    "provider", "model", "meter", "per", "currency", "value", "low", "high", "region",
    "service_tier", "source", "source_date", "licence", "valid_from", "valid_to", "rank", "detail",
    "book", "recorded_at", "training", "adapter", "parameters_over_b", "parameters_to_b",
    "context_over", "context_to",
)  # fmt: skip
"""Columns of a sheet of prices."""

_MOST_PER = 10**12
_MOST_PRICE = Decimal(10) ** 8
_MOST_RANK = 999
_MOST_PARAMETERS_B = 10**5
_MOST_CONTEXT = 10**9
METERS = tuple(meter.value for meter in Meter if meter is not Meter.UNKNOWN)
"""What prices are of; usage events have the same names."""


def prices_of_rows(rows: Sequence[Row], known: Known) -> list[Price]:
    """The prices that rows state, without id and instant: these the ledger gives.

    Raises RowsError with every fault of every row.
    """
    if len(rows) > ROWS:
        raise refused(f"{len(rows):,} rows are too many; the limit is {ROWS:,}: split them")
    faults: list[Fault] = []
    prices: dict[int, Price] = {}
    told: set[str] = set()
    limits = money_limits()
    for index, row in enumerate(rows):
        cells = Cells(row, index, known.now_us)
        price = _price(cells, known, told, limits)
        faults += cells.faults
        if price is not None:
            prices[index] = price
    keys = {index: _key(price) for index, price in prices.items()}
    faults += duplicates(keys, rows)
    if faults:
        raise RowsError(sorted(faults, key=lambda fault: fault.row or 0))
    return list(prices.values())


def _key(price: Price) -> tuple[object, ...]:
    what = (price.provider, price.model, price.meter, price.region, price.service_tier)
    whom = (price.training, price.adapter, price.parameters_over_b, price.parameters_to_b)
    context = (price.context_over, price.context_to)
    return (
        *what,
        *whom,
        *context,
        price.currency,
        price.rank,
        price.valid_from_us,
        price.valid_to_us,
    )


def _price(cells: Cells, known: Known, told: set[str], limits: MoneyLimits) -> Price | None:
    cells.columns((*COLUMNS, *EXPORTED), told)
    cells.book()
    provider = cells.text("provider", required=True) or ""
    model = cells.text("model", required=True) or ""
    meter = cells.word("meter", METERS, required=True) or ""
    per = cells.whole("per", 1, _MOST_PER)
    if cells.raw("per") is None:
        cells.wrong("per", "is missing: the number of units that the price is of")
    currency = cells.currency("currency")
    if cells.raw("currency") is None:
        cells.wrong("currency", "is missing: a price needs one, such as USD")
    value, low, high = bounds(cells)
    if low is not None and low < 0:
        cells.wrong("value" if cells.raw("low") is None else "low", f"{low} is below 0")
    if high is not None and high >= _MOST_PRICE:
        cells.wrong("value" if cells.raw("high") is None else "high", f"{high} is absurd")
    if meter in TOKEN_METERS and per and currency and high is not None and high < _MOST_PRICE:
        _refuse_absurd(cells, high / per, limits.most("/token", currency), per)
    start, end = cells.validity()
    found: dict[str, Any] = {
        "region": cells.text("region"),
        "service_tier": cells.text("service_tier"),
        "source": cells.text("source", required=True) or "",
        "source_date": cells.source_date(),
        "licence": cells.text("licence", required=True),
        "rank": cells.whole("rank", 1, _MOST_RANK) or YEARLY,
        "detail": cells.text("detail", most=1_000),
        "recorded_us": cells.recorded(known.newest_us),
        **_narrowed(cells),
    }
    if cells.faults or per is None or currency is None:
        return None
    return Price(
        id="", provider=provider, model=model, meter=meter, per=per, currency=currency,
        value=_nine(value), low=_nine(low), high=_nine(high),
        valid_from_us=start, valid_to_us=end, book=BOOK, **found,
    )  # fmt: skip


def _narrowed(cells: Cells) -> dict[str, Any]:
    """Which training, which models and which requests a price is for; None is any."""
    found: dict[str, Any] = {
        "training": cells.word("training", list(Training)),
        "adapter": cells.word("adapter", list(Adapter)),
    }
    for what, read in (("parameters_{}_b", _billions), ("context_{}", _context)):
        over, to = what.format("over"), what.format("to")
        found |= {over: read(cells, over), to: read(cells, to)}
        if found[over] is not None and found[to] is not None and found[to] <= found[over]:
            cells.wrong(to, f"must be above {over}")
    return found


def _billions(cells: Cells, column: str) -> Decimal | None:
    found = cells.number(column)
    if found is not None and not 0 <= found <= _MOST_PARAMETERS_B:
        cells.wrong(column, f"{found} is no number of billions 0 to {_MOST_PARAMETERS_B:,}")
        return None
    return _nine(found)


def _context(cells: Cells, column: str) -> int | None:
    return cells.whole(column, 0, _MOST_CONTEXT)


def _refuse_absurd(cells: Cells, each: Decimal, most: Decimal | None, per: int) -> None:
    """A token costs a fraction of any currency's unit."""
    if most is not None and each > most:
        column = "value" if cells.raw("high") is None else "high"
        cells.wrong(
            column,
            f"{each.normalize():f} {cells.raw('currency')} for one token is beyond "
            f"{most:,}: per is {per:,}; is the price for 1000000?",
        )


def _nine(value: Decimal | None) -> Decimal | None:
    return None if value is None else nine(value)
