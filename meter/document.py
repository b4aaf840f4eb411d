"""The run document ``meter.run/1``: rows of the report queries, nested; pure.

Nothing is computed here that a query could: the rows are rounded and in the document's units.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.document_notices import own_notices
from meter.figures import only_bound
from meter.model import Component, Method
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from decimal import Decimal

SCHEMA = "meter.run/1"
Row = Mapping[str, Any]
Quantity = dict[str, Any]

_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class RunRows:
    """What the report queries say about a run; see ``queries/report/``."""

    run: Row
    energy: Sequence[Row]  # per component, and of all without one
    devices: Sequence[Row]
    facility: Row
    amounts: Sequence[Row]  # money, carbon, water: per kind, and of a basis without a kind
    factors: Sequence[Row]
    yardsticks: Sequence[Row]
    holds: Sequence[Row]
    unattributed: Row
    notices: Sequence[Row]
    excluded: Sequence[Row]  # instruments that do not count
    as_of: datetime
    until: datetime  # the run's end, or the instant that is known of
    currency: str | None = None  # that all money is wanted in
    converted: Sequence[Row] = ()  # money in it, per currency and exchange rate
    exchange: Sequence[Row] = ()  # those rates
    links: Sequence[Row] = ()  # ids that others gave the run

    def of_kind(self, kind: str) -> int:
        """How many energy lines have a line of this kind."""
        return sum(row["lines"] for row in self.amounts if row["kind"] == kind)


def assemble(rows: RunRows) -> dict[str, Any]:
    """The document of a run; numbers are JSON numbers, money is decimal strings."""
    total = next((row for row in rows.energy if row["component"] is None), None)
    it = _energy(total)
    facility = _facility(rows.facility)
    yardstick = rows.yardsticks[0] if rows.yardsticks else None
    document = {
        "schema": SCHEMA,
        "run": _run(rows),
        "energy": {
            "it": it,
            "facility": facility,
            "by_component": _components(rows.energy),
            "devices": [_device(row, rows) for row in rows.devices],
            "measured_share": _share(total, "measured_j", "energy_j"),
            "unattributed_share": _share(rows.unattributed, "unattributed_mj", "total_mj"),
        },
        "cost": [_cost(row) for row in rows.amounts if row["basis"] == "cost" and row["kind"]],
        "carbon": _carbon(rows.amounts),
        "water": _water(rows.amounts),
        "as_of": _instant(rows.as_of),
        "usage": [],
        "prices": [],
        "coverage": _coverage(rows.devices, rows),
        "per": {},
        "factors": [_factor(row) for row in [*rows.factors, *rows.exchange, *rows.yardsticks[:1]]],
        "equivalents": _equivalents(facility or it, yardstick, rows.energy),
        "notices": [*own_notices(rows), *(_notice(row) for row in rows.notices)],
        "simulated": bool(rows.run["simulated"] or (total and total["simulated"])),
    }
    if rows.currency is not None:
        document["cost_in"] = _cost_in(rows.currency, rows.converted)
    return document


def _run(rows: RunRows) -> dict[str, Any]:
    run = rows.run
    told = {
        "id": run["run_id"],
        "name": run["name"],
        "project": run["project"],
        "tags": json.loads(run["tags"]),
        "status": run["status"],
        "started_at": _instant(run["started_at"]),
        "ended_at": _instant(run["ended_at"]),
        "duration_s": max(0.0, _seconds(rows.until - run["started_at"])),
        "exit_code": run["exit_code"],
        "nodes": [run["node_id"]],
    }
    if rows.links:
        told["links"] = [_link(row) for row in rows.links]
    return told


def _link(row: Row) -> dict[str, Any]:
    return {
        "source": row["source"],
        "id": row["foreign_id"],
        "recorded_at": _instant(row["recorded_at"]),
    }


def _energy(row: Row | None) -> Quantity:
    """Energy of a row; without one nothing was metered, and that this is zero is assumed."""
    if row is None or row["energy_j"] is None:
        return _quantity(0, 0, 0, "J", Method.ASSUMED)
    return _quantity(row["energy_j"], row["low_j"], row["high_j"], "J", row["method"])


def _components(rows: Sequence[Row]) -> dict[str, Quantity]:
    found = {row["component"]: row for row in rows if row["component"] is not None}
    return {component.value: _energy(found.get(component.value)) for component in Component}


def _device(row: Row, rows: RunRows) -> dict[str, Any]:
    return {
        "id": row["device_id"],
        "component": row["component"],
        "name": row["name"],
        "energy": _energy(row),
        "coverage": _coverage([row], rows),
        "method": row["method"],
        "simulated": row["simulated"],
    }


def _facility(row: Row) -> Quantity | None:
    """Only where every hour has a PUE: part of a facility would look like all of it."""
    if not row["lines"] or row["with_pue"] < row["lines"]:
        return None
    return _energy(row)


def _cost(row: Row) -> dict[str, Any]:
    amount = {
        "value": money_text(row["amount"]),
        "low": money_text(row["low"]),
        "high": money_text(row["high"]),
        "unit": row["currency"],
        "method": row["method"],
    }
    return {"kind": row["kind"], "currency": row["currency"], "amount": amount}


def _cost_in(currency: str, rows: Sequence[Row]) -> dict[str, Any] | None:
    """All money in one currency, by dated rates; None where a rate is missing, or any money."""
    if not rows or any(row["amount"] is None for row in rows):
        return None
    parts = {part: sum(row[part] for row in rows) for part in ("amount", "low", "high")}
    amount = {
        "value": money_text(parts["amount"]),
        "low": money_text(parts["low"]),
        "high": money_text(parts["high"]),
        "unit": currency,
        "method": str(Method.weakest(Method(row["method"]) for row in rows)),
    }
    rates = sorted({row["factor_id"] for row in rows} - {None})
    return {"currency": currency, "amount": amount, "rates": rates}


def _carbon(rows: Sequence[Row]) -> dict[str, Quantity | None]:
    """Each basis apart: location and market are two views of the same energy."""
    found = {(row["basis"], row["kind"]): _grams(row) for row in rows if row["basis"] != "cost"}
    return {
        "location": found.get(("location", None)),
        "market": found.get(("market", None)),
        "overhead": found.get(("location", "location_overhead")),
        "tnd": found.get(("tnd", None)),
        "embodied": found.get(("embodied", None)),
        "embodied_board": found.get(("embodied", "embodied_board")),
        "embodied_server": found.get(("embodied", "embodied_server")),
        "market_default": _market_default(rows),
    }


def _market_default(rows: Sequence[Row]) -> Quantity | None:
    """The part of the market-based total that no instrument covers."""
    parts = [row for row in rows if str(row["kind"]).startswith("market_default")]
    if not parts:
        return None
    grams, low, high = (sum(row[part] for row in parts) for part in ("amount", "low", "high"))
    method = Method.weakest(Method(row["method"]) for row in parts)
    return _quantity(grams, low, high, "g", method)


def _water(rows: Sequence[Row]) -> Quantity | None:
    for row in rows:
        if row["kind"] == "water":
            return _quantity(row["amount"], row["low"], row["high"], "L", row["method"])
    return None


def _grams(row: Row) -> Quantity:
    return _quantity(row["amount"], row["low"], row["high"], "g", row["method"])


def _equivalents(
    energy: Quantity, yardstick: Row | None, parts: Sequence[Row]
) -> list[dict[str, Any]]:
    hosted = {row["component"] for row in parts} <= {None, Component.HOSTED}
    if yardstick is None or (hosted and only_bound(energy)):  # a bound is worth no comparison
        return []
    days = energy["value"] / J_PER_KWH / float(yardstick["amount"])
    return [{"kind": "household_days", "value": days, "factor": yardstick["id"]}]


def _factor(row: Row) -> dict[str, Any]:
    number = money_text if row["currency"] else float
    return {
        "id": row["id"],
        "kind": row["kind"],
        "scope": row["scope"],
        "value": number(row["amount"]),
        "low": number(row["low"]),
        "high": number(row["high"]),
        "unit": row["unit"],
        "method": row["method"],
        "source": row["source"],
        "source_date": row["source_date"],
        "licence": row["licence"],
        "valid_from": _instant(row["valid_from"]),
        "valid_to": _instant(row["valid_to"]),
        "recorded_at": _instant(row["recorded_at"]),
        "basis": row["basis"],
        "book": row["book"],
        "item": row["item"],
        "share": None if row["share"] is None else float(row["share"]),
    }


def _notice(row: Row) -> dict[str, Any]:
    return {
        "code": row["code"],
        "severity": row["severity"],
        "text": row["message"],
        "device": row["device_id"],
        "at": _instant(row["first_at"]),
        "times": row["times"],
    }


def _coverage(devices: Sequence[Row], rows: RunRows) -> float:
    """Known time of devices over the time they were held, 0 to 1; 0 of nothing."""
    held_us = {row["device_id"]: _held_us(row) for row in rows.holds}
    covered = sum(int(row["covered_us"]) for row in devices)
    known = {row["device_id"]: int(row["duration_us"]) for row in devices}
    expected = sum(max(us, held_us.get(device, 0)) for device, us in known.items())
    if len(devices) == len(rows.devices):  # of the run: a device never seen counts too
        expected += sum(us for device, us in held_us.items() if device not in known)
    return min(1.0, covered / expected) if expected else 0.0


def _held_us(row: Row) -> int:
    return 0 if row["open"] else int(row["held_ns"]) // _NS_PER_US


def _share(row: Row | None, part: str, whole: str) -> float:
    if row is None or not row[whole]:
        return 0.0
    return float(min(1, max(0, row[part] / row[whole])))


def _quantity(
    value: float | Decimal, low: float | Decimal, high: float | Decimal, unit: str, method: str
) -> Quantity:
    return {
        "value": float(value),
        "low": float(low),
        "high": float(high),
        "unit": unit,
        "method": str(method),
    }


def money_text(amount: Decimal) -> str:
    """A decimal string with nine places at most, and two at least."""
    text = f"{amount:f}"
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def _instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the µs."""
    return None if at is None else f"{at.isoformat(timespec='microseconds')}Z"


def _seconds(span: timedelta) -> float:
    return span.total_seconds()
