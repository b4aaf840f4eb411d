"""The most that is taken for a price: more is a slip of unit, whatever the market."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class MoneyLimits:
    """Limits by what a price is of; currencies of which many make a euro have their own."""

    usual: dict[str, Decimal]
    of_small: dict[str, Decimal]
    small: frozenset[str]

    def most(self, per: str, currency: str) -> Decimal | None:
        """The most units of a currency for ``/kWh``, ``/h`` or ``/token``; None of others."""
        return (self.of_small if currency in self.small else self.usual).get(per)


def beyond(per: str, currency: str, amounts: Iterable[Decimal | None]) -> str | None:
    """That an amount of money is beyond what is taken; None where all are within, or are none."""
    most = money_limits().most(per, currency)
    for amount in amounts:
        if most is not None and amount is not None and abs(amount) > most:
            hint = f"is it for an MWh, {currency}/MWh?" if per == "/kWh" else "check the unit"
            return f"{_plainly(amount)} {currency}{per} is beyond {most:,} {currency}{per}: {hint}"
    return None


def _plainly(amount: Decimal) -> str:
    return f"{amount.normalize():,f}"


@cache
def money_limits() -> MoneyLimits:
    """The limits that come with meter."""
    path = Path(__file__).parent / "data" / "money_limits.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    usual, of_small = (
        {per: Decimal(most) for per, most in told[name].items()}
        for name in ("most", "most_of_small")
    )
    return MoneyLimits(usual, of_small, frozenset(told["small"]))
