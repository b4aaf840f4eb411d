"""What a run document says of marks: its steps, epochs and phases, each with its energy; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.document_notices import said
from meter.model import Method
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    Row = Mapping[str, Any]
    Quantity = dict[str, Any]


_COUNTED = ("step", "token")


@dataclass(frozen=True, slots=True)
class MarkRows:
    """What the report queries say about a run's marks."""

    counts: Sequence[Row]  # steps, tokens
    epochs: Sequence[Row]
    phases: Sequence[Row]
    returns: Row


def with_marks(document: dict[str, Any], rows: MarkRows) -> None:
    """Add what was marked; a run without marks has none of these keys."""
    it = document["energy"]["it"]
    counts = {row["counted"]: row for row in rows.counts if row["quantity"]}
    found = {name: _of_one(counts[name], it) for name in _COUNTED if name in counts}
    document["per"] = {**document["per"], **found}
    if "step" in counts:
        document["steps"] = _steps(counts["step"], it)
    if rows.epochs:
        document["epochs"] = [_epoch(row, it) for row in rows.epochs]
    if any(row["phase"] != "(none)" for row in rows.phases):
        document["phases"] = [_phase(row, it) for row in rows.phases]
    document["notices"] = [*document["notices"], *_went_back(rows)]


def _steps(row: Row, it: Quantity) -> dict[str, Any]:
    return {
        "count": int(row["quantity"]),
        "first": row["first_told"],
        "last": row["last_told"],
        "trainings": row["trainings"],
        "spans": row["spans"],
        "duration_s": row["span_us"] / US_PER_S,
        "energy": _energy(row, it),
        "median_j": float(row["median_j"]),
        "p95_j": float(row["p95_j"]),
    }


def _of_one(row: Row, it: Quantity) -> Quantity:
    energy = _energy(row, it)
    parts = {part: energy[part] / int(row["quantity"]) for part in ("value", "low", "high")}
    return {**energy, **parts}


def _went_back(rows: MarkRows) -> Iterator[dict[str, Any]]:
    """Say it where steps were told that had been told before: a count of them may surprise."""
    trainings = max(
        (row["trainings"] for row in rows.counts if row["counted"] == "step"), default=1
    )
    others, nameless = rows.returns["by_another"], rows.returns["nameless"]
    told = []
    if trainings > 1:
        told.append(f"{_times(trainings - 1)} in one process: {trainings} trainings are added up")
    if others:
        told.append(f"{_times(others)} in another process, as after a restart: they count once")
    if nameless:
        told.append(f"{_times(nameless)} in marks without a source: they count once")
    if told:
        yield said(
            "steps_went_back",
            "info",
            f"Steps went back {'; '.join(told)}.",
            times=trainings - 1 + others + nameless,
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _epoch(row: Row, it: Quantity) -> dict[str, Any]:
    energy = _energy(row, it)
    return {
        "training": row["training"],
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
