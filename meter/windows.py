"""Local-time windows of a tariff, asked by the UTC quarter hour; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTES_PER_DAY = 1_440
QUARTER_MINUTES = 15
_DAY = timedelta(days=1)
_MINUTES_PER_HOUR = 60

MonthDay = tuple[int, int]
"""Month and day, both from 1."""


@dataclass(frozen=True, slots=True)
class Span:
    """Local minutes of the day [start, end) on the days named (0 = Monday); may pass midnight.

    A span that passes midnight belongs to the day it begins in; 1440 is midnight. ``season`` are
    the first and the last day of the year that it begins on (None: all the year); it may pass the
    end of the year.
    """

    days: tuple[int, ...]
    start: int
    end: int
    season: tuple[MonthDay, MonthDay] | None = None

    @classmethod
    def of_hours(cls, days: tuple[int, ...], start_hour: int, end_hour: int) -> Span:
        """A span on the hour."""
        return cls(days, start_hour * _MINUTES_PER_HOUR, end_hour * _MINUTES_PER_HOUR)

    def covers(self, day: date, minute: int) -> bool:
        """Whether a minute of a local day lies inside."""
        if self.start < self.end:
            return self.start <= minute < self.end and self._begins_on(day)
        if minute >= self.start:
            return self._begins_on(day)
        return minute < self.end and self._begins_on(day - _DAY)

    def _begins_on(self, day: date) -> bool:
        if day.weekday() not in self.days:
            return False
        if self.season is None:
            return True
        first, last = self.season
        today = (day.month, day.day)
        if first <= last:
            return first <= today <= last
        return today >= first or today <= last


@dataclass(frozen=True, slots=True)
class LocalWindows:
    """The times inside any of the spans and, if ``excluded`` is not empty, in none of those."""

    timezone: str
    spans: tuple[Span, ...] = ()  # empty: always
    excluded: tuple[Span, ...] = ()

    def covers(self, at_us: int) -> bool:
        """Whether an instant, in UTC µs, lies inside."""
        at = datetime.fromtimestamp(at_us // US_PER_S, UTC).astimezone(ZoneInfo(self.timezone))
        return self.covers_local(at.date(), at.hour * _MINUTES_PER_HOUR + at.minute)

    def covers_local(self, day: date, minute: int) -> bool:
        """Whether a minute of a day of that time zone lies inside."""
        if any(span.covers(day, minute) for span in self.excluded):
            return False
        return not self.spans or any(span.covers(day, minute) for span in self.spans)

    def json(self) -> str:
        """Text form, as kept in a factor row."""
        return json.dumps(
            {
                "timezone": self.timezone,
                "in": [_written(span) for span in self.spans],
                "not_in": [_written(span) for span in self.excluded],
            },
            sort_keys=True,
        )

    @classmethod
    def of_json(cls, text: str) -> LocalWindows:
        """The windows that :meth:`json` wrote."""
        read = json.loads(text)
        return cls(
            read["timezone"],
            tuple(_read(one) for one in read["in"]),
            tuple(_read(one) for one in read["not_in"]),
        )


def overlap(spans: Sequence[Span]) -> tuple[int, int, date, int] | None:
    """Two spans that share a time, with that day and minute; None where none do."""
    for day in _sample_days(spans):
        for minute in range(0, MINUTES_PER_DAY, QUARTER_MINUTES):
            inside = [index for index, span in enumerate(spans) if span.covers(day, minute)]
            if len(inside) > 1:
                return inside[0], inside[1], day, minute
    return None


def cover_everything(spans: Sequence[Span]) -> bool:
    """Whether every time is inside some span."""
    return all(
        any(span.covers(day, minute) for span in spans)
        for day in _sample_days(spans)
        for minute in range(0, MINUTES_PER_DAY, QUARTER_MINUTES)
    )


def _sample_days(spans: Sequence[Span]) -> list[date]:
    """Days on which spans can differ: each weekday, around each border of a season."""
    borders = {day for span in spans if span.season for day in span.season} or {(1, 1)}
    found: dict[tuple[int, int, int], date] = {}
    for year in range(2000, 2028):  # in so many years each day falls on each weekday
        for month, number in borders:
            try:
                border = date(year, month, number)
            except ValueError:
                continue  # the 29th of February
            for day in (border - _DAY, border, border + _DAY):
                found.setdefault((day.month, day.day, day.weekday()), day)
    return sorted(found.values())


def _written(span: Span) -> list[object]:
    season = [] if span.season is None else [[list(day) for day in span.season]]
    return [list(span.days), _time(span.start), _time(span.end), *season]


def _read(written: Sequence[Any]) -> Span:
    days, start, end, *more = written
    season = None
    if more:
        first, last = more[0]
        season = ((first[0], first[1]), (last[0], last[1]))
    return Span(tuple(days), _minute(start), _minute(end), season)


def _time(minute: int) -> int | str:
    """The hour, or hour and minute where it is off the hour."""
    hour, rest = divmod(minute, _MINUTES_PER_HOUR)
    return f"{hour:02}:{rest:02}" if rest else hour


def _minute(time: int | str) -> int:
    if isinstance(time, str):
        hour, _, rest = time.partition(":")
        return int(hour) * _MINUTES_PER_HOUR + int(rest)
    return time * _MINUTES_PER_HOUR
