"""Own and hosted runs side by side: tokens, money, energy and carbon with bounds; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, Any]

OWN_GPUS = "own GPUs"
"""Where what is no provider's job ran."""
_LOCATION = frozenset({"location", "location_overhead"})
_NANO = -9
_MILLION = 1_000_000
_KWH_OF_MJ = Decimal(1) / (1_000 * J_PER_KWH)


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows of the report queries that the table stands on."""

    runs: Sequence[Row]
    totals: Iterable[Row]  # of every line, by run, kind and currency
    tokens: Iterable[Row]


def table(sides: Sides) -> list[dict[str, Any]]:
    """A row for each run, in the given order; decimals are strings, what is not known is None.

    ``money`` is by currency, never added up over currencies; carbon is location-based.
    """
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sides.totals:
        if row["run_id"] is not None:
            found[row["run_id"]].append(row)
    tokens = {row["run_id"]: row for row in sides.tokens}
    return [_row(run, found[run["run_id"]], tokens.get(run["run_id"], {})) for run in sides.runs]


def _row(run: Row, totals: Sequence[Row], told: Row) -> dict[str, Any]:
    money = _by_currency(totals)
    tokens = told.get("tokens")
    return {
        **run,
        "where": told.get("provider") or OWN_GPUS,
        "base_model": told.get("base_model"),
        "trained_tokens": None if tokens is None else int(tokens),
        "money": [_money(currency, parts) for currency, parts in sorted(money.items())],
        "energy_kwh": _band(totals, {"energy"}, _KWH_OF_MJ),
        "carbon_g": _band(totals, _LOCATION, Decimal(1).scaleb(_NANO)),
        "per_million_tokens": [
            {"currency": currency, "value": f"{parts[0] * _MILLION / tokens:.6f}"}
            for currency, parts in sorted(money.items())
        ] if tokens else [],
    }  # fmt: skip


def _by_currency(totals: Sequence[Row]) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    money: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
    for row in totals:
        if row["currency"] is not None:
            before = money.get(row["currency"], (Decimal(0),) * 3)
            parts = (row["amount"], row["low"], row["high"])
            value, low, high = (
                one + part.scaleb(_NANO) for one, part in zip(before, parts, strict=True)
            )
            money[row["currency"]] = value, low, high
    return money


def _money(currency: str, parts: tuple[Decimal, Decimal, Decimal]) -> dict[str, str]:
    value, low, high = (f"{part:.9f}".rstrip("0").rstrip(".") for part in parts)
    return {"currency": currency, "value": value, "low": low, "high": high}


def _band(
    totals: Sequence[Row], kinds: frozenset[str] | set[str], factor: Decimal
) -> dict[str, float] | None:
    rows = [row for row in totals if row["kind"] in kinds]
    if not rows:
        return None
    names = {"value": "amount", "low": "low", "high": "high"}
    return {name: float(sum(row[part] for row in rows) * factor) for name, part in names.items()}
