"""The data files of facts that come with meter: rows with bounds, source, date and licence."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from meter.model import Method

if TYPE_CHECKING:
    from collections.abc import Iterable

EMBODIED = "embodied"
GPUS = "gpus"
HOSTED = "hosted"
PRESETS = "presets"

_NOT_A_BOARD = re.compile(r"\b(laptop|mobile|max-q)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of a data file; ``item`` None is any."""

    kind: str
    item: str | None
    value: Decimal
    low: Decimal
    high: Decimal
    unit: str
    method: Method
    source: str
    source_date: str
    licence: str
    detail: str | None


@cache
def sheet(name: str) -> tuple[Fact, ...]:
    """All rows of a data file, in its order."""
    path = Path(__file__).parent / "data" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(_fact(row) for row in csv.DictReader(file))


def _fact(row: dict[str, str]) -> Fact:
    return Fact(
        kind=row["kind"],
        item=row["item"] or None,
        value=Decimal(row["value"]),
        low=Decimal(row["low"]),
        high=Decimal(row["high"]),
        unit=row["unit"],
        method=Method(row["method"]),
        source=row["source"],
        source_date=row["source_date"],
        licence=row["licence"],
        detail=row["detail"] or None,
    )


def of_device(facts: Iterable[Fact], name: str) -> Fact | None:
    """The fact about a device of this name: whose item names it longest, else one about any.

    An item is whole words of the name: ``A10`` is no A100, ``H100 PCIe`` goes before ``H100``.
    """
    fitting = [fact for fact in facts if fact.item is None or _names(fact.item, name)]
    return max(fitting, key=lambda fact: len(fact.item or ""), default=None)


def _names(item: str, name: str) -> bool:
    if _NOT_A_BOARD.search(name):  # these run at other limits than the board of that name
        return False
    found = rf"(?<![A-Za-z0-9]){re.escape(item)}(?![A-Za-z0-9])"
    return re.search(found, name, re.IGNORECASE) is not None
