"""The electricity tariff of the configuration: one price, and windows of local hours."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from meter.config import Electricity, Window
from meter.settings_values import band, currency, shown, text

if TYPE_CHECKING:
    from meter.config import Banded
    from meter.settings_values import Values

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS_PER_WEEK = 168
_MIDNIGHT = 24
_RECENT_US = 1_767_225_600_000_000  # 2026: offsets of zones are asked for a year
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
    zone = values.tried(partial(_timezone, values), "UTC")
    valid_from_us = values.tried(partial(_valid_from, values), None)
    source = values.tried(partial(text, values, "electricity.source"), None) or "configuration"
    code = currency(values, "electricity.currency", "an electricity price")
    if len(values.faults) > before:  # the rest of a tariff is another tariff
        return None
    if price is None and sum(len(hours_of(w)) for w in windows) < _HOURS_PER_WEEK:
        raise values.wrong(price_key, "is missing; the windows leave hours without a price")
    if windows and not _on_the_hour(zone, valid_from_us):
        raise values.wrong(
            "electricity.timezone",
            f"is {zone}, which is not whole hours off UTC, so that windows would cut hours",
            "give one price_per_kwh, or windows in a zone that is",
        )
    return Electricity(
        currency=code,
        price_per_kwh=price,
        windows=windows,
        timezone=zone,
        valid_from_us=valid_from_us,
        source=source,
    )


def _on_the_hour(zone: str, valid_from_us: int | None) -> bool:
    from meter.windows import on_the_hour  # noqa: PLC0415 - only tariffs with windows pay for it

    seconds = (valid_from_us or _RECENT_US) // 1_000_000
    return on_the_hour(zone, datetime.fromtimestamp(seconds, UTC).year)


def _timezone(values: Values) -> str:
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


def _valid_from(values: Values) -> int | None:
    found = values.get("electricity.valid_from")
    if found is None:
        return None
    if isinstance(found, str):
        try:
            found = date.fromisoformat(found)
        except ValueError:
            found = None
    if not isinstance(found, date):
        raise values.wrong("electricity.valid_from", "must be a date")
    day = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)  # noqa: DTZ001
    instant = day if day.tzinfo else day.replace(tzinfo=UTC)
    return round(instant.timestamp()) * 1_000_000


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
    start = values.tried(partial(_hour, values, f"{name}.from"), None)
    end = values.tried(partial(_hour, values, f"{name}.to"), None)
    days = values.tried(partial(_days, values, f"{name}.days"), None)
    price = values.tried(partial(_price, values, f"{name}.price_per_kwh"), None)
    if start is None or end is None or days is None or price is None:
        return None
    end = end or _MIDNIGHT
    if start == _MIDNIGHT:
        raise values.wrong(f"{name}.from", "must be 00:00 where midnight is meant")
    if start == end:
        raise values.wrong(f"{name}.to", "must differ from the start of the window")
    return Window(days, start, end, price)


def _price(values: Values, name: str) -> Banded:
    price = band(values, name, Decimal(0))
    if price is None:
        raise values.wrong(name, "is missing")
    return price


def _hour(values: Values, name: str) -> int:
    """Hour of a local time; 24:00 is 24. Raises ConfigError off the hour."""
    found = values.get(name)
    if found is None:
        raise values.wrong(name, "is missing")
    if isinstance(found, int) and not isinstance(found, bool):
        hour, minute = found, 0
    elif isinstance(found, str) and (match := _TIME.fullmatch(found)):
        hour, minute = int(match[1]), int(match[2] or 0)
    elif isinstance(found, time):
        hour, minute = found.hour, found.minute or found.second
    else:
        raise values.wrong(name, f"must be a time on the hour, not {shown(found)}")
    if minute:
        raise values.wrong(name, f"must be on the hour, not {shown(str(found))}")
    if not 0 <= hour <= _MIDNIGHT:
        raise values.wrong(name, f"must be from 00:00 to 24:00, not {shown(str(found))}")
    return hour


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


def hours_of(window: Window) -> set[tuple[int, int]]:
    """The (weekday, hour) pairs of a window; past midnight they belong to the next day."""
    length = (window.end_hour - window.start_hour) % _MIDNIGHT or _MIDNIGHT
    steps = (window.start_hour + step for step in range(length))
    offsets = [divmod(hour, _MIDNIGHT) for hour in steps]
    return {((day + past) % len(_DAYS), hour) for day in window.days for past, hour in offsets}


def _refuse_overlaps(values: Values, windows: tuple[Window, ...]) -> None:
    taken: dict[tuple[int, int], int] = {}
    for index, window in enumerate(windows):
        for day, hour in sorted(hours_of(window)):
            if (day, hour) in taken:
                raise values.wrong(
                    f"electricity.windows[{index}].from",
                    f"overlaps window {taken[day, hour] + 1} on {_DAYS[day]} at {hour:02}:00",
                    "give each hour one price",
                )
            taken[day, hour] = index
