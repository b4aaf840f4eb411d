"""JSON of a bill's file or answer as values, numbers exactly as written; pure."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import NoReturn

from meter.hosted.bills.rows import refused


def value_of(text: str) -> object:
    """One JSON value, or lines of them as a list. Raises BillError for no JSON, or half of it."""
    try:
        return _parsed(text)
    except (ValueError, ArithmeticError, RecursionError):
        if "\n" not in text.strip():
            raise refused("is no JSON, or half of it: export it again") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(_parsed(line))
            except (ValueError, ArithmeticError, RecursionError):
                raise refused("is no JSON, or half of it: export it again", number) from None
    return found


def _parsed(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_constant=_no_number)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
