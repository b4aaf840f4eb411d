"""The parts of a run document that look ahead: budgets and what is used of them, the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from meter import budgets
from meter.forecast import Progress, forecast
from meter.instants import instant
from meter.model import Method
from meter.units import J_PER_KWH, US_PER_HOUR

if TYPE_CHECKING:
    from meter.forecast import Forecast

Row = Mapping[str, Any]
Quantity = Mapping[str, Any]

_NANO = Decimal("1E-9")
_FAR_US = 10 * 365 * 24 * US_PER_HOUR
_PARTS = ("value", "low", "high")


def budgets_of(document: Row, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each budget with what is used of it; ``used`` is None where nothing counts in its unit."""
    found = []
    for row in rows:
        used = _used(document, row["unit"])
        found.append({
            "unit": row["unit"],
            "amount": _text(row["amount"]),
            "used": None if used is None else _text(used),
            "ratio": None if used is None else float(used / row["amount"]),
            "stop": row["stop"],
        })  # fmt: skip
    return found


def _used(document: Row, unit: str) -> Decimal | None:
    if unit == budgets.ENERGY:
        return Decimal(str(document["energy"]["it"]["value"])) / J_PER_KWH
    if unit == budgets.CARBON:
        location = document["carbon"]["location"]
        return None if location is None else Decimal(str(location["value"])) / 1_000
    costs = [c["amount"]["value"] for c in document["cost"] if c["currency"] == unit]
    return sum(map(Decimal, costs), Decimal(0)) if costs else None


def forecast_of(document: Row, marks: Sequence[Progress], started_us: int) -> dict[str, Any] | None:
    """The figures at the run's end: each of now, times how much its energy will have grown.

    Bounds are those of the forecast on top of the figure's own. None for a run that has ended,
    before the first percent, or where there is no energy yet.
    """
    now_mj = Fraction(str(document["energy"]["it"]["value"])) * 1_000
    found = forecast(marks, started_us)
    if document["run"]["status"] != "running" or found is None or now_mj <= 0:
        return None
    grown = _growth(found, now_mj)
    location = document["carbon"]["location"]
    return {
        "at": instant(found.mark.at_us),
        "fraction": float(found.mark.fraction),
        "ends_at": _end(found, document["as_of"]),
        "energy": _scaled(document["energy"]["it"], grown),
        "cost": [{**cost, "amount": _scaled(cost["amount"], grown)} for cost in document["cost"]],
        "carbon": None if location is None else _scaled(location, grown),
    }


def _end(found: Forecast, as_of: str) -> str | None:
    """When the run ends; None where that is past or far away: no instant to plan by."""
    if found.ends_us - found.mark.at_us >= _FAR_US:
        return None
    ends_at = instant(found.ends_us)
    return ends_at if ends_at >= as_of else None


def _growth(found: Forecast, now_mj: Fraction) -> dict[str, Fraction]:
    """End over now; what is spent stays spent."""
    ends = (found.energy_mj, found.low_mj, found.high_mj)
    return {part: max(now_mj, end) / now_mj for part, end in zip(_PARTS, ends, strict=True)}


def _scaled(quantity: Quantity, grown: Mapping[str, Fraction]) -> dict[str, Any]:
    """A quantity times something; money stays a decimal string."""
    return {
        **quantity,
        **{part: _times(quantity[part], grown[part]) for part in _PARTS},
        "method": Method.weakest([Method(quantity["method"]), Method.MODELLED]).value,
    }


def _times(value: str | float, factor: Fraction) -> str | float:
    if not isinstance(value, str):
        return float(Fraction(value) * factor)
    exact = Decimal(value) * factor.numerator / factor.denominator
    return _text(exact)


def _text(amount: Decimal) -> str:
    """A decimal string with nine places at most, and two at least."""
    whole, _, places = f"{amount.quantize(_NANO):f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"
