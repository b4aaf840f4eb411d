"""Rows of a ``meter.period/1`` document as cells, for each exporter of several runs; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter import figures, side_told
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]

HEADS = (
    "Run", "Where", "Evidence", "Trained tokens", "Money", "Per million tokens",
    "kWh, low to high", "gCO2e, low to high", "Break-even",
)  # fmt: skip
SUM_HEADS = (
    "Side", "Runs", "Evidence", "Trained tokens", "Money", "kWh, low to high", "gCO2e, low to high",
)  # fmt: skip
GPU_TIME_HEADS = (
    "Project", "Model", "GPUs", "GPU-hours", "kWh, low to high", "gCO2e, low to high",
    "What it stands on",
)  # fmt: skip
_S_PER_HOUR = 3_600


def title(document: Row) -> str:
    """What the document is of."""
    period = document["period"]
    if period["runs"]:
        return f"{len(document['runs'])} runs side by side"
    of = f"Runs of {period['project']}" if period["project"] else "Runs"
    since = f" from {period['from']}" if period["from"] else ""
    to = f" to {period['to']}" if period["to"] else ""
    return f"{of}{since}{to}, side by side"


def run_cells(row: Row) -> list[str]:
    """A run, as HEADS says."""
    return [
        str(row["name"] or row["run_id"]),
        str(row["where"]),
        evidence(row),
        side_told.tokens(row),
        side_told.money(row),
        side_told.per_million(row),
        side_told.energy(row),
        side_told.carbon(row),
        side_told.break_even(row),
    ]


def evidence(row: Row) -> str:
    """How the energy is known; - where none is."""
    if row["energy_kwh"] is None:
        return "-"
    if row["only_bound"]:
        return "upper bound"
    return figures.method(row["energy_method"], simulated=bool(row["simulated"]))


def sum_cells(one: Row) -> list[str]:
    """The sum of a side, as SUM_HEADS says."""
    tokens, runs = one["trained_tokens"], one["tokens_of_runs"]
    told = "-" if tokens is None else f"{tokens:,}"
    part = f" (of {runs} runs)" if tokens is not None and runs < one["runs"] else ""
    money = ", ".join(side_told.amount(each) for each in one["cost"]) or "-"
    return [
        "own GPUs" if one["side"] == "own" else "hosted",
        str(one["runs"]),
        one["energy"]["method"] if one["energy"] else "-",
        told + part,
        money,
        side_told.between(_scaled(one["energy"], J_PER_KWH)),
        side_told.between(_scaled(one["carbon"], 1)),
    ]


def gpu_time_cells(one: Row) -> list[str]:
    """An estimate of GPU time, as GPU_TIME_HEADS says."""
    known = one["high_j"] is not None
    joules = {"low": one["low_j"], "high": one["high_j"]} if known else None
    return [
        one["project"],
        f"{one['provider']} {one['model']}",
        one["gpus"] or "not told",
        figures.number(one["gpu_seconds"] / _S_PER_HOUR, 3),
        side_told.between(_scaled(joules, J_PER_KWH)),
        side_told.between(one["carbon"]),
        one["reason"],
    ]


def _scaled(band: Row | None, divisor: float) -> dict[str, float] | None:
    return None if band is None else {end: band[end] / divisor for end in ("low", "high")}
