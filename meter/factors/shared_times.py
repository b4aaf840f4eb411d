"""The first quarter hour that two rows' windows share, in whatever time zones; pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from meter.factors.rows import refused
from meter.units import US_PER_QUARTER, US_PER_S
from meter.windows import MINUTES_PER_DAY, QUARTER_MINUTES, LocalWindows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DAY_US = 86_400 * US_PER_S
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_QUARTERS = MINUTES_PER_DAY // QUARTER_MINUTES
_ALL = (1 << _QUARTERS) - 1
_YEAR_DAYS = 366  # each weekday, each change of the clocks
_CYCLE_YEARS = 28  # in so many years each day of the year falls on each weekday
_SOME_YEAR = 2024
_MOST_DAYS = 60_000  # more is no tariff: each is 96 looks at the windows

Period = tuple[int | None, int | None]


class SharedTimes:
    """Compares windows day by day; what a day's quarter hours were found to be is kept."""

    def __init__(self) -> None:
        self._read: dict[str, LocalWindows] = {}
        self._masks: dict[tuple[str, int], int] = {}

    def first(self, one: str | None, other: str | None, shared: Period) -> int | None:
        """The first quarter hour of a period, found, in which both hold, in UTC µs.

        Looked at are the days of its first year, and those about borders of seasons on each
        weekday. Raises RowsError for more rows than can be compared.
        """
        start_us, end_us = _bounded(shared)
        if one == other:
            one = None
        texts = [text for text in (one, other) if text is not None]
        for day in self._days(texts, start_us, end_us):
            both = _ALL
            for text in texts:
                both &= self._mask(text, day)
            for at_us in _quarters(both, day):
                if start_us <= at_us < end_us:
                    return at_us
        return None

    def _windows(self, text: str) -> LocalWindows:
        if text not in self._read:
            self._read[text] = LocalWindows.of_json(text)
        return self._read[text]

    def _days(self, texts: Iterable[str], start_us: int, end_us: int) -> Iterator[int]:
        """Days since 1970, in UTC, on which the windows can differ."""
        first, last = start_us // _DAY_US, (end_us - 1) // _DAY_US
        year_end = min(last, first + _YEAR_DAYS)
        yield from range(first, year_end + 1)
        borders = {
            border
            for text in texts
            for windows in (self._windows(text),)
            for span in (*windows.spans, *windows.excluded)
            for border in span.season or ()
        }
        yield from (day for day in _around(borders, first) if year_end < day <= last)

    def _mask(self, text: str, day: int) -> int:
        """The quarter hours of a UTC day inside the windows, a bit each."""
        key = (text, day)
        if key not in self._masks:
            if len(self._masks) >= _MOST_DAYS:
                raise refused(
                    "has too many rows with windows that hold in one period to compare: import "
                    "fewer at once"
                )
            self._masks[key] = _mask(self._windows(text), day)
        return self._masks[key]


def _bounded(shared: Period) -> tuple[int, int]:
    """A period with both ends; of one without, enough years for every weekday of every day."""
    start_us, end_us = shared
    years_us = (_CYCLE_YEARS + 1) * _YEAR_DAYS * _DAY_US
    if start_us is None:
        some_us = (date(_SOME_YEAR, 1, 1) - _EPOCH).days * _DAY_US
        start_us = some_us if end_us is None or some_us < end_us else end_us - years_us
    return start_us, start_us + years_us if end_us is None else end_us


def _around(borders: set[tuple[int, int]], first: int) -> Iterator[int]:
    year = (_EPOCH + first * _DAY).year
    seen: set[tuple[int, int, int]] = set()
    for each in range(year, year + _CYCLE_YEARS + 1):
        for month, number in sorted(borders):
            try:
                border = date(each, month, number)
            except ValueError:
                continue  # the 29th of February
            for day in (border - _DAY, border, border + _DAY):
                kind = (day.month, day.day, day.weekday())
                if kind not in seen:
                    seen.add(kind)
                    yield (day - _EPOCH).days


def _mask(windows: LocalWindows, day: int) -> int:
    zone = ZoneInfo(windows.timezone)
    begins = datetime(1970, 1, 1, tzinfo=UTC) + day * _DAY
    offsets = {(begins + step).astimezone(zone).utcoffset() for step in (timedelta(), _DAY)}
    steady = len(offsets) == 1
    local = begins.astimezone(zone).replace(tzinfo=None)
    found = 0
    for index in range(_QUARTERS):
        after = timedelta(minutes=index * QUARTER_MINUTES)
        at = local + after if steady else (begins + after).astimezone(zone)
        if windows.covers_local(at.date(), at.hour * 60 + at.minute):
            found |= 1 << index
    return found


def _quarters(mask: int, day: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield day * _DAY_US + (lowest.bit_length() - 1) * US_PER_QUARTER
        mask ^= lowest
