"""Ids of factors and prices, made from all that they say; pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meter.model import Factor, Price

_DIGITS = 12


def identified(factor: Factor) -> Factor:
    """The factor with an id made from all that it says."""
    content = replace(factor, id="") if factor.id else factor
    return replace(factor, id=f"{factor.kind}:{factor.scope}:{_digest(content)}")


def identified_price(price: Price) -> Price:
    """The price with an id made from all that it says."""
    content = replace(price, id="") if price.id else price
    return replace(price, id=f"price:{price.provider}:{price.model}:{_digest(content)}")


def _digest(content: Factor | Price) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:_DIGITS]
