"""Usage as it is listed: by project, model and meter, with its cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.instants import parse_us
from meter.ledger.reports import run_list
from meter.side_by_side import Sides, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.ledger.reader import Reader

MOST = 100_000
"""Most rows of one list."""


def listed(reader: Reader, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of usage, the dearest first; ``asked`` as in a query of /v1/usage: from, to, project.

    Whole UTC hours count. Raises UsageError for an instant that is none.
    """
    span = {
        name: parse_us(asked[word], word)
        for name, word in (("from_", "from"), ("to", "to"))
        if asked.get(word)
    }
    found = reader.rows("report/usage", project=asked.get("project"), limit=MOST, **span)
    return [{name: _plain(value) for name, value in row.items()} for row in found]


def costs(reader: Reader, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """Runs, own and hosted, side by side, the newest first; ``asked``: limit, project."""
    limit = int(asked.get("limit", "20"))
    sides = Sides(
        runs=run_list(reader, limit=limit, project=asked.get("project")),
        totals=reader.rows("totals/by_run"),
        tokens=reader.rows("report/run_tokens"),
    )
    return table(sides)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}Z"
    if not isinstance(value, Decimal):
        return value
    return int(value) if value.as_tuple().exponent == 0 else f"{value.normalize():f}"
