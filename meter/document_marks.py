"""What a run document says of marks: its steps, epochs and phases, each with its energy; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.model import Method
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    Row = Mapping[str, Any]
    Quantity = dict[str, Any]


def with_marks(
    document: dict[str, Any], steps: Row | None, epochs: Sequence[Row], phases: Sequence[Row]
) -> None:
    """Add what was marked; a run without marks has none of these keys."""
    it = document["energy"]["it"]
    if steps is not None and steps["spans"]:
        found = document["steps"] = _steps(steps, it)
        document["per"] = {**document["per"], "step": _of_one(found)}
    if epochs:
        document["epochs"] = [_epoch(row, it) for row in epochs]
    if any(row["phase"] != "(none)" for row in phases):
        document["phases"] = [_phase(row, it) for row in phases]


def _steps(row: Row, it: Quantity) -> dict[str, Any]:
    return {
        "count": row["last_step"] - row["first_step"],
        "first": row["first_step"],
        "last": row["last_step"],
        "spans": row["spans"],
        "duration_s": row["span_us"] / US_PER_S,
        "energy": _energy(row, it),
        "median_j": float(row["median_j"]),
        "p95_j": float(row["p95_j"]),
    }


def _of_one(steps: dict[str, Any]) -> Quantity:
    energy = steps["energy"]
    parts = {part: energy[part] / steps["count"] for part in ("value", "low", "high")}
    return {**energy, **parts}


def _epoch(row: Row, it: Quantity) -> dict[str, Any]:
    energy = _energy(row, it)
    return {
        "epoch": row["epoch"],
        "from": float(row["from_epoch"]),
        "to": float(row["to_epoch"]),
        "started_at": _instant(row["started_at"]),
        "ended_at": _instant(row["ended_at"]),
        "duration_s": max(0.0, (row["ended_at"] - row["started_at"]).total_seconds()),
        "energy": energy,
        "share": _share(energy, it),
    }


def _phase(row: Row, it: Quantity) -> dict[str, Any]:
    energy = _energy(row, it)
    return {
        "phase": row["phase"],
        "times": row["times"],
        "duration_s": row["span_us"] / US_PER_S,
        "energy": energy,
        "share": _share(energy, it),
    }


def _energy(row: Row, it: Quantity) -> Quantity:
    """Energy with its own bounds; with the run's, in proportion, where none were kept."""
    value = float(row["energy_j"])
    if row["low_j"] is not None and row["high_j"] is not None:
        low, high = float(row["low_j"]), float(row["high_j"])
    else:
        whole = it["value"] or 1.0
        low, high = value * it["low"] / whole, value * it["high"] / whole
    return {
        "value": value, "low": low, "high": high, "unit": "J", "method": str(Method(it["method"])),
    }  # fmt: skip


def _instant(at: datetime) -> str:
    return f"{at.isoformat(timespec='microseconds')}Z"


def _share(energy: Quantity, it: Quantity) -> float:
    return min(1.0, max(0.0, energy["value"] / it["value"])) if it["value"] else 0.0
