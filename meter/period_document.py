"""The document ``meter.period/1``: runs side by side, and hosted energy that is of no run; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.document_notices import said
from meter.model import Method
from meter.side_by_side import IN_PART, IT, OWN_GPUS
from meter.side_told import not_known
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

SCHEMA = "meter.period/1"
OWN, HOSTED = "own", "hosted"
_ENDS = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a document is of, in the words of who asked; None is all."""

    runs: tuple[str, ...] = ()
    project: str | None = None
    from_: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class PeriodRows:
    """What a document is made of."""

    runs: Sequence[Row]  # of ``side_by_side.table``
    gpu_time: Sequence[Row]  # estimates of GPU time that is of no run
    inference: Sequence[Row]  # estimates of requests
    left: int = 0  # runs that are more than one document takes


def period_document(asked: Asked, rows: PeriodRows, as_of: str) -> dict[str, Any]:
    """The document of some runs, or of a project or a period; energy in J, carbon in g.

    Own and hosted runs are summed apart: what was measured and what was modelled is never added.
    """
    return {
        "schema": SCHEMA,
        "period": {
            "from": asked.from_, "to": asked.to, "project": asked.project,
            "runs": list(asked.runs),
        },
        "runs": [dict(row) for row in rows.runs],
        "sums": [
            _sum(side, found)
            for side in (OWN, HOSTED)
            if (found := [row for row in rows.runs if side_of(row) == side])
        ],
        "hosted_gpu_time": [dict(row) for row in rows.gpu_time],
        "inference": [dict(row) for row in rows.inference],
        "as_of": as_of,
        "notices": list(_notices(rows)),
        "simulated": any(row["simulated"] for row in rows.runs),
    }  # fmt: skip


def side_of(row: Row) -> str:
    """Whether a row is of own GPUs or of a provider."""
    return OWN if row["where"] == OWN_GPUS else HOSTED


def _sum(side: str, rows: Sequence[Row]) -> dict[str, Any]:
    tokens = [row["trained_tokens"] for row in rows if row["trained_tokens"] is not None]
    return {
        "side": side,
        "runs": len(rows),
        "trained_tokens": sum(tokens) if tokens else None,
        "tokens_of_runs": len(tokens),
        "cost": _costs(rows),
        "energy": _quantity(rows, "energy_kwh", J_PER_KWH, "J", "energy_method"),
        "carbon": _quantity(rows, "carbon_g", 1, "g", "carbon_method"),
    }


def _costs(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Money by currency; currencies are never added."""
    found: dict[str, list[Decimal]] = {}
    for row in rows:
        for one in row["money"]:
            before = found.get(one["currency"], [Decimal(0)] * len(_ENDS))
            found[one["currency"]] = [
                was + Decimal(one[end]) for was, end in zip(before, _ENDS, strict=True)
            ]
    return [
        {"currency": currency, **{end: f"{part:f}" for end, part in zip(_ENDS, parts, strict=True)}}
        for currency, parts in sorted(found.items())
    ]


def _quantity(
    rows: Sequence[Row], name: str, factor: float, unit: str, method: str
) -> dict[str, Any] | None:
    """The sum of a band of rows; its method is the weakest of theirs."""
    known = [row for row in rows if row[name] is not None]
    if not known:
        return None
    return {
        **{end: sum(row[name][end] for row in known) * factor for end in _ENDS},
        "unit": unit,
        "method": str(Method.weakest(Method(row[method]) for row in known)),
    }


def _notices(rows: PeriodRows) -> Iterator[dict[str, Any]]:
    if rows.left:
        yield said(
            "runs_left_out", "warning", f"{rows.left} older runs are left out: ask for less."
        )
    if any(row["status"] == "running" for row in rows.runs):
        yield said("still_running", "info", "Some runs go on: their figures are those so far.")
    if any(row["energy_basis"] in {IT, IN_PART} for row in rows.runs):
        text = (
            "Some runs have no PUE: their energy and carbon are without the facility, as they say."
        )
        yield said("no_facility", "warning", text)
    if any(row["only_bound"] for row in rows.runs):
        text = (
            "Of some hosted runs only an upper bound of the energy is known. In sums the middle "
            "between nothing and the bound stands in for it; low and high hold."
        )
        yield said("hosted_bound", "warning", text)
    unknown = sum(1 for row in rows.runs if not_known(row))
    if unknown:
        text = (
            f"The energy of {unknown} hosted that ended is not known: it is not zero, in no sum. "
            "`meter show RUN` says what an estimate needs."
        )
        yield said("hosted_unknown", "warning", text)
    if any(row["unpriced"] for row in rows.runs):
        text = "Some usage has no price, and is in no sum: `meter usage list --unpriced` names it."
        yield said("usage_unpriced", "warning", text)
    if any(side_of(row) == HOSTED for row in rows.runs):
        text = (
            "The energy of hosted runs is modelled, never measured; own and hosted are not added."
        )
        yield said("hosted_modelled", "info", text)
    if rows.gpu_time:
        text = (
            "GPU time that a provider told as usage of no job is estimated apart and is in no sum: "
            "it may be of jobs that are listed too."
        )
        yield said("gpu_time_modelled", "info", text)
    if rows.inference:
        text = "The energy of requests is modelled from output tokens alone, and is in no sum."
        yield said("inference_modelled", "info", text)
