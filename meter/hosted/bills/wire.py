"""Charges as they are sent to an agent and read from a request; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from meter.faults import Fault
from meter.hosted.bills.charges import charges_of
from meter.hosted.bills.rows import BillError, BillRow
from meter.hosted.models import base_model
from meter.instants import instant

if TYPE_CHECKING:
    from meter.hosted_facts import Charge, Usage


def charge_of(told: object, now_us: int) -> Charge:
    """The charge that a JSON object states. Raises BillError with each fault."""
    if not isinstance(told, dict):
        raise BillError([Fault("is no JSON object")])
    faults: list[Fault] = []
    cells: dict[str, str] = {}
    for name, value in told.items():
        cell = _cell(value)
        if cell is None and value is not None:
            faults.append(Fault("must be text or a number", column=_name(name)))
        elif cell:
            cells[_name(name)] = cell
    if faults:
        raise BillError(faults)
    (charge,) = charges_of([BillRow(cells)], now_us)
    return charge


def _name(name: str) -> str:
    """A field's name as it may be told: it could be anybody's text."""
    return name if name.isidentifier() and len(name) <= 40 else "?"


def _cell(value: object) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | Decimal) else None


def charge_json(charge: Charge) -> dict[str, str]:
    """A charge as ``POST /v1/charges`` takes it."""
    told = {
        "source": charge.source,
        "id": charge.id,
        "provider": charge.provider,
        "start": instant(charge.start_us),
        "end": instant(charge.end_us),
        "amount": f"{charge.amount:f}",
        "currency": charge.currency,
        "line_item": charge.line_item,
        "project": charge.project,
        "model": charge.model,
        "job": charge.job_id,
        "quantity": None if charge.quantity is None else f"{charge.quantity:f}",
        "unit": charge.unit,
        "flags": " ".join(charge.flags) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def usage_json(usage: Usage) -> dict[str, object]:
    """Usage of one meter as ``POST /v1/usage`` takes it: all of it that its price depends on."""
    (one,) = usage.quantities
    of_model = base_model(usage.model)  # what the agent concludes by itself
    told = {
        "source": usage.source,
        "id": usage.id,
        "at": instant(usage.at_us),
        "provider": usage.provider,
        "model": usage.model,
        "meter": one.meter.value,
        "quantity": None if one.amount is None else f"{one.amount:f}",
        "project": usage.project,
        "run": usage.run_id,
        "region": usage.region,
        "service_tier": usage.service_tier,
        "base_model": None if usage.base_model == of_model else usage.base_model,
        "context_tokens": usage.context_tokens,
        "training": usage.training,
        "adapter": usage.adapter,
        "parameters_b": None if usage.parameters_b is None else f"{usage.parameters_b:f}",
        "flags": list(usage.flags) or None,
        "told": dict(usage.told) or None,
    }
    return {name: value for name, value in told.items() if value is not None}
