"""Answers whose provider has changed the form of a field: read without it, and flagged; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from meter.errors import UsageError
from meter.hosted.responses.fields import FieldChangedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meter.hosted.responses.answer import Answer

FIELD_CHANGED = "field_changed"
"""Flag, with the field's name behind a colon: it had another form, and was left out."""
_MOST = 16  # changed fields; what has more is another thing


def read(
    raw: Mapping[str, object], reader: Callable[[Mapping[str, object]], list[Answer]]
) -> list[Answer]:
    """Answers without the fields that have changed. What such a field holds goes no further.

    Raises UsageError where too many have, or nothing is left to be read.
    """
    changed: list[FieldChangedError] = []
    left = raw
    while True:
        try:
            answers = reader(left)
        except FieldChangedError as error:
            if len(changed) >= _MOST:
                raise
            changed.append(error)
            left = cast("dict[str, object]", error.left_out(left))
        except UsageError:
            if changed:  # without the field that was left out nothing can be read
                raise changed[0] from None
            raise
        else:
            break
    if changed and not answers:
        raise changed[0]
    flags = tuple(dict.fromkeys(f"{FIELD_CHANGED}:{one.name}" for one in changed))
    return [replace(one, flags=(*one.flags, *flags)) for one in answers] if flags else answers
