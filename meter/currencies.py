"""Codes of currencies, as data: money in a code that nobody has would count nowhere.

The launcher reads it before a job with a budget: it loads nothing else.
"""

from __future__ import annotations

import os
from functools import cache

from meter.errors import UsageError

_FILE = os.path.join(os.path.dirname(__file__), "data", "currencies.txt")
_SHOWN_CHARS = 20
_OFFERED = 3


@cache
def codes() -> frozenset[str]:
    """Every code of ISO 4217."""
    with open(_FILE, encoding="ascii") as lines:
        return frozenset(
            code for line in lines if not line.startswith("#") for code in line.split()
        )


def require(what: str, unit: str) -> None:
    """Raises UsageError for a budget's unit, a currency's three capitals, that is no code."""
    if fault := fault_of(unit):
        raise UsageError(f"{what}: {fault}", "write for example 50USD")


def fault_of(code: str) -> str | None:
    """What is wrong with a code, with the nearest ones; None if it is one."""
    known = codes()
    if code in known:
        return None
    if code.upper() in known:
        return f"{code!r} is no currency code ({code.upper()} is one)"
    from difflib import get_close_matches

    letters = sorted(code.upper())
    turned = sorted(one for one in known if sorted(one) == letters)
    near = turned or get_close_matches(code.upper(), sorted(known), _OFFERED, 0.6)
    offer = f" (did you mean {' or '.join(near)}?)" if near else " such as EUR"
    return f"{code[:_SHOWN_CHARS]!r} is no currency code of ISO 4217{offer}"
