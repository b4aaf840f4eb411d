"""Which of what was told of hosted work is news: looked up by the one writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.ledger import hosted_rows as rows
from meter.ledger.texts import load
from meter.model import Outcome
from meter.usage_entries import entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

    from meter.hosted_facts import UsageEntry
    from meter.ledger.rows import Row
    from meter.model import LedgerBatch


def sorted_usage(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch]
) -> tuple[list[tuple[Outcome, ...]], list[UsageEntry]]:
    """What becomes of each batch's events, and those that are news, each once."""
    told = [(*entries(batch.usages), *batch.entries) for batch in batches]
    known = _known(con, [event.key for events in told for event in events])
    news: list[UsageEntry] = []
    written: list[tuple[Outcome, ...]] = []
    for events in told:
        outcomes = []
        for event in events:
            key, sha256, _ = event
            before = known.get(key)
            if before is None:
                known[key] = sha256
                news.append(event)
                outcomes.append(Outcome.STORED)
            else:
                same = before == sha256
                outcomes.append(Outcome.DUPLICATE if same else Outcome.CONFLICT)
        written.append(tuple(outcomes))
    return written, news


def sorted_charges(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch], seq: int, recorded: datetime
) -> tuple[list[tuple[Outcome, ...]], list[Row]]:
    """What becomes of each batch's charges, and the rows of those that say something new."""
    if not any(batch.charges for batch in batches):
        return [()] * len(batches), []
    news = _News(_newest(con, "recovery/charges"))
    written = [
        tuple(
            news.take((one.source, one.id), sha256, rows.charge(one, sha256, seq, recorded))
            for one in batch.charges
            for sha256 in (rows.charge_sha256(one),)
        )
        for batch in batches
    ]
    return written, news.rows()


def new_jobs(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch], seq: int, recorded: datetime
) -> list[Row]:
    """Rows of jobs that say something else than the newest of their id."""
    jobs = [one for batch in batches for one in batch.jobs]
    if not jobs:
        return []
    news = _News(_newest(con, "recovery/hosted_jobs"))
    for one in jobs:
        sha256 = rows.job_sha256(one.job)
        news.take((one.job.provider, one.job.id), sha256, rows.job(one, sha256, seq, recorded))
    return news.rows()


class _News:
    """The last word of one commit on each id: two of one commit could not be told apart later."""

    def __init__(self, known: dict[tuple[str, str], str]) -> None:
        self._before = known
        self._said: dict[tuple[str, str], tuple[str, Row]] = {}

    def take(self, key: tuple[str, str], sha256: str, row: Row) -> Outcome:
        """Note what was said of an id; what becomes of it."""
        said = self._said.get(key)
        last = self._before.get(key) if said is None else said[0]
        if last == sha256:
            return Outcome.DUPLICATE
        self._said[key] = sha256, row
        return Outcome.STORED if last is None else Outcome.CORRECTED

    def rows(self) -> list[Row]:
        """What is to be written."""
        return [row for key, (sha256, row) in self._said.items() if self._before.get(key) != sha256]


def _newest(con: duckdb.DuckDBPyConnection, name: str) -> dict[tuple[str, str], str]:
    return {(row[0], row[1]): row[2] for row in con.execute(load(name).sql).fetchall()}


def _known(con: duckdb.DuckDBPyConnection, keys: Iterable[str]) -> dict[str, str]:
    """Hashes of the events that the ledger has of these keys."""
    asked = list(dict.fromkeys(keys))
    if not asked:
        return {}
    found = con.execute(load("recovery/usage_events").sql, {"keys": ",".join(asked)}).fetchall()
    return dict(found)
