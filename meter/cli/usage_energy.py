"""Usage as a table, with its cost and what it is estimated to have used."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter import figures, side_told
from meter.cli import output
from meter.cli.factor_packages import how_to
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, Any]

_SHOWN = 5
_OUTPUT = "output"
_GPU_TIME = "gpu_second"
_KEY = ("project", "provider", "model", "region", "service_tier")
_GPU_KEY = _KEY[:4]
_UNNAMED = (
    "GPUs of {} are not named: `meter report --project P --from D --to D` has the band of those"
    " that were usual"
)


@dataclass(frozen=True, slots=True)
class Energy:
    """Estimates beside usage: of output tokens, and of GPU time of no job."""

    inference: Sequence[Row] = ()
    gpu_time: Sequence[Row] = ()


def table(found: Sequence[Row], energy: Energy) -> str:
    """Rows of usage; with a column of energy where there is any estimate."""
    heads = ["PROJECT", "MODEL", "METER", "QUANTITY", "COST"]
    rows = [_cells(row) for row in found]
    if energy.inference or _has(found, _GPU_TIME):
        heads.append("kWh (modelled)")
        for cells, told in zip(rows, _column(found, energy), strict=True):
            cells.append(told)
    right = tuple(range(3, len(heads)))
    if any(row.get("flags") for row in found):
        heads.append("FLAGS")
        for row, cells in zip(found, rows, strict=True):
            cells.append(", ".join(f"{name} {n:,}" for name, n in row.get("flags", {}).items()))
    wrap = (1, len(heads) - 1) if heads[-1] == "FLAGS" else 1
    return output.table(tuple(heads), rows, right=right, wrap=wrap)


def _has(found: Sequence[Row], meter: str) -> bool:
    return any(row["meter"] == meter for row in found)


def _column(found: Sequence[Row], energy: Energy) -> Iterator[str]:
    """A cell of energy for each row of usage; once where two currencies make two rows."""
    waiting = {_key(one): one for one in energy.inference}
    spent: dict[tuple[str | None, ...], list[Row]] = {}
    for one in energy.gpu_time:
        spent.setdefault(_key(one, _GPU_KEY), []).append(one)
    for row in found:
        if row["meter"] == _OUTPUT:
            told = waiting.pop(_key(row), None)
            yield "" if told is None else _kwh([told])
        elif row["meter"] == _GPU_TIME:
            yield _kwh(spent.pop(_key(row, _GPU_KEY), ()))
        else:
            yield ""


def notices(found: Sequence[Row], energy: Energy) -> Iterator[str]:
    """Why there is no energy of some usage, or of all of it; and what is not in the rest."""
    if _has(found, _GPU_TIME):
        yield from _missing([_reason(one) for one in energy.gpu_time if not _known(one)])
        yield (
            "kWh of GPU time: the boards' power with their servers and the facility, modelled, in"
            " no sum; GPU time of a job is in its run: `meter runs --costs`"
        )
    if not _has(found, _OUTPUT):
        return
    if not energy.inference:
        yield f"no energy of output tokens is estimated yet: {how_to()}"
        return
    missing = [one["reason"] for one in energy.inference if not _known(one)]
    yield from _missing(missing)
    if len(missing) < len(energy.inference):
        yield "kWh count output tokens only: modelled, facility included, in no sum"


def _missing(reasons: Sequence[str]) -> Iterator[str]:
    """Each reason once, of many the first."""
    each = list(dict.fromkeys(reasons))
    for reason in each[:_SHOWN]:
        yield f"kWh: {figures.printable(reason, 300)}"
    if len(each) > _SHOWN:
        yield f"kWh: no number of {len(each) - _SHOWN:,} more; --json lists all"


def _reason(one: Row) -> str:
    """Why GPU time has no number here."""
    if one["high_j"] is None:
        return str(one["reason"])
    return _UNNAMED.format(f"{one['provider']} {one['model']}")


def _known(one: Row) -> bool:
    """Whether an estimate is shown: of GPU time only where somebody named the GPUs."""
    return one["high_j"] is not None and one.get("gpus", "") is not None


def _cells(row: Row) -> list[str]:
    return [
        figures.printable(row["project"], 14),
        figures.printable(_model(row), 300),
        row["meter"],
        "unknown" if row["quantity"] is None else f"{Decimal(row['quantity']):,f}",
        _cost(row),
    ]


def _cost(row: Row) -> str:
    """Money with its bounds where they differ; of a price that depends on what nobody told."""
    if row["amount"] is None:
        return "no price"
    return side_told.amount({**row, "value": row["amount"]})


def _kwh(found: Sequence[Row]) -> str:
    """From low to high of estimates together; empty where there is none."""
    if not all(map(_known, found)):
        return "not known"
    ends = (sum(one[end] for one in found) / J_PER_KWH for end in ("low_j", "high_j"))
    low, high = (figures.number(end, 3) for end in ends)
    return "" if not found else low if low == high else f"{low} to {high}"


def _key(row: Row, names: tuple[str, ...] = _KEY) -> tuple[str | None, ...]:
    return tuple(row[name] for name in names)


def _model(row: Row) -> str:
    """Who sold what, and where and how if that is told: prices depend on it."""
    beside = ", ".join(row[name] for name in ("region", "service_tier") if row[name])
    return f"{row['provider']} {row['model']}" + (f" ({beside})" if beside else "")
