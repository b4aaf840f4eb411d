"""What is wrong with a JSON text, and where; slow, for texts that were already refused; pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from meter.errors import UsageError

MOST_DEEP = 100
"""Deepest nesting that is taken."""
MOST_EXPONENT = 300
"""Most digits of a number before the point, or zeros after it."""
_MOST_DIGITS = 4_000  # of an integer; Python itself refuses more than 4,300
_TOKEN = re.compile(
    r'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)|(?P<colon>:)'
    r"|(?P<constant>-?Infinity|NaN)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)",
    re.DOTALL,
)


_DEEP = f"nested deeper than {MOST_DEEP}"


@dataclass(slots=True)
class _Place:
    """Where the look at a text stands: the open objects' keys, and the string just read."""

    keys: list[set[str] | None] = field(default_factory=list)
    string: str | None = None


def fault(text: str) -> UsageError:
    """What is wrong with a text that was refused, and where; what the text holds is not quoted."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _at("no JSON", text, error.pos)
    except (ValueError, RecursionError):
        pass  # an integer of too many digits, or nesting: found below, where it stands
    place = _Place()
    for token in _TOKEN.finditer(text):
        wrong = _wrong(token, place)
        if wrong is not None:
            return _at(wrong, text, token.start())
    return _at("no JSON that can be taken", text, 0)


def _at(wrong: str, text: str, position: int) -> UsageError:
    line = text.count("\n", 0, position) + 1
    where = f"character {position + 1:,}" if line == 1 else f"line {line:,}"
    return UsageError(f"{wrong} at {where}", "send JSON as RFC 8259 has it")


def _wrong(token: re.Match[str], place: _Place) -> str | None:
    kind, text = token.lastgroup, token[0]
    if kind == "constant":
        return "no number"
    if kind == "number":
        return "a number out of all range" if _out_of_range(text) else None
    if kind == "open":
        place.keys.append(set() if text == "{" else None)
        return _DEEP if len(place.keys) > MOST_DEEP else None
    if kind == "close" and place.keys:
        place.keys.pop()
    if kind == "colon":
        return _twice(place)
    place.string = text if kind == "string" else None
    return None


def _twice(place: _Place) -> str | None:
    """Whether the key before a colon was there before in the same object."""
    keys, key = (place.keys[-1] if place.keys else None), place.string
    if keys is None or key is None:
        return None
    name = json.loads(key, strict=False)
    if name in keys:
        return "a key given twice"
    keys.add(name)
    return None


def _out_of_range(text: str) -> bool:
    if text.lstrip("-").isdigit():
        return len(text) > _MOST_DIGITS
    try:
        number = Decimal(text)
    except InvalidOperation:
        return True
    return bool(number) and abs(number.adjusted()) > MOST_EXPONENT
