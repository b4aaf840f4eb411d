"""What the ledger says that usage costs by the bundled price book."""

from __future__ import annotations

import itertools
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from meter.factors.bundled_prices import bundled_prices
from meter.factors.factor_rows import Known
from meter.factors.price_rows import prices_of_rows
from meter.hosted_facts import Meter, Quantity, Usage
from meter.ledger.reader import Reader
from meter.ledger.session import Session
from meter.model import LedgerBatch

NOW_US = 1_795_600_000_000_000  # 2026-11-25
BOOK = prices_of_rows(bundled_prices().rows, Known(frozenset(), 0, NOW_US))
_IDS = itertools.count(1)


def usage(provider: str, model: str, **changes) -> Usage:
    one = Usage("s", "1", NOW_US, provider, model, (Quantity(Meter.REQUEST, Decimal(1)),))
    return one._replace(**changes)


@cache
def _ledger() -> Session:
    ticks = itertools.count(NOW_US, 1_000_000)
    made = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    made.commit([LedgerBatch(prices=tuple(BOOK))])
    return made


def line(told: Usage, meter: Meter, *each: Decimal) -> dict[str, Any]:
    """The line of an event for each quantity, used as told."""
    made, since = _ledger(), _ledger().seq
    events = tuple(
        told._replace(id=str(next(_IDS)), quantities=(Quantity(meter, quantity),))
        for quantity in each
    )
    made.commit([LedgerBatch(usages=events)])
    (found,) = Reader(made.con.cursor()).rows("lines/usage_cost", since_seq=since)
    return found


def stepped(told: Usage) -> Decimal:
    """What a model's usage cost so far, in US dollars, added up over steps of five minutes."""
    rows = Reader(_ledger().con.cursor()).rows("lines/usage_step_cost", step=5)
    return sum((row["amount"].scaleb(-9) for row in rows if row["model"] == told.model), Decimal(0))


def cost(told: Usage, meter: Meter, *each: Decimal | int) -> Decimal | None:
    """What events of these quantities cost, in US dollars; None where no price is for them."""
    found = line(told, meter, *map(Decimal, each))
    if found["amount"] is None:
        return None
    assert found["currency"] == "USD"
    return found["amount"].scaleb(-9)
