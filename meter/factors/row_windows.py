"""The local times that a tariff's row holds in, as a row tells them; pure."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from meter.errors import FactorError
from meter.faults import shown
from meter.windows import MINUTES_PER_DAY, QUARTER_MINUTES, LocalWindows, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.factors.rows import Cell

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_SEASON = re.compile(r"(\d{2})-(\d{2})/(\d{2})-(\d{2})")
_SPAN_KEYS = {"days", "from", "to", "season"}
_KEYS = {"timezone", "in", "not_in", *_SPAN_KEYS}
_LEAP_YEAR = 2024
_MOST_SPANS = 50


def windows_of(cell: Cell) -> str:
    """Windows in the form that rows are kept with.

    One span (``timezone``, ``days``, ``from``, ``to``, ``season``), or ``timezone`` with lists
    ``in`` and ``not_in`` of spans, or the kept form itself as text. Raises FactorError.
    """
    if isinstance(cell, str):
        return _kept(cell)
    return _of(cell).json()


def _kept(text: str) -> str:
    try:
        windows = LocalWindows.of_json(text)
        for span in (*windows.spans, *windows.excluded):
            _checked(span)
        _zone(windows.timezone)
    except FactorError:
        raise
    except Exception:  # noqa: BLE001 - whatever the text is, it is not that form
        raise FactorError(
            f"{shown(text)} are no windows", "write them in YAML: timezone, days, from, to"
        ) from None
    return windows.json()


def _of(cell: Mapping[str, object]) -> LocalWindows:
    _known(cell, _KEYS)
    zone = _zone(cell.get("timezone"))
    if "in" not in cell and "not_in" not in cell:
        return LocalWindows(zone, (_span(cell),))
    if _SPAN_KEYS & set(cell):
        raise FactorError("windows have either in and not_in or one span", "put it into in")
    return LocalWindows(zone, _spans(cell.get("in")), _spans(cell.get("not_in")))


def _spans(found: object) -> tuple[Span, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise FactorError("in and not_in are lists of spans", "give days, from, to in each")
    if len(found) > _MOST_SPANS:
        raise FactorError(f"{len(found)} spans are too many", f"give at most {_MOST_SPANS}")
    for one in found:
        _known(one, _SPAN_KEYS)
    return tuple(_span(one) for one in found)


def _known(found: Mapping[str, object], keys: set[str]) -> None:
    for name in found:
        if name not in keys:
            raise FactorError(f"{shown(name)} is no part of windows", f"name {sorted(keys)}")


def _zone(name: object) -> str:
    try:
        return ZoneInfo(str(name)).key
    except (LookupError, ValueError, OSError):
        raise FactorError(
            f"{shown(name)} is no time zone", "name one such as Europe/Paris"
        ) from None


def _span(found: Mapping[str, object]) -> Span:
    start, end = _minute(found.get("from", "00:00")), _minute(found.get("to", "24:00"))
    return _checked(Span(_days(found.get("days")), start, end, _season(found.get("season"))))


def _checked(span: Span) -> Span:
    borders = (span.start, span.end)
    if any(minute % QUARTER_MINUTES for minute in borders):
        raise FactorError("windows begin and end on quarter hours", "move the border")
    if span.start == span.end or not all(0 <= minute <= MINUTES_PER_DAY for minute in borders):
        raise FactorError("a window goes from a time of day to another", "write 07:00 and 22:00")
    if span.season is not None and not all(_is_day(*day) for day in span.season):
        raise FactorError("a season names a day that is in no year", "write 04-01/09-30")
    if not span.days or not set(span.days) <= set(range(len(_DAYS))):
        raise FactorError("a window has no days", "name days as mon ... sun")
    return span


def _minute(found: object) -> int:
    match = _TIME.fullmatch(str(found))
    if match is None or int(match[2]) >= 60:
        raise FactorError(f"{shown(found)} is no time of day", "write 07:00 or 24:00")
    return int(match[1]) * 60 + int(match[2])


def _days(found: object) -> tuple[int, ...]:
    if found is None:
        return tuple(range(len(_DAYS)))
    words = found if isinstance(found, list) else [found]
    days: set[int] = set()
    for word in words:
        first, dash, last = str(word).lower().partition("-")
        ends = [first, last if dash else first]
        if not all(end in _DAYS for end in ends):
            raise FactorError(f"{shown(word)} are no days", "name days as mon ... sun, or mon-fri")
        start, stop = (_DAYS.index(end) for end in ends)
        days |= {(start + step) % 7 for step in range((stop - start) % 7 + 1)}
    return tuple(sorted(days))


def _season(found: object) -> tuple[tuple[int, int], tuple[int, int]] | None:
    if found is None:
        return None
    match = _SEASON.fullmatch(str(found))
    if match is not None:
        first, last = (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))
        if _is_day(*first) and _is_day(*last):
            return first, last
    raise FactorError(f"{shown(found)} is no season", "write 04-01/09-30")


def _is_day(month: int, day: int) -> bool:
    try:
        date(_LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True


def json_of(windows: str | None) -> object:
    """Windows as JSON shows them."""
    return None if windows is None else json.loads(windows)
