"""Instants as people write them; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from meter.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def parse_us(text: str, what: str = "the instant") -> int:
    """UTC µs of an ISO 8601 date or instant; without an offset it is UTC.

    Raises UsageError, naming ``what``, for text that is none or that is before 1970.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or at < _EPOCH:
        raise UsageError(
            f"{what} {text[:40]!r} is no date or instant", "write for example 2026-03-01T09:00Z"
        )
    return (at - _EPOCH) // _US


def instant(at_us: int) -> str:
    """RFC 3339 in UTC, to the µs: how documents write an instant."""
    at = (_EPOCH + at_us * _US).replace(tzinfo=None)
    return f"{at.isoformat(timespec='microseconds')}Z"
