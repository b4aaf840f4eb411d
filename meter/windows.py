"""Local-time windows of a tariff, asked by the UTC hour; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from meter.units import US_PER_S

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Span:
    """Local hours [start, end) of the days named (0 = Monday); may pass midnight.

    A span that passes midnight belongs to the day it begins in; 24 is midnight.
    """

    days: tuple[int, ...]
    start_hour: int
    end_hour: int

    def covers(self, weekday: int, hour: int) -> bool:
        """Whether a local hour lies inside."""
        if self.start_hour < self.end_hour:
            return weekday in self.days and self.start_hour <= hour < self.end_hour
        if hour >= self.start_hour:
            return weekday in self.days
        return hour < self.end_hour and (weekday - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class LocalWindows:
    """The hours inside any of the spans and, if ``excluded`` is not empty, in none of those."""

    timezone: str
    spans: tuple[Span, ...] = ()  # empty: every hour
    excluded: tuple[Span, ...] = ()

    def covers(self, hour_us: int) -> bool:
        """Whether a UTC hour, given by its start in µs, lies inside."""
        at = datetime.fromtimestamp(hour_us // US_PER_S, UTC).astimezone(ZoneInfo(self.timezone))
        weekday, hour = at.weekday(), at.hour
        if any(span.covers(weekday, hour) for span in self.excluded):
            return False
        return not self.spans or any(span.covers(weekday, hour) for span in self.spans)

    def json(self) -> str:
        """Text form, as kept in a factor row."""
        return json.dumps(
            {
                "timezone": self.timezone,
                "in": [[list(s.days), s.start_hour, s.end_hour] for s in self.spans],
                "not_in": [[list(s.days), s.start_hour, s.end_hour] for s in self.excluded],
            },
            sort_keys=True,
        )

    @classmethod
    def of_json(cls, text: str) -> LocalWindows:
        """The windows that :meth:`json` wrote."""
        read = json.loads(text)
        return cls(
            read["timezone"],
            tuple(Span(tuple(d), s, e) for d, s, e in read["in"]),
            tuple(Span(tuple(d), s, e) for d, s, e in read["not_in"]),
        )


def on_the_hour(timezone: str, year: int) -> bool:
    """Whether the zone's offset is a whole number of hours all through a year."""
    zone = ZoneInfo(timezone)
    first = datetime(year, 1, 1, tzinfo=UTC)
    offsets = {(first + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(366)}
    return all(offset is not None and offset.seconds % _HOUR_S == 0 for offset in offsets)
