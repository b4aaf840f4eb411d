"""Numbers as told in JSON, taken exactly or refused with a reason; pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from meter.errors import UsageError
from meter.hosted_facts import MOST

_MOST = int(MOST)
_STEP = Decimal("0.000001")  # what a quantity is kept to
_DIGITS = 40  # of a number written as text; more is no number of ours


def count(value: object, what: str) -> int:
    """A whole number from 0 to below ``MOST``; also one that is written 12.0 or as text.

    Raises UsageError, naming ``what``, for anything else.
    """
    if type(value) is int:
        if 0 <= value < _MOST:
            return value
        raise UsageError(_range(what, negative=value < 0), "give what the provider told")
    number = amount(value, what)
    if number != number.to_integral_value():
        raise UsageError(f"{what} is no whole number", "give what the provider told")
    return int(number)


def amount(value: object, what: str) -> Decimal:
    """A number from 0 to below ``MOST``, exactly as written.

    Raises UsageError, naming ``what``, for anything else.
    """
    number = number_of(value)
    if number is None or not number.is_finite():
        raise UsageError(f"{what} is no number", "give a number such as 1200 or 0.25")
    if not 0 <= number < MOST:
        raise UsageError(_range(what, negative=number < 0), "give what the provider told")
    return number


def number_of(value: object) -> Decimal | None:
    """The number that a value is or spells, None if it is none; a bool is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if not isinstance(value, str) or not 0 < len(value) <= _DIGITS or not value.isascii():
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def kept(number: Decimal) -> tuple[Decimal, bool]:
    """The number to the six decimals that are kept, and whether that rounded it."""
    if number == number.to_integral_value():
        return Decimal(int(number)), False
    rounded = number.quantize(_STEP)
    return rounded, rounded != number


def _range(what: str, *, negative: bool) -> str:
    return f"{what} is below zero" if negative else f"{what} is not below {_MOST:,}"
