"""Instants in the ledger: naive UTC datetimes there, integer µs everywhere else; pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from meter.units import US_PER_HOUR, US_PER_QUARTER

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the ledger's timestamps are naive UTC
_US = timedelta(microseconds=1)


def timestamp(us: int) -> datetime:
    """Naive UTC datetime of an instant in µs."""
    return _EPOCH + timedelta(microseconds=us)


def micros(at: datetime) -> int:
    """Instant in µs of a naive UTC datetime."""
    return (at - _EPOCH) // _US


def quarter_of(us: int) -> int:
    """Start of the UTC quarter hour that an instant lies in, in µs."""
    return us - us % US_PER_QUARTER


def hour_of(us: int) -> int:
    """Start of the UTC hour that an instant lies in, in µs."""
    return us - us % US_PER_HOUR
