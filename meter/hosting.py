"""Hosting and the ledger: hours of models by day, beside the days on which they were asked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.hosted.serving import Deployed, serves
from meter.idle import Hosting
from meter.ledger.instants import micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.ledger.reader import Reader

_Days = tuple[list[int], list[int]]  # of what was asked for sure, and maybe; in their order


def hostings_of(reader: Reader, asked: Mapping[str, Any]) -> list[Hosting]:
    """Hosting of each day and model of a span, with the nearest days on which it served."""
    rows = reader.rows("report/hosting_days", only_run=None, **asked)
    if not rows:
        return []
    as_of_us = asked["as_of"]
    deployed: dict[tuple[str, str], list[Deployed]] = defaultdict(list)
    for row in reader.rows("report/hosted_models", as_of=as_of_us):
        deployed[row["provider"], row["model"]].append(Deployed(**row))
    days: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for provider, model, day in reader.plain("report/asked_days", as_of=as_of_us):
        days[provider][model].append(micros(day))
    served = {
        key: _days_of(deployed[key], days[key[0]], {of for at, of in deployed if at == key[0]})
        for key in {(row["provider"], row["model"]) for row in rows}
    }
    return [_hosting(row, served[row["provider"], row["model"]]) for row in rows]


def _days_of(
    deployed: Sequence[Deployed], asked: Mapping[str, list[int]], hosted: set[str]
) -> _Days:
    """Days on which a model was asked by any of its deployments, for sure and maybe."""
    surely: set[int] = set()
    maybe: set[int] = set()
    for name, days in asked.items():
        answers = {serves(one, name, hosted) for one in deployed}
        if True in answers:
            surely.update(days)
        elif None in answers:
            maybe.update(days)
    return sorted(surely), sorted(maybe)


def _hosting(row: Mapping[str, Any], served: _Days) -> Hosting:
    day_us = micros(row["day"])
    surely, maybe = served
    return Hosting(
        day_us, row["provider"], row["project"], row["model"],
        row["quantity"] or Decimal(0), int(row["event_count"]), row["currency"], row["amount"],
        *_nearest(surely, day_us), *_nearest(maybe, day_us),
    )  # fmt: skip


def _nearest(days: Sequence[int], day_us: int) -> tuple[int | None, int | None]:
    """The last day until a day, and the first from it on."""
    before, after = bisect_right(days, day_us), bisect_left(days, day_us)
    return days[before - 1] if before else None, days[after] if after < len(days) else None
