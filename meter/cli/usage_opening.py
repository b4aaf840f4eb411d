"""How a file of usage opens: with an event a line, or with one JSON text over several lines."""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from meter.errors import UsageError
from meter.hosted.jsonl import Line, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENING_BYTES = 6  # a bracket alone, with the end of its line and a mark of the byte order
_MOST_LINES = 50  # that a text goes on for, until it is believed
_MOST_BYTES = 1 << 16
_KEPT_BYTES = 9 << 20  # a line of the longest, and what was before it
_BOM = b"\xef\xbb\xbf"
_ONE_A_LINE = "write one object a line, as `jq -c .` does, and `jq -c '.[]'` with an array"


class _Readable(Protocol):
    def readline(self, most: int, /) -> bytes:
        """The next line, or as much of it."""


class _Text(Enum):
    """What lines are together, read as one JSON text."""

    WHOLE = auto()
    BEGUN = auto()
    WRONG = auto()


def one_a_line(file: _Readable) -> Iterator[Line]:
    """Lines; one fault alone where the file is one JSON text over several, or texts in a row.

    It is, where its first lines go on with one another as JSON does; a line that was torn does not
    go on with the next. Lines that are read for that are told before any error of the file.
    """
    heard = _Heard(file)
    found = lines(heard)  # type: ignore[arg-type]
    held: list[Line] = []
    try:
        several = _several(found, heard, held)
    except Exception:
        yield from held
        raise
    heard.forget()
    if several:
        wrong = UsageError("the file is one JSON text over several lines", _ONE_A_LINE)
        yield held[0]._replace(fault=wrong)
        return
    yield from held
    yield from found


def _several(found: Iterator[Line], heard: _Heard, held: list[Line]) -> bool:
    """Whether the first lines are of one text; all that were looked at are added to ``held``."""
    between = True  # nothing is begun: an object alone on its line is an event
    for line in found:
        held.append(line if held else _first(line))
        event = isinstance(line.value, dict)
        text = heard.text()
        if len(held) == 1:
            if held[0].fault is None or line.end - line.start > _OPENING_BYTES:
                return False
        elif event and (between or len(held) == 2):
            return False
        if text is _Text.WRONG:
            return False
        between = text is _Text.WHOLE
        if len(held) > _MOST_LINES or heard.size > _MOST_BYTES:
            return True
        if between:
            heard.begin()
    events = any(isinstance(line.value, dict) for line in held)
    return len(held) > 1 and (between or not events)


def _first(line: Line) -> Line:
    if not isinstance(line.value, list):
        return line
    return line._replace(value=None, fault=UsageError("an array is no event", _ONE_A_LINE))


class _Heard:
    """A file of which the text read since the last ``begin`` is known, until it is forgotten."""

    def __init__(self, file: _Readable) -> None:
        self._file = file
        self._kept: bytearray | None = bytearray()

    @property
    def size(self) -> int:
        """Bytes of the text."""
        return len(self._kept or b"")

    def readline(self, most: int) -> bytes:
        """The next line, or as much of it."""
        line = self._file.readline(most)
        if self._kept is not None and len(self._kept) <= _KEPT_BYTES:
            self._kept += line
        return line

    def begin(self) -> None:
        """Begin another text."""
        self._kept = bytearray()

    def forget(self) -> None:
        """Keep nothing from now on."""
        self._kept = None

    def text(self) -> _Text:
        """What the text is; wrong, too, where it is too long to say."""
        kept = bytes(self._kept or b"").removeprefix(_BOM)
        if len(kept) > _KEPT_BYTES:
            return _Text.WRONG
        text = kept.decode(errors="replace").strip()
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            return _Text.BEGUN if error.pos >= len(text) else _Text.WRONG
        except (ValueError, RecursionError):
            return _Text.WRONG
        return _Text.WHOLE
