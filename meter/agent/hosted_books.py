"""Energy of hosted jobs in the live counters: of each job once, as it was first estimated.

A corrected estimate shows in reports. What was booked is known by the number of the newest commit
that was looked at, as with usage.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.agent.booking import EMISSIONS, ENERGY, key_of
from meter.model import Component

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.agent.booking import Books, Key
    from meter.ledger.reader import Reader

BOOKED_SEQ = key_of("meter_hosted_booked_seq")
"""Counter that is kept and not shown: number of the commit up to which jobs are booked."""
KINDS = {"location": "hosted", "location_overhead": "hosted_overhead"}
"""Kinds of emissions by kinds of lines: none of them is of own GPUs."""

_MILLI, _NANO = -3, -9
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HostedSum:
    """What a job is estimated to have used: IT energy, and carbon by kind of line."""

    project: str
    method: str
    joules: Decimal
    grams: tuple[tuple[str, Decimal], ...]


def hosted_after(reader: Reader, since_seq: int | None, as_of: object) -> list[HostedSum]:
    """Jobs whose energy came with commits after one, as known at an instant."""
    runs = reader.rows("report/hosted_to_book", since_seq=since_seq, as_of=as_of)
    if not runs:
        return []
    span = {
        "from": min(run["first_hour"] for run in runs),
        "to": max(run["last_hour"] for run in runs) + _HOUR,
        "only_run": runs[0]["run_id"] if len(runs) == 1 else None,
    }
    totals: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in reader.rows("totals/by_run", as_of=as_of, **span):
        if row["run_id"] is not None and row["currency"] is None:
            totals[row["run_id"]][row["kind"]] = row["amount"]
    return [_sum(run, totals[run["run_id"]]) for run in runs]


def _sum(run: Mapping[str, Any], totals: Mapping[str, Decimal]) -> HostedSum:
    return HostedSum(
        project=run["project"],
        method=run["method"],
        joules=totals.get("energy", Decimal(0)).scaleb(_MILLI),
        grams=tuple(
            (kind, totals[line].scaleb(_NANO)) for line, kind in KINDS.items() if line in totals
        ),
    )


class HostedBooks:
    """Books jobs into the counters; for the metering thread."""

    def __init__(self, books: Books) -> None:
        self._books = books

    @property
    def seq(self) -> int | None:
        """Number of the newest commit whose jobs are booked; None: none ever was."""
        found = self._books.total(BOOKED_SEQ)
        return None if found is None else int(found)

    def announce(self, sums: Iterable[HostedSum]) -> bool:
        """Show at zero what these will raise and is not shown yet; whether there was any."""
        new = [key for key in self._amounts(sums) if self._books.total(key) is None]
        for key in new:
            self._books.add(key, Decimal(0))
        return bool(new)

    def book(self, sums: Sequence[HostedSum], seq: int) -> None:
        """Add jobs that came with commits up to ``seq``, and after those booked before."""
        for key, amount in self._amounts(sums).items():
            self._books.add(key, amount)
        self._books.add(BOOKED_SEQ, Decimal(seq - (self.seq or 0)))

    def _amounts(self, sums: Iterable[HostedSum]) -> dict[Key, Decimal]:
        found: defaultdict[Key, Decimal] = defaultdict(Decimal)
        for one in sums:
            project = self._books.named(one.project)
            labels = {"component": Component.HOSTED.value, "method": one.method}
            found[key_of(ENERGY, project=project, **labels)] += one.joules
            for kind, grams in one.grams:
                found[key_of(EMISSIONS, project=project, kind=kind, basis="location")] += grams
        return found
