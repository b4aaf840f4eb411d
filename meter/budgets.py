"""What a budget is written as: an amount and a unit, ``50USD``, ``20 kWh``, ``5kgCO2e``; pure.

The launcher reads it before each job that has one: it loads nothing but decimal numbers.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from meter.errors import UsageError

ENERGY = "kWh"
CARBON = "kgCO2e"

_UNITS = {
    "Wh": (ENERGY, -3), "kWh": (ENERGY, 0), "MWh": (ENERGY, 3),
    "gCO2e": (CARBON, -3), "kgCO2e": (CARBON, 0), "tCO2e": (CARBON, 3),
}  # fmt: skip
"""Unit as written: unit as kept, and the power of ten between them."""

_CODE_CHARS = 3
_PLACES = 9
_LEAST = Decimal(1).scaleb(-_PLACES)
_BELOW = Decimal(10) ** 9
_SHOWN_CHARS = 40
_EXAMPLE = "write for example 50USD, 20kWh or 5kgCO2e"


def parse(what: str, text: str) -> tuple[Decimal, str]:
    """Amount and unit as kept: kWh, kgCO2e or a currency's three capitals.

    ``what`` names the setting in errors. Raises UsageError.
    """
    shown = repr(text[:_SHOWN_CHARS])
    words = text.strip()
    begin = next((at for at, char in enumerate(words) if char.isalpha()), len(words))
    written = _amount(what, shown, words[:begin].strip())
    unit, power = _unit(what, shown, words[begin:])
    if written <= 0:
        raise UsageError(f"{what} {shown} is not above zero", _EXAMPLE)
    amount = written.scaleb(power)
    if not _LEAST <= amount < _BELOW or amount != amount.quantize(_LEAST):
        raise UsageError(
            f"{what} {shown} cannot be kept: it has more than 9 digits before or after the point"
            f" in {unit}",
            "give a rounder amount",
        )
    return amount.normalize() + 0, unit


def words(amount: Decimal, unit: str) -> str:
    """A budget as people read it: ``50 USD``."""
    return f"{amount.normalize():f} {unit}"


def is_money(unit: str) -> bool:
    """Whether a budget's unit is a currency."""
    return unit not in {ENERGY, CARBON}


def _amount(what: str, shown: str, digits: str) -> Decimal:
    plain = digits.isascii() and "_" not in digits
    try:
        amount = Decimal(digits) if plain else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise UsageError(f"{what} {shown} does not begin with an amount", _EXAMPLE)
    return amount


def _unit(what: str, shown: str, written: str) -> tuple[str, int]:
    if written in _UNITS:
        return _UNITS[written]
    for known in _UNITS:
        if written.lower() == known.lower():
            raise UsageError(f"{what} {shown} has the unit {written!r}", f"write {known}")
    letters = written.isascii() and written.isalpha() and len(written) == _CODE_CHARS
    if letters and written.isupper():
        return written, 0
    if letters:
        raise UsageError(
            f"{what} {shown} has the unit {written!r}",
            f"write a currency in capitals: {written.upper()}",
        )
    known_units = ", ".join(_UNITS)
    problem = f"has no unit that is known ({known_units}, or a currency's three capitals)"
    raise UsageError(f"{what} {shown} {problem}", _EXAMPLE)
