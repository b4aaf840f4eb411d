"""The electricity tariff of the configuration: one price, and windows of local times."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from meter.config import Electricity, Window
from meter.settings_values import band, currency, dated, shown, text
from meter.units import US_PER_QUARTER

if TYPE_CHECKING:
    from meter.config import Banded
    from meter.settings_values import Values
    from meter.windows import Span

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOUR = 60
_QUARTER = 15
_MIDNIGHT = 24 * _HOUR
_LEAP_YEAR = 2024
_SEASON = re.compile(r"(\d{1,2})-(\d{1,2})/(\d{1,2})-(\d{1,2})")
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?")


def electricity(values: Values) -> Electricity | None:
    """The tariff, None where no price is set; raises ConfigError."""
    price_key = "electricity.price_per_kwh"
    if values.get(price_key) is None and values.get("electricity.windows") in (None, []):
        return None
    before = len(values.faults)
    price = values.tried(partial(band, values, price_key, Decimal(0)), None)
    none: tuple[Window, ...] = ()
    windows = values.tried(partial(_windows, values), none)
    zone = values.tried(partial(timezone, values), "UTC")
    valid_from_us = values.tried(partial(day, values, "electricity.valid_from", zone), None)
    valid_to_us = values.tried(partial(day, values, "electricity.valid_to", zone), None)
    source = values.tried(partial(text, values, "electricity.source"), None) or "configuration"
    source_date = values.tried(partial(dated, values, "electricity.source_date"), None)
    code = currency(values, "electricity.currency", "an electricity price")
    if len(values.faults) > before:  # the rest of a tariff is another tariff
        return None
    if valid_from_us is not None and valid_to_us is not None and valid_to_us <= valid_from_us:
        raise values.wrong("electricity.valid_to", "must be after valid_from")
    if price is None and not _complete(windows):
        raise values.wrong(price_key, "is missing; the windows leave times without a price")
    return Electricity(
        currency=code,
        price_per_kwh=price,
        windows=windows,
        timezone=zone,
        valid_from_us=valid_from_us,
        valid_to_us=valid_to_us,
        source=source,
        source_date=source_date,
    )


def _complete(windows: tuple[Window, ...]) -> bool:
    from meter.windows import cover_everything  # noqa: PLC0415 - only tariffs with windows pay

    return cover_everything([span_of(window) for window in windows])


def span_of(window: Window) -> Span:
    """When a window holds."""
    from meter.windows import Span  # noqa: PLC0415 - only tariffs with windows pay for it

    return Span(window.days, window.start, window.end, window.season)


def timezone(values: Values) -> str:
    """The site's time zone, UTC where none is set; raises ConfigError for one not known here."""
    name = text(values, "electricity.timezone")
    if name is None:
        return "UTC"
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only tariffs with a zone pay for it

    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise values.wrong(
            "electricity.timezone", f"is no time zone that is known here: {name!r}"
        ) from None
    return name


def day(values: Values, name: str, zone: str) -> int | None:
    """The beginning of a day in the site's time zone, in UTC µs; raises ConfigError."""
    found = values.get(name)
    if found is None:
        return None
    if isinstance(found, str):
        try:
            found = date.fromisoformat(found)
        except ValueError:
            found = None
    if not isinstance(found, date):
        raise values.wrong(name, "must be a date")
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only dated tariffs pay for it

    start = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)  # noqa: DTZ001
    instant = start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone))
    at_us = round(instant.timestamp()) * 1_000_000
    if at_us % US_PER_QUARTER:
        raise values.wrong(name, "must be a day, or an instant on a quarter hour of UTC")
    return at_us


def _windows(values: Values) -> tuple[Window, ...]:
    found = values.get("electricity.windows")
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise values.wrong("electricity.windows", "must be tables: [[electricity.windows]]")
    names = [f"electricity.windows[{index}]" for index in range(len(found))]
    read = [values.tried(partial(_window, values, name), None) for name in names]
    windows = tuple(window for window in read if window is not None)
    if len(windows) == len(read):  # else the numbers of the others would be wrong
        _refuse_overlaps(values, windows)
    return windows


def _window(values: Values, name: str) -> Window | None:
    """A window; None where a part of it is wrong and that is gathered."""
    start = values.tried(partial(_minute, values, f"{name}.from"), None)
    end = values.tried(partial(_minute, values, f"{name}.to"), None)
    days = values.tried(partial(_days, values, f"{name}.days"), None)
    price = values.tried(partial(_price, values, f"{name}.price_per_kwh"), None)
    season = values.tried(partial(_season, values, f"{name}.season"), None)
    if start is None or end is None or days is None or price is None:
        return None
    end = end or _MIDNIGHT
    if start == _MIDNIGHT:
        raise values.wrong(f"{name}.from", "must be 00:00 where midnight is meant")
    if start == end:
        raise values.wrong(f"{name}.to", "must differ from the start of the window")
    return Window(days, start, end, price, season)


def _price(values: Values, name: str) -> Banded:
    price = band(values, name, Decimal(0))
    if price is None:
        raise values.wrong(name, "is missing")
    return price


def _minute(values: Values, name: str) -> int:
    """Minute of the day of a local time; 24:00 is 1440. Raises ConfigError off a quarter hour."""
    found = values.get(name)
    if found is None:
        raise values.wrong(name, "is missing")
    second = 0
    if isinstance(found, int) and not isinstance(found, bool):
        hour, minute = found, 0
    elif isinstance(found, str) and (match := _TIME.fullmatch(found)):
        hour, minute = int(match[1]), int(match[2] or 0)
    elif isinstance(found, time):
        hour, minute, second = found.hour, found.minute, found.second
    else:
        raise values.wrong(name, f"must be a time on a quarter hour, not {shown(found)}")
    if minute % _QUARTER or second or minute >= _HOUR:
        raise values.wrong(name, f"must be on a quarter hour, not {shown(str(found))}")
    total = hour * _HOUR + minute
    if not 0 <= total <= _MIDNIGHT:
        raise values.wrong(name, f"must be from 00:00 to 24:00, not {shown(str(found))}")
    return total


def _season(values: Values, name: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """First and last day of the year, ``04-01/09-30``."""
    found = values.get(name)
    if found is None:
        return None
    match = _SEASON.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        raise values.wrong(name, f"must be MM-DD/MM-DD, not {shown(found)}")
    first, last = (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))
    for month, day in (first, last):
        try:
            date(_LEAP_YEAR, month, day)
        except ValueError:
            raise values.wrong(
                name, f"names a day that is in no year: {month:02}-{day:02}"
            ) from None
    return first, last


def _days(values: Values, name: str) -> tuple[int, ...]:
    found = values.get(name)
    if found is None:
        return tuple(range(len(_DAYS)))
    words = [found] if isinstance(found, str) else found
    if not isinstance(words, list) or not words:
        raise values.wrong(name, "must be a list of days")
    days = {day for word in words for day in _day_range(values, name, word)}
    return tuple(sorted(days))


def _day_range(values: Values, name: str, word: object) -> list[int]:
    first, dash, last = word.lower().partition("-") if isinstance(word, str) else ("", "", "")
    ends = [first, last if dash else first]
    if not all(end in _DAYS for end in ends):
        raise values.wrong(name, f"must name days as mon ... sun, not {shown(word)}")
    start, stop = (_DAYS.index(end) for end in ends)
    return [(start + step) % len(_DAYS) for step in range((stop - start) % len(_DAYS) + 1)]


def _refuse_overlaps(values: Values, windows: tuple[Window, ...]) -> None:
    from meter.windows import overlap  # noqa: PLC0415 - only tariffs with windows pay for it

    found = overlap([span_of(window) for window in windows])
    if found is None:
        return
    first, second, day, minute = found
    when = f"{_DAYS[day.weekday()]} at {minute // _HOUR:02}:{minute % _HOUR:02}"
    if any(windows[index].season for index in (first, second)):
        when += f" on {day.month:02}-{day.day:02}"
    raise values.wrong(
        f"electricity.windows[{second}].from",
        f"overlaps window {first + 1} on {when}",
        "give each time one price",
    )
