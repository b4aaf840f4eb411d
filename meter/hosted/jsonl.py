"""The door for JSON text: exact numbers, one line at a time, and no surprises of JSON's; pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn

from meter.errors import UsageError
from meter.hosted.json_faults import MOST_DEEP, MOST_EXPONENT, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_STRIDE = 1 << 16  # bytes read at once of a line that is only skipped
_PARTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How much is taken of one line."""

    line_bytes: int = 8 << 20


class Line(NamedTuple):  # made a million times, so the lightest of all
    """A line that is not blank: its number from 1, its bytes from ``start`` to ``end``.

    Either ``value`` or ``fault`` holds. After a fault with ``cut_off`` the file ends within the
    line: once it has grown, reading goes on from ``start``.
    """

    number: int
    start: int
    end: int
    value: object = None
    fault: UsageError | None = None
    cut_off: bool = False


def parse(text: bytes) -> object:
    """The value of a JSON text: integers exact, other numbers Decimal.

    Raises UsageError with the position for broken UTF-8, for what is no JSON (NaN and Infinity
    are none), for numbers out of all range, keys given twice, and nesting too deep.
    """
    try:
        read = text.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"broken UTF-8 at byte {error.start + 1:,}", "send UTF-8 text") from None
    try:
        value: object = _DECODER.decode(read)
    except (ValueError, RecursionError):
        raise fault(read) from None  # says what and where; the decoder's text may quote
    if read.count("[") + read.count("{") > MOST_DEEP and _too_deep(value):
        raise fault(read)
    return value


def parse_each(text: bytes, most: int) -> object:
    """The value of a JSON text, of a list the fault in place of each member that has one.

    A text without faults is read once. Raises UsageError as ``parse`` does for what is no list,
    or whose members cannot be told apart, or for more than ``most`` members of a wrong one.
    """
    try:
        return parse(text)
    except UsageError:
        members = _members(text, most)
        if members is None:
            raise
        return [_parsed(one) for one in members]


def _parsed(text: bytes) -> object:
    try:
        return parse(text)
    except UsageError as error:
        return error


def _members(text: bytes, most: int) -> list[bytes] | None:
    """The texts of a list's members, None where brackets or strings are not closed."""
    text = text.removeprefix(_BOM).strip()
    if not text.startswith(b"["):
        return None
    depth, begin = 0, 1
    found: list[bytes] = []
    for part in _PARTS.finditer(text):
        sign = part[0]
        if sign == b'"':
            return None
        if sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
        if (sign == b"," and depth == 1) or not depth:
            found.append(text[begin : part.start()].strip())
            begin = part.end()
            if len(found) > most:
                raise UsageError(f"more than {most:,} events are too many", "send less at once")
        if not depth:
            return found if begin == len(text) else None
    return None


def lines(
    stream: BinaryIO, limits: LineLimits | None = None, *, number: int = 0, start: int = 0
) -> Iterator[Line]:
    """The lines of a stream that stands at byte ``start``, after line ``number``.

    Memory is that of one line. A line over the limit is a fault and is not held.
    """
    most = (limits or LineLimits()).line_bytes
    while text := stream.readline(most + 1):
        number += 1
        end = start + len(text)
        if len(text) > most and not text.endswith(b"\n"):
            end += _skip(stream)
            yield Line(number, start, end, fault=_too_long(most))
        elif not text.isspace():
            yield _line(text, number, start, end)
        start = end


def _line(text: bytes, number: int, start: int, end: int) -> Line:
    try:
        return Line(number, start, end, parse(text))
    except UsageError as error:
        if text.endswith(b"\n"):
            return Line(number, start, end, fault=error)
        cut = UsageError(f"cut off: {error.message}", "import again once the rest is there")
        return Line(number, start, end, fault=cut, cut_off=True)


def _skip(stream: BinaryIO) -> int:
    """Reads to the end of a line, and says how far that was."""
    skipped = 0
    while piece := stream.readline(_STRIDE):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _too_deep(value: object) -> bool:
    """Whether containers nest deeper than is taken, looked at level by level."""
    level = [value]
    for _ in range(MOST_DEEP):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return bool(level)


def _inside(value: object) -> Iterator[object]:
    """The containers that are directly inside one."""
    if isinstance(value, dict | list):
        within = value.values() if isinstance(value, dict) else value
        yield from (one for one in within if isinstance(one, dict | list))


def _too_long(most: int) -> UsageError:
    return UsageError(f"the line has more than {most:,} bytes", "is it one event a line?")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def text_of(value: object) -> str:
    """JSON of what was read: each number exactly as it was told, which ``json`` cannot write."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except TypeError:  # a Decimal is somewhere in it
        return _text_of(value)


def _text_of(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_text_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text_of, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("out of range") from None
    if number and abs(number.adjusted()) > MOST_EXPONENT:
        raise ValueError("out of range")
    return number


def _constant(_text: str) -> NoReturn:
    raise ValueError("no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_decimal, parse_constant=_constant
)
