"""What a run document says of hosted work: the job, its usage, the prices behind it; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.document_notices import said
from meter.grade import grade

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    Row = Mapping[str, Any]

_MILLION = 1_000_000
_TOLD = ("epochs", "steps", "parameters_b", "error_code", "name")
_SHOWN = 5
_OF_OWN_GPUS = frozenset({"no_energy", "no_tariff", "no_zone"})
_NO_ZONE = (
    "The provider does not say where it trained, or no grid is known for that region: carbon is the"
    " world's range of grids."
)


@dataclass(frozen=True, slots=True)
class HostedRows:
    """What the report queries say about a run's hosted work."""

    usage: Sequence[Row] = ()
    prices: Sequence[Row] = ()
    jobs: Sequence[Row] = ()
    requests: Sequence[Row] = ()  # to the model that the job made
    estimates: Sequence[Row] = ()
    inference: Sequence[Row] = ()  # estimates of the energy of the run's own requests


def with_hosted(document: dict[str, Any], rows: HostedRows) -> None:
    """Add usage, prices and the job; only a hosted run has the key ``hosted``.

    Only one whose requests' energy is estimated has the key ``inference``.
    """
    document["usage"] = [_usage(row) for row in rows.usage]
    document["prices"] = [_price(row) for row in rows.prices]
    if rows.inference:
        document["inference"] = [
            {name: value for name, value in row.items() if name != "project"}
            for row in rows.inference
        ]
    if rows.jobs:
        document["hosted"] = {
            **_job(rows.jobs[0]),
            "estimates": [_estimate(row) for row in rows.estimates],
            "cost_per_million_trained_tokens": _per_million(document, rows.usage),
            "break_even": _break_even(document, rows.requests),
        }
    others = document["notices"]
    if rows.jobs:  # where it ran and what its electricity cost is the provider's business
        others = [one for one in others if one["code"] not in _OF_OWN_GPUS]
        if any(one["code"] == "no_zone" for one in document["notices"]):
            others.append(said("no_zone", "warning", _NO_ZONE))
    document["notices"] = [*others, *_notices(rows)]


def trained_tokens(usage: Sequence[Row]) -> Decimal | None:
    """Tokens that the provider counts as trained, epochs included; None if it tells none."""
    told = [row["quantity"] for row in usage if row["meter"] == "train_token"]
    return sum(told, Decimal(0)) if told and None not in told else None


def _usage(row: Row) -> dict[str, Any]:
    unknown = row["quantity"] is None
    return {
        "provider": row["provider"],
        "model": row["model"],
        "meter": row["meter"],
        "quantity": "unknown" if unknown else _number(row["quantity"]),
        "region": row["region"],
        "service_tier": row["service_tier"],
        "events": int(row["event_count"]),
        "unpriced": int(row["unpriced"]),
    }


def _price(row: Row) -> dict[str, Any]:
    money = {"value": row["amount"], "low": row["low"], "high": row["high"]}
    instants = ("valid_from", "valid_to", "recorded_at")
    same = (
        "id", "provider", "model", "meter", "per", "currency", "region", "service_tier", "source",
        "source_date", "licence", "detail", "book",
    )  # fmt: skip
    return {
        **{name: row[name] for name in same},
        **{name: f"{value.normalize():f}" for name, value in money.items()},
        **{name: _instant(row[name]) for name in instants},
    }


def _job(row: Row) -> dict[str, Any]:
    detail = json.loads(row["detail"])
    same = ("provider", "job_id", "status", "base_model", "tuned_model", "training", "adapter",
            "region")  # fmt: skip
    told = {name: detail.get(name) for name in _TOLD}
    return {
        **{name: row[name] for name in same},
        "provider_status": detail["provider_status"],
        "created_at": _instant(row["created_at"]),
        "started_at": _instant(row["started_at"]),
        "ended_at": _instant(row["ended_at"]),
        **{name: value for name, value in told.items() if value is not None},
        "checkpoints": [one["name"] for one in detail["checkpoints"]],
        "billed": detail["billed"],
        "flags": detail["flags"],
        "told": dict(detail["told"]),
    }


def _estimate(row: Row) -> dict[str, Any]:
    mid = row["mid_mj"]
    return {
        "tier": row["tier"],
        "low_j": row["low_mj"] / 1_000,
        "mid_j": None if mid is None else mid / 1_000,
        "high_j": row["high_mj"] / 1_000,
        "boamps_quality": grade(row["low_mj"], mid, row["high_mj"]),
        "booked": row["booked"],
        "reason": row["reason"],
        "inputs": json.loads(row["inputs"]),
        "factors": json.loads(row["factor_ids"]),
    }


def _per_million(document: Mapping[str, Any], usage: Sequence[Row]) -> list[dict[str, str]]:
    """What training cost for a million trained tokens, by currency."""
    tokens = trained_tokens(usage)
    if not tokens:
        return []
    return [
        {
            "currency": cost["currency"],
            "value": f"{Decimal(cost['amount']['value']) * _MILLION / tokens:.6f}",
        }
        for cost in document["cost"]
        if cost["kind"] == "api_training"
    ]


def _break_even(document: Mapping[str, Any], requests: Sequence[Row]) -> list[dict[str, Any]]:
    """How many requests to the tuned model cost as much as its training, by currency."""
    training = {
        cost["currency"]: Decimal(cost["amount"]["value"])
        for cost in document["cost"]
        if cost["kind"] == "api_training"
    }
    return [
        {
            "currency": row["currency"],
            "requests": int(row["requests"]),
            "cost": f"{row['amount'].normalize():f}",
            "break_even_requests": float(
                training[row["currency"]] * row["requests"] / row["amount"]
            ),
        }
        for row in requests
        if row["currency"] in training and row["requests"] and row["amount"]
    ]


def _notices(rows: HostedRows) -> Iterator[dict[str, Any]]:
    missing = [row for row in rows.usage if row["unpriced"] and row["quantity"] is not None]
    if missing:
        some = ", ".join(_named(row) for row in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        text = (
            f"No price is known of {some}{more}: the money lacks them. Add a row to a sheet and "
            "give it to `meter prices import`; what was used is priced then."
        )
        yield said("usage_unpriced", "warning", text)
    if any(row["quantity"] is None for row in rows.usage):
        text = "The provider did not say how much some requests used: they are in no sum."
        yield said("usage_unknown", "warning", text)
    if any(row["booked"] and row["mid_mj"] is None for row in rows.estimates):
        text = "Only an upper bound of the energy is known: it stands for the energy."
        yield said("hosted_bound", "warning", text)
    if rows.estimates:
        text = (
            "The energy of hosted work is modelled, never measured: `hosted.estimates` has each "
            "tier of evidence beside the others."
        )
        yield said("hosted_modelled", "info", text)
    if rows.inference:
        text = (
            "The energy of requests to models is modelled from output tokens alone, never "
            "measured: it stands in `inference`, and is in no sum."
        )
        yield said("inference_modelled", "info", text)


def _named(row: Row) -> str:
    return f"{row['meter']} of {row['provider']} {row['model']}"


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else f"{at.isoformat(timespec='microseconds')}Z"
