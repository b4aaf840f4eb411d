"""What a mark or a link may say, looked at where it is made; nothing that takes time is asked."""

from __future__ import annotations

import math
from decimal import Decimal

from meter import limits, links, reserved
from meter.errors import UsageError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

MOST_EPOCH = 1_000_000
PHASE_CHARS = 200

_EPOCH_PLACES = 6
_FRACTION_PLACES = 9


class WrongMarkError(Exception):
    """A value that no mark can have; raised and caught inside."""


def told(
    at_ns: int, step: object, epoch: object, phase: object, tokens: object, fraction: object
) -> dict[str, Any]:
    """The mark as it is told; raises WrongMarkError."""
    made: dict[str, Any] = {"at_ns": at_ns}
    if step is not None:
        made["step"] = _count(step, limits.STEPS)
    if tokens is not None:
        made["tokens"] = _count(tokens, limits.TRAINED_TOKENS)
    if epoch is not None:
        made["epoch"] = _number(epoch, MOST_EPOCH - 1, _EPOCH_PLACES)
    if fraction is not None:
        made["fraction"] = _number(fraction, 1, _FRACTION_PLACES)
    if phase is not None:
        made["phase"] = _name(phase)
    if len(made) == 1:
        raise WrongMarkError
    return made


def linked(source: object, foreign_id: object) -> dict[str, str]:
    """The link as it is told; raises WrongMarkError."""
    if not isinstance(source, str) or source not in links.SOURCES:
        raise WrongMarkError
    if type(foreign_id) is int:
        foreign_id = str(foreign_id)
    if not isinstance(foreign_id, str):
        raise WrongMarkError
    try:
        return {"source": source, "id": links.check_foreign_id(foreign_id)}
    except UsageError:
        raise WrongMarkError from None


def _count(value: object, most: int) -> int:
    if type(value) is int and 0 <= value <= most:  # what nearly all are, in the shortest time
        return value
    number = _plain(value)
    if not 0 <= number <= most or int(number) != number:
        raise WrongMarkError
    return int(number)


def _number(value: object, most: int, places: int) -> str:
    """A number as decimal text, rounded to what the ledger keeps."""
    number = _plain(value)
    if not 0 <= number <= most:
        raise WrongMarkError
    return f"{number:.{places}f}"


def _plain(value: object) -> int | float | Decimal:
    """A number that is here already: a tensor's may still be computed, so it is not asked."""
    if isinstance(value, bool):
        raise WrongMarkError
    if not isinstance(value, int | float | Decimal):
        value = _of_numpy(value)
    wrong = isinstance(value, float) and not math.isfinite(value)
    if wrong or (isinstance(value, Decimal) and not value.is_finite()):
        raise WrongMarkError
    return value


def _of_numpy(value: object) -> int | float:
    item = getattr(value, "item", None)
    if type(value).__module__ != "numpy" or getattr(value, "shape", None) != () or item is None:
        raise WrongMarkError
    found = item()
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise WrongMarkError
    return found


def _name(value: object) -> str:
    if not isinstance(value, str) or len(value) > PHASE_CHARS or not value.isprintable():
        raise WrongMarkError
    if value and (not value.strip() or reserved.taken(value)):
        raise WrongMarkError
    return str(value)
