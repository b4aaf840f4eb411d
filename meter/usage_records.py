"""What each line of a file told, as one line of text: so it goes from process to process; pure.

First the line's number, then, parted by tabs, its events made ready; or a ``!`` and, as JSON, what
is wrong. Control characters part what JSON has none of.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from meter.usage_entries import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.hosted_facts import UsageEntry

_FIELD, _HEAD, _WRONG = "\t", "\x1e", "!"


class Record(NamedTuple):
    """A line's number, None of the file as a whole, and its events; or else what is wrong.

    A line that used nothing, such as a request that failed, has no events.
    """

    line: int | None
    entries: tuple[UsageEntry, ...] = ()
    wrong: Mapping[str, Any] | None = None


def events_text(line: int, entries: Iterable[UsageEntry]) -> str:
    """The text of a line's events."""
    return _FIELD.join([str(line), *[_HEAD.join(one.heads) for one in entries]])


def wrong_text(line: int | None, wrong: Mapping[str, Any]) -> str:
    """The text of a line that is wrong."""
    return f"{line or ''}{_FIELD}{_WRONG}{json.dumps(wrong)}"


def record_of(text: str) -> Record:
    """The record in a text."""
    number, _, told = text.partition(_FIELD)
    line = int(number) if number else None
    if told.startswith(_WRONG):
        return Record(line, wrong=json.loads(told[len(_WRONG) :]))
    if not told:
        return Record(line)
    return Record(line, tuple([entry_of(tuple(one.split(_HEAD))) for one in told.split(_FIELD)]))
