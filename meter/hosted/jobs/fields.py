"""Reading of single fields of a provider's answer: what is there is checked, else it is None."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted.bounds import (
    EARLIEST_US,
    EPOCHS,
    LATEST_US,
    STEPS,
    TIME_FAULT,
    TOKENS,
    WHOLE,
    Bound,
)
from meter.hosted.jobs.provider import plain_id
from meter.instants import parse_us
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT_CHARS = 512
"""Longest name or id that is taken; ids of some clouds have 300 characters."""

_DECIMALS = 12
_DIGITS = 60
_NAME_CHARS = 80  # of a field whose name is data
_SHOWN_CHARS = 200  # of an id in a message
_MS_FROM = 10**11  # as seconds this is the year 5138: whoever writes more means ms
_UNSET_INSTANT = "0001-01-01T00:00:00"  # how Go writes that there is none
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_REMEDY = "take the job from the provider again; if it is so there, tell us the field"


class Fields:
    """An object of a provider's answer, with the path to it for messages.

    A name in camelCase is also found in snake_case, as the provider's Python library writes it.
    No message holds a value: it could be a user's text.
    """

    __slots__ = ("_raw", "_where")

    def __init__(self, raw: object, where: str = "") -> None:
        if not isinstance(raw, dict):
            raise UsageError(f"{where.rstrip('.') or 'the job'} is no JSON object", _REMEDY)
        self._raw: Mapping[str, object] = raw
        self._where = where

    def fault(self, name: str, what: str) -> UsageError:
        """The error that names a field."""
        return UsageError(f"{self._where}{name} {what}", _REMEDY)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._value(name) is not None

    def text(self, name: str) -> str | None:
        """A short text; empty is none."""
        value = self._value(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.fault(name, "is no text")
        if len(value) > TEXT_CHARS:
            raise self.fault(name, f"has more than {TEXT_CHARS} characters")
        if not value.isprintable() or not value.strip():
            raise self.fault(name, "has characters that cannot be printed")
        return value

    def message(self, name: str) -> str:
        """A sentence to compare and to forget: anything, or nothing."""
        value = self._value(name)
        return value if isinstance(value, str) else ""

    def needed_text(self, name: str) -> str:
        """A short text that must be there."""
        found = self.text(name)
        if found is None:
            raise self.fault(name, "is missing")
        return found

    def needed_id(self, name: str) -> str:
        """An id that must be there and may stand in an address."""
        found = self.needed_text(name)
        if not plain_id(found):
            raise self.fault(name, "has characters that no id has")
        return found

    def one_of(self, name: str, *words: str) -> None:
        """Raises UsageError unless the field is one of these: else it is another one's shape."""
        if self._value(name) not in words:
            known = " or ".join(map(repr, words))
            raise self.fault(name, f"is not {known}: name the provider that it is from")

    def whole(self, name: str, bound: Bound = WHOLE) -> int | None:
        """A whole number from 0, within its bound; some providers write it as text."""
        value = self._within(name, bound)
        if value is None:
            return None
        if value != value.to_integral_value():
            raise self.fault(name, "is no whole number")
        return int(value)

    def count(self, name: str) -> int | None:
        """A whole number of tokens, which usage is bounded by too."""
        return self.whole(name, TOKENS)

    def steps(self, name: str) -> int | None:
        """A whole number of steps of a training."""
        return self.whole(name, STEPS)

    def number(self, name: str, bound: Bound = TOKENS) -> Decimal | None:
        """A number from 0, within its bound, exactly as written."""
        value = self._within(name, bound)
        if value and value.adjusted() < -_DECIMALS:
            raise self.fault(name, f"is smaller than 1e-{_DECIMALS}")
        return value

    def signed(self, name: str) -> Decimal | None:
        """A number of either sign, nearer to 0 than 10^12, exactly as written: money."""
        value = self._number(name)
        if value is not None and (found := TOKENS.fault(abs(value))):
            raise self.fault(name, found)
        return value

    def epochs(self, name: str) -> Decimal | None:
        """A number of epochs, None also where the provider chooses it: ``auto`` or -1."""
        value = self._value(name)
        chosen = isinstance(value, str | int) and value in {"auto", "max", -1}
        return None if chosen else self.number(name, EPOCHS)

    def _within(self, name: str, bound: Bound) -> Decimal | None:
        value = self._number(name)
        if value is not None and (found := bound.fault(value)):
            raise self.fault(name, found)
        return value

    def instant_us(self, name: str) -> int | None:
        """UTC µs of an RFC 3339 text, Unix seconds or Unix milliseconds, from 2015 to 2099."""
        value = self._value(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            if value.startswith(_UNSET_INSTANT):
                return None
            at_us = self._rfc3339_us(name, value)
        else:
            at_us = self._unix_us(name)
        if not EARLIEST_US <= at_us < LATEST_US:
            raise self.fault(name, TIME_FAULT)
        return at_us

    def needed_instant_us(self, name: str) -> int:
        """An instant that must be there."""
        found = self.instant_us(name)
        if found is None:
            raise self.fault(name, "is missing")
        return found

    def inside(self, name: str) -> Fields:
        """The object in a field; an empty one if there is none."""
        value = self._value(name)
        return Fields({} if value is None else value, f"{self._where}{name}.")

    def items(self, name: str) -> Iterator[Fields]:
        """The objects of a list; nothing if there is no list."""
        value = self._value(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise self.fault(name, "is no list")
        for index, one in enumerate(value):
            yield Fields(one, f"{self._where}{name}[{index}].")

    def names(self) -> tuple[str, ...]:
        """The names of the fields, where they are data of their own, such as types of GPUs."""
        for name in self._raw:
            if not (0 < len(name) <= _NAME_CHARS and name.isprintable()):
                where = self._where.rstrip(".")
                raise UsageError(f"{where} has a name that cannot be printed", _REMEDY)
        return tuple(self._raw)

    def truth(self, name: str) -> bool | None:
        """True or false."""
        value = self._value(name)
        if value is not None and not isinstance(value, bool):
            raise self.fault(name, "is neither true nor false")
        return value

    def _value(self, name: str) -> object:
        found = self._raw.get(name)
        if found is not None:
            return found
        return self._raw.get(_CAPITAL.sub("_", name).lower())

    def _number(self, name: str) -> Decimal | None:
        value = self._value(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise self.fault(name, "is no number")
        try:
            text = str(value)
            found = Decimal(text)
        except (ArithmeticError, ValueError):
            raise self.fault(name, "is no number") from None
        if not found.is_finite():
            raise self.fault(name, "is no number")
        if len(text) > _DIGITS:
            raise self.fault(name, f"has more than {_DIGITS} characters")
        return found

    def _unix_us(self, name: str) -> int:
        value = self.number_of_time(name)
        unit_us = 1_000 if value >= _MS_FROM else US_PER_S
        return int(value * unit_us)

    def number_of_time(self, name: str) -> Decimal:
        """Seconds or milliseconds; raises UsageError for what cannot be either."""
        value = self._number(name)
        if value is None:
            raise self.fault(name, "is no instant")
        if not 0 <= value < LATEST_US:
            raise self.fault(name, TIME_FAULT)
        return value

    def _rfc3339_us(self, name: str, value: str) -> int:
        try:
            return parse_us(value)
        except UsageError:
            raise self.fault(name, f"is no instant, or {TIME_FAULT}") from None


def entry_name(entry: object) -> str | None:
    """The id of an entry that cannot be read, if it has one that can be shown."""
    for name in ("id", "name", "jobArn"):
        found = entry.get(name) if isinstance(entry, dict) else None
        if isinstance(found, str) and found.isprintable() and 0 < len(found) <= _SHOWN_CHARS:
            return found
    return None
