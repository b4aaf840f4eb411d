"""Prices that usage lacks, as rows of a sheet of prices: all but what they cost; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.figures import printable
from meter.hosted_facts import TOKEN_METERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    Row = Mapping[str, Any]

COLUMNS = (
    "provider", "model", "meter", "per", "currency", "value", "region", "service_tier", "training",
    "adapter", "valid_from", "valid_to", "source", "source_date", "licence",
)  # fmt: skip
"""Columns of a row to add; those that the ledger cannot know are to be filled in."""
TO_FILL = "?"
"""Stands where a cell is to be filled in; no import takes it for a number or a currency."""
LISTED_BY = "meter usage list --unpriced"
"""The command that prints the rows."""

_FILLED = frozenset({"currency", "value", "source", "source_date", "licence"})
_CHARS = 300
_MILLION = 1_000_000
_QUARTER_MIN = 15  # prices begin and end on quarter hours


def missing_prices(found: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows that ``report/missing_prices`` misses, each once; None is any, of ``valid_to`` never.

    A row begins where the first usage lacks it, and ends where another price of it begins: so it
    changes nothing that has a price.
    """
    return merged(_row(one) for one in found)


def sheet(rows: Iterable[Row]) -> list[str]:
    """Lines of a sheet of prices: the heads, and the rows with ``?`` where to fill in."""
    return [",".join(COLUMNS), *(",".join(_cells(row)) for row in rows)]


def named(row: Row) -> str:
    """A row in words: what of whom, how narrowly, and since when."""
    words = (("service_tier", "tier"), ("region", "region"), ("training", "training"),
             ("adapter", "adapter"))  # fmt: skip
    narrow = [f"{word} {row[name]}" for name, word in words if row[name]]
    until = [f"until {row['valid_to']}"] if row["valid_to"] else []
    said = ", ".join([*narrow, f"from {row['valid_from']}", *until])
    return f"{row['meter']} of {row['provider']} {row['model']} ({said})"


def of_usage(rows: Sequence[Row], found: Iterable[Row]) -> list[list[dict[str, Any]]]:
    """The prices that each row of usage lacks: of its payer, model, meter, region and tier."""
    same = ("project", "provider", "model", "meter", "region", "service_tier")
    lacking: dict[tuple[Any, ...], list[Row]] = {}
    for one in found:
        lacking.setdefault(tuple(one[name] for name in same), []).append(one)
    return [
        missing_prices(lacking.get(tuple(row[name] for name in same), ()))
        if row["unpriced"]
        else []
        for row in rows
    ]


def merged(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows of several usages, each once and from the earliest instant on."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(value for name, value in row.items() if name != "valid_from")
        known = found.setdefault(key, dict(row))
        known["valid_from"] = min(known["valid_from"], row["valid_from"])
    return list(found.values())


def _row(one: Row) -> dict[str, Any]:
    return {
        "provider": one["provider"],
        "model": one["priced_as"],
        "meter": one["meter"],
        "per": _MILLION if one["meter"] in TOKEN_METERS else 1,
        "region": one["region"],
        "service_tier": one["service_tier"],
        "training": one["training"],
        "adapter": one["adapter"],
        "valid_from": _instant(_quarter(one["first_at"])),
        "valid_to": None if one["until"] is None else _instant(one["until"]),
    }


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % _QUARTER_MIN, second=0, microsecond=0)


def _instant(at: datetime) -> str:
    return f"{at.isoformat(timespec='minutes')}Z"


def _cells(row: Row) -> list[str]:
    return [TO_FILL if name in _FILLED else _cell(row.get(name)) for name in COLUMNS]


def _cell(value: object) -> str:
    text = "" if value is None else printable(value, _CHARS)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if set(text) & {",", '"'} else text
