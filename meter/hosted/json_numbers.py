"""JSON of a provider with its numbers exactly as written; pure.

What is spelled as a number and is none, or none that can be held, becomes NaN: whoever reads the
field refuses it, and all else in the text can be taken.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

_INT_DIGITS = 20  # a longer one is beyond 2^63, and slow to make
_CHARS = 400  # of a number: longer ones are noise
_NO_NUMBER = Decimal("NaN")


def parsed(text: str | bytes) -> object:
    """The value of a JSON text. Raises ValueError or RecursionError for what is none."""
    return json.loads(text, parse_float=_decimal, parse_int=_whole, parse_constant=Decimal)


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) <= _INT_DIGITS else _decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text) if len(text) <= _CHARS else _NO_NUMBER
    except InvalidOperation:  # an exponent of many digits
        return _NO_NUMBER
