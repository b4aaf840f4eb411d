"""Usage as it is listed: by project, model and meter, with its cost."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter import missing_prices
from meter.instants import parse_us
from meter.ledger.reports import run_list
from meter.side_by_side import Sides, table
from meter.usage_flags import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.ledger.reader import Reader

_Key = tuple[str | None, ...]
_SAME = ("project", "provider", "model", "meter", "region", "service_tier")
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
    flags: defaultdict[_Key, list[dict[str, Any]]] = defaultdict(list)
    for row in reader.rows("report/usage_flags", project=asked.get("project"), **span):
        flags[_key(row)].append(row)
    lacking = _missing(reader, found, project=asked.get("project"), **span)
    return [
        {**_row(row, counted(flags.pop(_key(row), ()))), "missing_prices": missing}
        for row, missing in zip(found, missing_prices.of_usage(found, lacking), strict=True)
    ]


def costs(reader: Reader, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """Runs, own and hosted, side by side, the newest first; ``asked``: limit, project."""
    limit = int(asked.get("limit", "20"))
    return sides(reader, reader.newest_us(), limit=limit, project=asked.get("project"))


def sides(
    reader: Reader,
    as_of_us: int,
    *,
    limit: int = MOST,
    project: str | None = None,
    span: Mapping[str, int] | None = None,
    only: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Runs side by side as known at an instant: those that started in a span, or some alone."""
    known = {"as_of": as_of_us}
    runs = [
        row
        for run_id in (only or (None,))
        for row in run_list(
            reader, limit=limit, project=project, only_run=run_id, **known, **(span or {})
        )
    ]
    if not runs:
        return []
    narrowed: list[dict[str, Any]] = [{"only_run": run_id, **known} for run_id in only] or [known]

    def rows(name: str) -> list[dict[str, Any]]:
        return [row for params in narrowed for row in reader.rows(name, **params)]

    return table(
        Sides(
            runs=runs,
            totals=rows("totals/by_run"),
            tokens=reader.rows("report/run_tokens", **known),
            bases=rows("report/run_bases"),
            requests=reader.rows("report/tuned_requests", **known),
            unpriced=rows("report/run_unpriced"),
            jobs=reader.rows("report/job_words", **known),
        )
    )


def _missing(
    reader: Reader, found: Sequence[Mapping[str, Any]], **narrowed: object
) -> list[dict[str, Any]]:
    """Prices that are missing; asked for only where any are."""
    lacks = any(row["unpriced"] and row["quantity"] is not None for row in found)
    return reader.rows("report/missing_prices", **narrowed) if lacks else []


def _key(row: Mapping[str, Any]) -> _Key:
    return tuple(row[name] for name in _SAME)


def _row(row: Mapping[str, Any], flags: Mapping[str, int]) -> dict[str, Any]:
    """A row as it is listed; of two currencies the first one has the flags."""
    shown = {name: _plain(value) for name, value in row.items()}
    ids = sorted(row["price_ids"].split(",")) if row["price_ids"] else []
    return {**shown, "price_ids": ids, "flags": dict(sorted(flags.items()))}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}Z"
    if not isinstance(value, Decimal):
        return value
    return int(value) if value.as_tuple().exponent == 0 else f"{value.normalize():f}"
