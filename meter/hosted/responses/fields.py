"""Fields of raw responses, taken by name and type; an error names the field, never its text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from meter.errors import UsageError
from meter.hosted import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NESTED = 4  # usage nests two deep; beyond this it is no usage
_MOST_LEFT = 32
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def mapping(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object inside another, empty if it is absent or null."""
    value = raw.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    raise UsageError(f"{name} of the response is no object", "post the response as it came")


def has(raw: Mapping[str, object], name: str) -> bool:
    """Whether there is an object of that name."""
    return isinstance(raw.get(name), dict)


def objects(raw: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """The objects of a list, none if it is absent."""
    value = raw.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(raw: Mapping[str, object], *names: str) -> str | None:
    """The first text of these names that is not empty."""
    for name in names:
        value = raw.get(name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name} of the response is no text", "post the response as it came")
        if value:
            return value
    return None


def count(raw: Mapping[str, object], *names: str) -> int | None:
    """The first whole number of these names; raises UsageError for what is no count."""
    for name in names:
        if raw.get(name) is not None:
            return numbers.count(raw[name], f"{name} of the response")
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
    for name, value in _numbers(usage, "", _NESTED):
        if name not in known and value and len(found) < _MOST_LEFT:
            found[name] = value
    return found


def snake_case(raw: Mapping[str, object]) -> dict[str, object]:
    """The object's own fields under names like ``prompt_token_count``."""
    return {_HUMP.sub("_", name).lower(): value for name, value in raw.items()}


def _numbers(raw: Mapping[str, object], path: str, depth: int) -> Iterator[tuple[str, str]]:
    for name in sorted(raw):
        value = raw[name]
        if not _NAME.fullmatch(name):
            continue
        if isinstance(value, dict) and depth > 1:
            yield from _numbers(value, f"{path}{name}.", depth - 1)
        elif not isinstance(value, str):
            number = numbers.number_of(value)
            if number is not None and number.is_finite() and number and abs(number.adjusted()) < 30:
                yield f"{path}{name}", str(number)
