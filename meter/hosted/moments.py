"""Instants as providers tell them, one UTC time in µs for all; pure."""

from __future__ import annotations

from decimal import Decimal

from meter.errors import UsageError
from meter.hosted.numbers import number_of
from meter.instants import instant, parse_us
from meter.units import US_PER_S

CLOCK_AHEAD = "clock_ahead"
"""Flag: the teller's clock was ahead of ours, by a day at most."""
_EARLIEST_US = 1_420_070_400 * US_PER_S  # 2015-01-01; no hosted model was billed before it
_DAY_US = 86_400 * US_PER_S
_DATE_CHARS = 8  # 20260301 is a date, more digits are a count since 1970
_SCALES = (
    # A count since 1970 below the first is in seconds, and so on: each holds for years
    # from before 2015 to after 2100.
    (Decimal(10) ** 11, Decimal(US_PER_S)),
    (Decimal(10) ** 14, Decimal(1_000)),
    (Decimal(10) ** 17, Decimal(1)),
    (Decimal(10) ** 20, Decimal("0.001")),
)


def told_us(value: object, now_us: int, what: str = "the time") -> tuple[int, tuple[str, ...]]:
    """UTC µs of RFC 3339 text or of a count of s, ms, µs or ns since 1970, with flags.

    Raises UsageError, naming ``what``, for what is no instant or is out of range.
    """
    return checked_us(_us(value, what), now_us, what)


def checked_us(at_us: int, now_us: int, what: str = "the time") -> tuple[int, tuple[str, ...]]:
    """The instant with its flags; raises UsageError before 2015 or over a day ahead of now."""
    if not _EARLIEST_US <= at_us <= now_us + _DAY_US:
        raise UsageError(
            f"{what} {_written(at_us)} is not between 2015 and a day from now",
            "give seconds or milliseconds since 1970, or RFC 3339 such as 2026-03-01T09:00:00Z",
        )
    return at_us, ((CLOCK_AHEAD,) if at_us > now_us else ())


def _us(value: object, what: str) -> int:
    if isinstance(value, str) and not (value.isdecimal() and len(value) > _DATE_CHARS):
        try:
            return parse_us(value, what)
        except UsageError:
            raise _no_instant(what) from None  # without what was given: it could be anything
    number = number_of(value)
    if number is not None and number.is_finite() and number >= 0:
        for below, us in _SCALES:
            if number < below:
                return int(number * us)
    raise _no_instant(what)


def _no_instant(what: str) -> UsageError:
    return UsageError(f"{what} is no instant", "write for example 2026-03-01T09:00:00Z")


def _written(at_us: int) -> str:
    try:
        return instant(at_us)
    except OverflowError:
        return "out of all range"
