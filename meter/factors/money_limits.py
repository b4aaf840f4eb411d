"""The most that is taken for a price: more is a slip of unit, whatever the market."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MoneyLimits:
    """Limits by what a price is of; currencies of which many make a euro have their own."""

    usual: dict[str, Decimal]
    of_small: dict[str, Decimal]
    small: frozenset[str]

    def most(self, per: str, currency: str) -> Decimal | None:
        """The most units of a currency for ``/kWh``, ``/h`` or ``/token``; None of others."""
        return (self.of_small if currency in self.small else self.usual).get(per)


def money_limits() -> MoneyLimits:
    """The limits that come with meter."""
    path = Path(__file__).parent / "data" / "money_limits.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    usual, of_small = (
        {per: Decimal(most) for per, most in told[name].items()}
        for name in ("most", "most_of_small")
    )
    return MoneyLimits(usual, of_small, frozenset(told["small"]))
