"""What a run document says of hosted work: the job, its usage, the prices behind it; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter import missing_prices, usage_flags
from meter.document_notices import said
from meter.figures import has_energy, printable
from meter.grade import grade
from meter.hosted_facts import NO_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    Row = Mapping[str, Any]

_MILLION = 1_000_000
_TOLD = ("epochs", "steps", "parameters_b", "error_code", "name")
_SHOWN = 5
_WORD_CHARS = 60
_OF_OWN_GPUS = frozenset({"no_energy", "no_tariff", "no_zone"})
_PENDING = "The job goes on: its energy is estimated once it has ended, and is not known yet."
_UNKNOWN = (
    "The energy of this job is not known: it is not zero, and in no sum.{why} Add what is missing"
    " (its base model's row model_parameters, or its GPUs' rows gpu_power and server_ratio, by"
    " `meter factors import`; tokens and times by its provider's word), then give the job again to"
    " `meter jobs import`, or `meter jobs sync --again DAYS`."
)
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
    flags: Sequence[Row] = ()  # of the run's events of usage
    lacking: Sequence[Row] | None = None  # prices; None where nobody can say which
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
    known = any(row["booked"] for row in rows.estimates) and has_energy(document)
    if rows.jobs:
        document["hosted"] = {
            **_job(rows.jobs[0]),
            "estimates": [_estimate(row) for row in rows.estimates],
            "cost_per_million_trained_tokens": _per_million(document, rows.usage),
            "break_even": _break_even(document, rows.requests),
        }
        if not known:  # a zero that is no figure
            document["equivalents"] = []
    others = document["notices"]
    if rows.jobs:  # where it ran and what its electricity cost is the provider's business
        others = [one for one in others if one["code"] not in _OF_OWN_GPUS]
        if any(one["code"] == "no_zone" for one in document["notices"]):
            others.append(said("no_zone", "warning", _NO_ZONE))
        if document["run"]["status"] == "running":
            others.append(said("hosted_pending", "info", _PENDING))
        elif not known:
            others.append(said("hosted_unknown", "warning", _unknown(rows.estimates)))
    document["notices"] = [*others, *_notices(rows)]


def _unknown(estimates: Sequence[Row]) -> str:
    """Why the energy of a job that has ended is not known, and what to add."""
    why = " ".join(row["reason"] for row in estimates if row["tier"] == NO_NUMBER)
    return _UNKNOWN.format(why=f" {why}" if why else "")


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
    """How many requests to the tuned model cost as much as its training, by currency.

    Of requests that are told in sums nobody knows how many there were: then there is none.
    """
    if _are_summed(requests):
        return []
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


def _are_summed(requests: Sequence[Row]) -> bool:
    return any(row.get("is_summed") for row in requests)  # rows of earlier texts do not say it


def _notices(rows: HostedRows) -> Iterator[dict[str, Any]]:
    unpriced = [row for row in rows.usage if row["unpriced"] and row["quantity"] is not None]
    if unpriced:
        yield said("usage_unpriced", "warning", _unpriced(unpriced, rows.lacking))
    if any(row["quantity"] is None for row in rows.usage) and not _told_later(rows):
        text = "The provider did not say how much some requests used: they are in no sum."
        yield said("usage_unknown", "warning", text)
    for flag, count in sorted(usage_flags.counted(rows.flags).items()):
        if flag != usage_flags.USAGE_UNKNOWN:
            severity, text = usage_flags.told(flag, count)
            yield said(f"usage_{usage_flags.kind(flag)}", severity, text)
    for row in rows.jobs[:1]:
        yield from _job_notices(row)
    if any(row["booked"] and row["mid_mj"] is None for row in rows.estimates):
        text = (
            "Only an upper bound of the energy is known. The value is the middle between nothing "
            "and that bound: it stands in for the range, is called assumed, and is no estimate."
        )
        yield said("hosted_bound", "warning", text)
    if any(row["tier"] != NO_NUMBER for row in rows.estimates):
        text = (
            "The energy of hosted work is modelled, never measured: `hosted.estimates` has each "
            "tier of evidence beside the others."
        )
        yield said("hosted_modelled", "info", text)
    if _are_summed(rows.requests):
        text = (
            "Requests to the tuned model are told in sums (a provider's own count of tokens, or "
            "counters of telemetry): how many there were is not known, and no break-even."
        )
        yield said("requests_summed", "info", text)
    if rows.inference:
        text = (
            "The energy of requests to models is modelled from output tokens alone, never "
            "measured: it stands in `inference`, and is in no sum."
        )
        yield said("inference_modelled", "info", text)


def _told_later(rows: HostedRows) -> bool:
    """Whether what is unknown is only the job's usage, which its provider has told since."""
    unknown = [row for row in rows.usage if row["quantity"] is None]
    told = any(row["meter"] == "train_token" for row in rows.usage)
    return bool(rows.jobs) and told and [int(row["event_count"]) for row in unknown] == [1]


def _job_notices(row: Row) -> Iterator[dict[str, Any]]:
    """What was odd in the provider's words on the job."""
    detail = json.loads(row["detail"])
    if "unknown_status" in detail["flags"]:
        word = printable(str(detail["provider_status"]), _WORD_CHARS)
        text = (
            f'The provider calls the job "{word}", a status that is not known here: it counts as'
            " running, and its usage and energy are not booked yet. Look at the provider's own"
            " page; a later version of meter may know the word."
        )
        yield said("unknown_status", "warning", text)
    if "times_out_of_order" in detail["flags"]:
        text = (
            "The provider's times of the job contradict each other, such as an end before the"
            " start: what could not be is left out, so its duration is less sure."
        )
        yield said("times_out_of_order", "warning", text)


def _unpriced(usage: Sequence[Row], lacking: Sequence[Row] | None) -> str:
    """What has no price, and how to add it; of statements of before less is known."""
    if lacking is None:
        names = [f"{row['meter']} of {row['provider']} {row['model']}" for row in usage]
        add = "Add a row to a sheet and give it to `meter prices import`"
    else:
        names = [missing_prices.named(row) for row in missing_prices.missing_prices(lacking)]
        add = f"`{missing_prices.LISTED_BY}` has the rows to fill in and to import"
    some = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"No price is known of {some}{more}: the money lacks them. {add}; what was used is priced"
        " then."
    )


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else f"{at.isoformat(timespec='microseconds')}Z"
