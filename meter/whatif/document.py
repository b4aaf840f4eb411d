"""The document ``meter.whatif/1``: a comparison as JSON; pure.

Quantities are written as in the run document: numbers, and money as decimal strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.instants import instant
from meter.units import US_PER_S
from meter.whatif.notices import notices, of_hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.model import Factor
    from meter.whatif.compare import Ask, Case, Compared, Hours
    from meter.whatif.outcome import Outcome, Quantity
    from meter.whatif.starts import Start

SCHEMA = "meter.whatif/1"

Json = dict[str, Any]
_FEMTO_NANO = Decimal("1E-24")  # a start's figures are in 1E-15 nano-units
_MEAN = Decimal("1E-9")
_NINE = Decimal("1E-9")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a document is made of: the run as read, what was asked, and what was found."""

    read: Mapping[str, Any]
    ask: Ask
    found: Compared


def document(comparison: Comparison) -> Json:
    """The document of a comparison."""
    read, found = comparison.read, comparison.found
    actual = found.actual.outcome
    return {
        "schema": SCHEMA,
        "run": _run(read),
        "as_of": instant(read["as_of_us"]),
        "actual": _case(found.actual),
        "scenarios": [
            {**_case(case), "difference": _difference(case.outcome, actual)} for case in found.cases
        ],
        "starts": [_hours(hours, actual) for hours in found.hours],
        "factors": [_factor(factor) for factor in _factors(comparison)],
        "notices": notices(read, comparison.ask, found),
        "simulated": bool(read["run"]["simulated"]),
    }


def _run(read: Mapping[str, Any]) -> Json:
    run = read["run"]
    return {
        **{name: run[name] for name in ("id", "name", "project", "status")},
        "started_at": instant(run["started_us"]),
        "duration_s": (run["until_us"] - run["started_us"]) / US_PER_S,
        "sites": [{"id": site, "zone": zone} for site, zone in sorted(read["zones"].items())],
    }


def _case(case: Case) -> Json:
    return {
        "label": case.label,
        "started_at": instant(case.profile.start_us),
        "duration_s": case.profile.duration_us / US_PER_S,
        "zones": sorted({place.site.zone or "" for place in case.places.values()}),
        **_outcome(case.outcome),
    }


def _outcome(outcome: Outcome) -> Json:
    return {
        "energy": {
            "it": _quantity(outcome.it),
            "facility": _quantity(outcome.facility),
            "by_component": {
                component.value: _quantity(one) for component, one in outcome.components.items()
            },
        },
        "cost": [
            {"kind": one.kind, "currency": one.currency, "amount": _money(one.amount)}
            for one in outcome.cost
        ],
        "carbon": {
            "location": _quantity(outcome.location),
            "overhead": _quantity(outcome.overhead),
        },
        "factors": [factor.id for factor in outcome.factors],
    }


def _difference(outcome: Outcome, actual: Outcome) -> Json:
    """Against the run as it was; money per currency, of both or null."""
    currencies = sorted({*outcome.currencies, *actual.currencies})
    return {
        "it": change(outcome.it, actual.it),
        "facility": change(outcome.facility, actual.facility),
        "cost": [
            {
                "currency": currency,
                "total": change(outcome.total(currency), actual.total(currency)),
            }
            for currency in currencies
        ],
        "location": change(outcome.location, actual.location),
    }


def change(new: Quantity | None, old: Quantity | None) -> Json | None:
    """How much more than it was, and as a share of that; None where either is not known."""
    if new is None or old is None or new.unit != old.unit:
        return None
    value = new.value - old.value
    shown = _text(value) if _is_money(new.unit) else float(value)
    return {"value": shown, "share": float(value / old.value) if old.value else None}


def _hours(hours: Hours, actual: Outcome) -> Json:
    search = hours.search
    return {
        "label": hours.case.place,
        "from": instant(search.window.from_us),
        "to": instant(search.window.to_us),
        "cheapest": [
            _cheapest(hours, currency, start, actual) for currency, start in search.cheapest.items()
        ],
        "cleanest": _cleanest(hours, search.cleanest, actual),
        "marginal": _marginal(hours, search.marginal),
        "hours": [_start(one, search.energy_mj) for one in search.starts],
        "notices": of_hours(hours),
    }


def _cheapest(hours: Hours, currency: str, start: Start | None, actual: Outcome) -> Json:
    total = hours.outcomes[start.at_us].total(currency) if start else None
    if start is None or total is None:
        return {"currency": currency, "start": None}
    return {
        "currency": currency,
        "start": instant(start.at_us),
        "amount": _money(total),
        "difference": change(total, actual.total(currency)),
    }


def _cleanest(hours: Hours, start: Start | None, actual: Outcome) -> Json | None:
    if start is None:
        return None
    outcome = hours.outcomes[start.at_us]
    return {
        "start": instant(start.at_us),
        "amount": _quantity(outcome.location),
        "difference": change(outcome.location, actual.location),
        "hourly_share": start.hourly / start.slots,
    }


def _marginal(hours: Hours, start: Start | None) -> Json | None:
    """By marginal intensity: a mean over the run's energy, of no total."""
    if start is None:
        return None
    return {
        "start": instant(start.at_us),
        "mean_g_per_kwh": mean_marginal(start, hours.search.energy_mj),
    }


def mean_marginal(start: Start, energy_mj: int) -> float | None:
    """Marginal intensity of a start, weighted by the run's energy, in g/kWh."""
    if start.marginal is None or not energy_mj:
        return None
    return float(start.marginal * _MEAN / energy_mj)


def _start(start: Start, energy_mj: int) -> Json:
    return {
        "start": instant(start.at_us),
        "cost": start.cost
        and {currency: _text(_exact(amount)) for currency, amount in start.cost.items()},
        "carbon": None if start.carbon is None else float(_exact(start.carbon)),
        "marginal": mean_marginal(start, energy_mj),
        "hourly_share": start.hourly / start.slots if start.slots else 0.0,
    }


def _exact(amount: int) -> Decimal:
    return (amount * _FEMTO_NANO).quantize(_NINE)


def _factors(comparison: Comparison) -> Iterable[Factor]:
    found = comparison.found
    outcomes = [found.actual.outcome, *(case.outcome for case in found.cases)]
    outcomes += [one for hours in found.hours for one in hours.outcomes.values()]
    used = {factor.id: factor for outcome in outcomes for factor in outcome.factors}
    if gpu := comparison.ask.gpu:
        models = [gpu.model, *gpu.old.values()]
        used.update((factor.id, factor) for model in models for factor in model.factors)
    return [used[one] for one in sorted(used)]


def _factor(factor: Factor) -> Json:
    values = [factor.value, factor.low, factor.high]
    value, low, high = (
        None if one is None else (_text(one) if factor.currency else float(one)) for one in values
    )
    return {
        "id": factor.id,
        "kind": factor.kind.value,
        "scope": factor.scope,
        "value": value,
        "low": low,
        "high": high,
        "unit": factor.unit,
        "method": factor.method.value,
        "source": factor.source,
        "source_date": factor.source_date,
        "licence": factor.licence,
    }


def _is_money(unit: str) -> bool:
    return unit not in {"J", "g"}


def _quantity(quantity: Quantity | None) -> Json | None:
    if quantity is None:
        return None
    return {
        "value": float(quantity.value),
        "low": float(quantity.low),
        "high": float(quantity.high),
        "unit": quantity.unit,
        "method": quantity.method.value,
    }


def _money(quantity: Quantity) -> Json:
    return {
        "value": _text(quantity.value),
        "low": _text(quantity.low),
        "high": _text(quantity.high),
        "unit": quantity.unit,
        "method": quantity.method.value,
    }


def _text(amount: Decimal) -> str:
    """A decimal string with nine places at most, and two at least."""
    whole, _, places = f"{amount:f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"
