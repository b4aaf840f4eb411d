"""Usage as a table, with its cost and what its output tokens are estimated to have used."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter import figures
from meter.cli import output
from meter.cli.factor_packages import how_to
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

_SHOWN = 5
_OUTPUT = "output"
_KEY = ("project", "provider", "model", "region", "service_tier")


def table(found: Sequence[Row], energy: Sequence[Row]) -> str:
    """Rows of usage; with a column of energy where there is any estimate."""
    heads = ["PROJECT", "MODEL", "METER", "QUANTITY", "COST"]
    rows = [_cells(row) for row in found]
    if energy:
        waiting = {_key(one): one for one in energy}
        heads.append("kWh (modelled)")
        for row, cells in zip(found, rows, strict=True):  # once where two currencies make two rows
            one = waiting.pop(_key(row), None) if row["meter"] == _OUTPUT else None
            cells.append("" if one is None else _kwh(one))
    right = tuple(range(3, len(heads)))
    return output.table(tuple(heads), rows, right=right, wrap=1)


def notices(found: Sequence[Row], energy: Sequence[Row]) -> Iterator[str]:
    """Why there is no energy of some usage, or of all of it; and what is not in the rest."""
    if not any(row["meter"] == _OUTPUT for row in found):
        return
    if not energy:
        yield f"no energy of output tokens is estimated yet: {how_to()}"
        return
    missing = dict.fromkeys(one["reason"] for one in energy if one["high_j"] is None)
    for reason in list(missing)[:_SHOWN]:
        yield f"kWh: {figures.printable(reason, 300)}"
    if len(missing) > _SHOWN:
        yield f"kWh: no number of {len(missing) - _SHOWN:,} more; --json lists all"
    if len(missing) < len(energy):
        yield "kWh count output tokens only: modelled, facility included, in no sum"


def _cells(row: Row) -> list[str]:
    return [
        figures.printable(row["project"], 14),
        figures.printable(_model(row), 300),
        row["meter"],
        "unknown" if row["quantity"] is None else f"{Decimal(row['quantity']):,f}",
        "no price"
        if row["amount"] is None
        else f"{figures.money(row['amount'])} {row['currency']}",
    ]


def _kwh(one: Row) -> str:
    if one["high_j"] is None:
        return "not known"
    low, high = (figures.number(one[end] / J_PER_KWH, 3) for end in ("low_j", "high_j"))
    return low if low == high else f"{low} to {high}"


def _key(row: Row) -> tuple[str | None, ...]:
    return tuple(row[name] for name in _KEY)


def _model(row: Row) -> str:
    """Who sold what, and where and how if that is told: prices depend on it."""
    beside = ", ".join(row[name] for name in ("region", "service_tier") if row[name])
    return f"{row['provider']} {row['model']}" + (f" ({beside})" if beside else "")
