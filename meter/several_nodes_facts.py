"""Factors and prices of several nodes' documents, each once; pure.

A fact that two ledgers hold has two ids: an id is made of all that a row says, also of when its
ledger learned it. In a sum it has the row, and so the id, of the ledger that learned it first.
"""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING, Any

from meter.instants import parse_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, Any]
    Document = Mapping[str, Any]

_OF_A_LEDGER = frozenset({"id", "recorded_at"})


def each_once(rows: Iterable[Row]) -> list[Row]:
    """Rows that say the same once, by id."""
    return sorted(_firsts(rows).values(), key=lambda row: (row["id"], _canonical(row)))


def ids_of(documents: Sequence[Document]) -> list[dict[str, str]]:
    """For each document the ids of its factors, and those that they have in the sum."""
    firsts = _firsts(row for document in documents for row in document["factors"])
    return [
        {row["id"]: firsts[_said(row)]["id"] for row in document["factors"]}
        for document in documents
    ]


def renamed(told: Document, ids: Mapping[str, str]) -> dict[str, Any]:
    """A document, or a part of a sum, that names factors by the ids of the sum."""
    made = dict(told)
    if told.get("cost_in"):
        made["cost_in"] = _with_ids(told["cost_in"], "rates", ids)
    if "inference" in told:
        made["inference"] = [_with_ids(row, "factors", ids) for row in told["inference"]]
    if "equivalents" in told:
        made["equivalents"] = [
            {**one, "factor": ids.get(one["factor"], one["factor"])} for one in told["equivalents"]
        ]
    return made


def _firsts(rows: Iterable[Row]) -> dict[str, Row]:
    """What is said, in the words of the ledger that learned it first."""
    last_first = sorted(rows, key=lambda row: (_learned_us(row), _canonical(row)), reverse=True)
    return {_said(row): row for row in last_first}


def _learned_us(row: Row) -> int:
    at = row.get("recorded_at")
    return parse_us(at) if at else 0


def _said(row: Row) -> str:
    return _canonical({name: value for name, value in row.items() if name not in _OF_A_LEDGER})


def _canonical(row: Row) -> str:
    return dumps(row, sort_keys=True)


def _with_ids(row: Row, name: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {**row, name: list(dict.fromkeys(ids.get(each, each) for each in row.get(name, ())))}
