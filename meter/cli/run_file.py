"""Run documents in files: whole, of this version, with numbers that are numbers."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from meter.cli.run_document import DOCUMENT
from meter.document import SCHEMA
from meter.errors import UsageError
from meter.figures import printable
from meter.several_nodes import Given

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 64 * 1024 * 1024
_MOST_DEPTH = 100
_REMEDY = "give what --summary-json, `meter show --json` or `meter report -o FILE.json` writes"


def read_run(name: str) -> Given:
    """The document in a file; raises UsageError for what is none."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name} cannot be read ({reason})", "name another file") from None
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{name} has more than {_MOST_BYTES} bytes", _REMEDY)
    try:
        document = json.loads(content, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is no JSON", _REMEDY) from None
    return Given(name, _checked(name, document))


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(word: str) -> float:
    """A number that a double can hold, also where nobody looks at it: 1e999 is written by none."""
    number = float(word)
    return number if isfinite(number) else _no_number(word)


def _checked(name: str, document: Any) -> Mapping[str, Any]:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise UsageError(f"{name} is no run document {SCHEMA}", _REMEDY)
    if _is_deeper(document, _MOST_DEPTH):
        raise UsageError(f"{name} is nested more than {_MOST_DEPTH} deep", _REMEDY)
    try:
        DOCUMENT.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = printable(".".join(map(str, first["loc"])))
        said = first["msg"].removeprefix("Value error, ")
        raise UsageError(": ".join(filter(None, (name, where, said))), _REMEDY) from None
    checked: Mapping[str, Any] = document
    return checked


def _is_deeper(document: Any, most: int) -> bool:
    """Whether values stand in values that deep; what writes them again has its limits."""
    level = [document]
    for _ in range(most):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)
