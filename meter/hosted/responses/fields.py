"""Fields of raw responses, taken by name and type; an error names the field, never its text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from meter.errors import UsageError
from meter.hosted import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

_NESTED = 4  # usage nests two deep; beyond this it is no usage
_MOST_LEFT = 32
_MOST_DIGITS = 30
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class FieldChangedError(UsageError):
    """A known field has another form than it is known to have; what it holds is not quoted.

    ``name`` and ``form`` say which; without it the rest may still be read.
    """

    def __init__(self, name: str, form: str) -> None:
        super().__init__(f"{name} of the response is no {form}", "post the response as it came")
        self.name = name
        self.form = form

    def left_out(self, value: object) -> object:
        """The same JSON without the fields of that name, however spelled, that lack the form."""
        if isinstance(value, list):
            return [self.left_out(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self.left_out(one)
            for name, one in value.items()
            if _snake(name) != _snake(self.name) or _has_form(one, self.form)
        }


def _has_form(value: object, form: str) -> bool:
    if value is None:
        return True
    wanted = {"object": dict, "list": list}.get(form)
    return not isinstance(value, dict | list) if wanted is None else isinstance(value, wanted)


def mapping(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object inside another, empty if it is absent or null."""
    value = raw.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    raise FieldChangedError(name, "object")


def has(raw: Mapping[str, object], name: str) -> bool:
    """Whether there is an object of that name."""
    return isinstance(raw.get(name), dict)


def objects(raw: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """The objects of a list, none if it is absent."""
    value = raw.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def listed(raw: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """The same; what is no list is another form of it."""
    if raw.get(name) is not None and not isinstance(raw[name], list):
        raise FieldChangedError(name, "list")
    return objects(raw, name)


def text(raw: Mapping[str, object], *names: str) -> str | None:
    """The first text of these names that is not empty."""
    for name in names:
        value = raw.get(name)
        if isinstance(value, dict | list):
            raise FieldChangedError(name, "text")
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} of the response is no text", "post the response as it came")
        if value:
            return value
    return None


def word(value: object) -> str | None:
    """A text if it is a provider's term such as ``ON_DEMAND``; prose is none."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def count(raw: Mapping[str, object], *names: str) -> int | None:
    """The first whole number of these names; raises UsageError for what is no count."""
    for name in names:
        value = raw.get(name)
        if isinstance(value, dict | list):
            raise FieldChangedError(name, "number")
        if value is not None:
            return numbers.count(value, f"{name} of the response")
    return None


def moment(raw: Mapping[str, object], *names: str) -> object:
    """The first time of these names, as told."""
    for name in names:
        value = raw.get(name)
        if isinstance(value, dict | list):
            raise FieldChangedError(name, "time")
        if value is not None:
            return value
    return None


def counts(raw: Mapping[str, object], names: Iterable[str]) -> dict[str, int]:
    """The whole numbers of these names that are told and not zero."""
    found = ((name, count(raw, name)) for name in names)
    return {name: number for name, number in found if number}


def left_over(usage: Mapping[str, object], known: frozenset[str]) -> dict[str, str]:
    """Numbers of a usage that are not known, by dotted name: kept for whoever comes to know them.

    Zeros are left out, and so is all that is not a number, since it could be a user's text.
    """
    found: dict[str, str] = {}
    _gather(usage, "", known, found, _NESTED)
    return found if len(found) <= _MOST_LEFT else dict(sorted(found.items())[:_MOST_LEFT])


def snake_case(raw: Mapping[str, object]) -> dict[str, object]:
    """The object's own fields under names like ``prompt_token_count``."""
    return {_snake(name): value for name, value in raw.items()}


def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _gather(
    raw: Mapping[str, object], path: str, known: frozenset[str], found: dict[str, str], depth: int
) -> None:
    for name, value in raw.items():
        where = path + name
        if value is None or where in known or isinstance(value, str):
            continue
        if not _NAME.fullmatch(name):
            continue
        if isinstance(value, dict):
            if depth > 1:
                _gather(value, f"{where}.", known, found, depth - 1)
        elif (number := numbers.number_of(value)) and _is_kept(number):
            found[where] = str(number)


def _is_kept(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS
