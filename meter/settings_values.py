"""Checks of single settings: each wrong value is an error saying where it stands and why."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from meter import currencies
from meter.config import Banded
from meter.errors import ConfigError
from meter.settings_keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meter.settings_file import Document

T = TypeVar("T")

_TEXT_LIMIT = 128
_DATED = re.compile(r"\d{4}(-\d{2}){0,2}", re.ASCII)
_SHOWN_LIMIT = 40
_LIMIT = Decimal(10) ** 5  # more than that cannot be stored as a factor, and is no price


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number may be, and what to do about one that may not."""

    least: Decimal = Decimal(0)
    most: Decimal | None = None
    above: bool = False  # more than the least, not as much
    below: bool = False  # less than the most, not as much
    remedy: str = ""


class Values:
    """Finds a key's value by precedence, and knows how to complain about it.

    ``lenient``: what is wrong is gathered in ``faults`` instead of raised, where it can be.
    """

    def __init__(
        self,
        document: Document | None,
        environment: Mapping[str, str],
        flags: Mapping[str, object],
        *,
        lenient: bool = False,
    ) -> None:
        self._document = document
        self._environment = environment
        self._flags = flags
        self._keys = {key.name: key for key in KEYS}
        self._lenient = lenient
        self.faults: list[ConfigError] = []

    def tried(self, read: Callable[[], T], otherwise: T) -> T:
        """What ``read`` gives; if lenient, ``otherwise`` in place of a ConfigError."""
        try:
            return read()
        except ConfigError as error:
            if not self._lenient:
                raise
            self.faults.append(error)
            return otherwise

    def get(self, name: str) -> object:
        """The value that wins, or None; an empty variable counts as not set."""
        if self._flags.get(name) is not None:
            return self._flags[name]
        key = self._keys.get(name)
        variable = key.variable if key else None
        if variable and self._environment.get(variable):
            return self._environment[variable]
        if self._document is None or (key and not key.in_file):
            return None
        return self._document.get(name)

    def written(self, name: str) -> bool:
        """Whether the file has this key, read from there or not."""
        return self._document is not None and self._document.get(name) is not None

    def wrong(self, name: str, problem: str, remedy: str = "") -> ConfigError:
        """The error for a value of this key, saying where the value is from."""
        key = self._keys.get(_pattern(name))
        example = f"write for example {key.name.rpartition('.')[2]} = {key.example}" if key else ""
        return ConfigError(f"{self.where(name)} {problem}", remedy or example)

    def where(self, name: str) -> str:
        """Where the key's value is from: its flag, its variable, or key, file and line."""
        key = self._keys.get(_pattern(name))
        if self._flags.get(name) is not None:
            return key.flag if key and key.flag else name
        if key and key.variable and self._environment.get(key.variable):
            return key.variable
        return self._document.where(name) if self._document else name


def _pattern(name: str) -> str:
    """``electricity.windows[2].from`` as KEYS spells it."""
    head, bracket, tail = name.partition("[")
    return f"{head}[]{tail.partition(']')[2]}" if bracket else name


def text(values: Values, name: str) -> str | None:
    """Printable text of at most 128 characters."""
    found = values.get(name)
    if found is None:
        return None
    if not isinstance(found, str):
        raise values.wrong(name, f"must be text, not {shown(found)}")
    if not found.strip() or len(found) > _TEXT_LIMIT or not found.isprintable():
        raise values.wrong(name, f"must be 1 to {_TEXT_LIMIT} printable characters")
    return found.strip()


def dated(values: Values, name: str) -> str | None:
    """A year, month or day: ``2026``, ``2026-01`` or ``2026-01-31``; raises ConfigError."""
    found = values.get(name)
    if found is None:
        return None
    words = found.isoformat()[:10] if isinstance(found, date) else str(found)
    if _DATED.fullmatch(words):
        with suppress(ValueError):  # a day that is in no year
            date.fromisoformat(words + "-01-01"[len(words) - 4 :])
            return words
    raise values.wrong(name, f"must be a year, a month or a day, not {shown(words)}")


def path(values: Values, name: str) -> Path | None:
    """An absolute path."""
    found = values.get(name)
    if found is None:
        return None
    if not isinstance(found, str | Path) or not str(found) or "\0" in str(found):
        raise values.wrong(name, f"must be a path, not {shown(found)}")
    return Path(found).absolute()


def flag(values: Values, name: str, *, default: bool) -> bool:
    """True or false; from the environment also 1, 0, yes, no."""
    found = values.get(name)
    if found is None:
        return default
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    answer = words.get(found.lower()) if isinstance(found, str) else found
    if not isinstance(answer, bool):
        raise values.wrong(name, f"must be true or false, not {shown(found)}")
    return answer


def whole(values: Values, name: str, *, default: int, least: int) -> int:
    """A whole number of at least ``least``."""
    found = values.get(name)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int) or found < least:
        raise values.wrong(name, f"must be a whole number from {least}, not {shown(found)}")
    return found


def band(values: Values, name: str, limits: Decimal | Limits) -> Banded | None:
    """A number, or a table of value, low and high, inside limits; a Decimal is the least."""
    found = values.get(name)
    if found is None:
        return None
    if isinstance(found, dict):
        if "value" not in found or set(found) - {"value", "low", "high"}:
            raise values.wrong(name, "must have value, low and high, and nothing else")
        parts = [found.get(part, found["value"]) for part in ("value", "low", "high")]
    else:
        parts = [found] * 3
    if isinstance(limits, Decimal):
        limits = Limits(limits)
    value, low, high = (number(values, name, part, limits) for part in parts)
    if not low <= value <= high:
        raise values.wrong(name, "must have low <= value <= high")
    return Banded(value, low, high)


def number(values: Values, name: str, found: object, limits: Limits) -> Decimal:
    """A number inside limits."""
    read = plain_number(found)
    if read is None:
        raise values.wrong(name, f"must be a number, not {shown(found)}")
    if read < limits.least or (limits.above and read == limits.least):
        words = "above" if limits.above else "at least"
        raise values.wrong(name, f"must be {words} {limits.least}, not {read:f}", limits.remedy)
    if limits.most is None:
        if read >= _LIMIT:
            raise values.wrong(name, f"must be below {_LIMIT}, not {shown(found)}")
    elif read > limits.most or (limits.below and read == limits.most):
        words = "below" if limits.below else "at most"
        raise values.wrong(
            name, f"must be {words} {limits.most}, not {shown(found)}", limits.remedy
        )
    return read


def plain_number(found: object) -> Decimal | None:
    """The finite number that a value is, or spells; None of anything else."""
    if isinstance(found, bool) or not isinstance(found, int | str | Decimal):
        return None
    try:
        read = Decimal(found)
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def currency(values: Values, name: str, because: str) -> str:
    """An ISO 4217 code; ``because`` names what needs it."""
    found = text(values, name)
    if found is None:
        raise values.wrong(name, f"is missing; {because} needs it")
    if fault := currencies.fault_of(found):
        raise values.wrong(name, fault)
    return found


def shown(found: object) -> str:
    """A wrong value, short enough for a line."""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, str | Decimal | int):
        words = repr(str(found))
    else:
        words = "a table" if isinstance(found, dict) else "a list or date"
    return words if len(words) <= _SHOWN_LIMIT else f"{words[: _SHOWN_LIMIT - 3]}..."
