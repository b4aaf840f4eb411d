"""Own and hosted runs side by side: tokens, money, energy and carbon with bounds; pure.

Energy and carbon are of one basis: what the facility adds is in both or, where no PUE is known, in
neither, and each row says which.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.figures import only_bound
from meter.model import Method
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, Any]
    Parts = tuple[Decimal, Decimal, Decimal]

OWN_GPUS = "own GPUs"
"""Where what is no provider's job ran."""
FACILITY, IT, IN_PART = "facility", "it", "facility in part"
"""What energy and carbon of a row are of; the last where some hours have a PUE."""

_ENERGY = frozenset({"energy", "energy_overhead"})
_LOCATION = frozenset({"location", "location_overhead"})
_TRAINING = frozenset({"electricity", "electricity_overhead", "gpu_time", "api_training"})
_NANO = -9
_MILLION = 1_000_000
_KWH_OF_MJ = Decimal(1) / (1_000 * J_PER_KWH)
_ZERO = {"value": 0.0, "low": 0.0, "high": 0.0}
_NONE = (Decimal(0), Decimal(0), Decimal(0))
_SUMMED = "requests to its model are told in sums: how many there were is not known"
_NOTHING_COMMON = "its training and requests to its model are not priced in one currency"


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows of the report queries that the table stands on."""

    runs: Sequence[Row]
    totals: Iterable[Row]  # of every line, by run, kind and currency
    tokens: Iterable[Row]
    bases: Iterable[Row] = ()
    requests: Iterable[Row] = ()  # to the models that jobs made
    unpriced: Iterable[Row] = ()
    jobs: Iterable[Row] = ()  # what providers told of those that were jobs


def table(sides: Sides) -> list[dict[str, Any]]:
    """A row for each run, in the given order; decimals are strings, what is not known is None.

    ``money`` is by currency, never added up over currencies; carbon is location-based. ``billed``
    is what a provider says that a job costs: it is in no sum, and no part of ``money``.
    """
    totals, requests = _by_run(sides.totals), _by_run(sides.requests)
    tokens, bases = _one_by_run(sides.tokens), _one_by_run(sides.bases)
    unpriced, jobs = _one_by_run(sides.unpriced), _one_by_run(sides.jobs)
    return [
        {
            **_row(run, totals[run["run_id"]], tokens.get(run["run_id"], {})),
            "energy_basis": _basis(bases.get(run["run_id"])),
            "billed": _billed(jobs.get(run["run_id"])),
            "unpriced": int(unpriced.get(run["run_id"], {}).get("event_count", 0)),
            **_break_even(
                tokens.get(run["run_id"], {}), totals[run["run_id"]], requests[run["run_id"]]
            ),
        }
        for run in sides.runs
    ]


def _by_run(rows: Iterable[Row]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["run_id"] is not None:
            found[row["run_id"]].append(row)
    return found


def _one_by_run(rows: Iterable[Row]) -> dict[str, Row]:
    return {row["run_id"]: row for row in rows}


def _row(run: Row, totals: Sequence[Row], told: Row) -> dict[str, Any]:
    tokens = told.get("tokens")
    energy = _band(totals, _ENERGY, _KWH_OF_MJ)
    return {
        **run,
        "where": told.get("provider") or OWN_GPUS,
        "base_model": told.get("base_model"),
        "tuned_model": told.get("tuned_model"),
        "trained_tokens": None if tokens is None else int(tokens),
        "money": [_money(each, parts) for each, parts in _by_currency(totals)],
        "energy_kwh": energy,
        "energy_method": _method(totals, _ENERGY),
        "only_bound": bool(told.get("provider")) and only_bound(
            {"unit": "J", "method": run.get("method"), **(energy or _ZERO)}
        ),
        "carbon_g": _band(totals, _LOCATION, Decimal(1).scaleb(_NANO)),
        "carbon_method": _method(totals, _LOCATION),
        "per_million_tokens": [
            _per_million(each, parts, tokens) for each, parts in _by_currency(totals, _TRAINING)
        ] if tokens else [],
    }  # fmt: skip


def _billed(job: Row | None) -> dict[str, str] | None:
    told = None if job is None else json.loads(job["detail"])["billed"]
    return told and {"currency": told["currency"], "value": told["amount"]}


def _basis(row: Row | None) -> str | None:
    if row is None or not row["lines"]:
        return None
    if row["with_pue"] == row["lines"]:
        return FACILITY
    return IN_PART if row["with_pue"] else IT


def _by_currency(
    totals: Sequence[Row], kinds: frozenset[str] | None = None
) -> list[tuple[str, Parts]]:
    """Money of some kinds of lines, None is all, by currency."""
    money: dict[str, Parts] = {}
    for row in totals:
        if row["currency"] is not None and (kinds is None or row["kind"] in kinds):
            value, low, high = money.get(row["currency"], _NONE)
            money[row["currency"]] = (
                value + row["amount"].scaleb(_NANO),
                low + row["low"].scaleb(_NANO),
                high + row["high"].scaleb(_NANO),
            )
    return sorted(money.items())


def _money(currency: str, parts: Parts) -> dict[str, str]:
    value, low, high = (f"{part:.9f}".rstrip("0").rstrip(".") for part in parts)
    return {"currency": currency, "value": value, "low": low, "high": high}


def _per_million(currency: str, parts: Parts, tokens: Decimal) -> dict[str, str]:
    value, low, high = (f"{part * _MILLION / tokens:.6f}" for part in parts)
    return {"currency": currency, "value": value, "low": low, "high": high}


def _band(totals: Sequence[Row], kinds: frozenset[str], factor: Decimal) -> dict[str, float] | None:
    rows = [row for row in totals if row["kind"] in kinds]
    if not rows:
        return None
    names = {"value": "amount", "low": "low", "high": "high"}
    return {name: float(sum(row[part] for row in rows) * factor) for name, part in names.items()}


def _method(totals: Sequence[Row], kinds: frozenset[str]) -> str | None:
    """The weakest of all that is in a sum, facility and grid too; None where there is none."""
    found = [Method(row["method"]) for row in totals if row["kind"] in kinds]
    return str(Method.weakest(found)) if found else None


def _break_even(told: Row, totals: Sequence[Row], requests: Sequence[Row]) -> dict[str, Any]:
    """How many requests to the model cost as much as its training, or what is missing for that."""
    training = dict(_by_currency(totals, frozenset({"api_training"})))
    missing = _missing(told, training, requests)
    if missing:
        return {"break_even": [], "break_even_missing": missing}
    found = [
        {
            "currency": row["currency"],
            "requests": int(row["requests"]),
            "cost": f"{row['amount'].normalize():f}",
            "break_even_requests": float(
                training[row["currency"]][0] * row["requests"] / row["amount"]
            ),
        }
        for row in requests
        if row["currency"] in training and row["requests"] and row["amount"]
    ]
    return {"break_even": found, "break_even_missing": None if found else _NOTHING_COMMON}


def _missing(told: Row, training: Mapping[str, Parts], requests: Sequence[Row]) -> str | None:
    """Why nobody can say when a training has paid off; None where it can be said."""
    if told.get("provider") is None:
        return "requests to a model of own GPUs have no price"
    if not told.get("tuned_model"):
        return "it made no model"
    if not training:
        return "its training has no price"
    if not any(row["requests"] for row in requests):
        return "no requests to its model are told"
    if any(row.get("is_summed") for row in requests):
        return _SUMMED
    if any(row["currency"] is None for row in requests):
        return "requests to its model have no price"
    return None
