"""Which of what was told of hosted work is news: looked up by the one writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.ledger import hosted_rows as rows
from meter.ledger.texts import load
from meter.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

    from meter.hosted_facts import Usage
    from meter.ledger.rows import Row
    from meter.model import LedgerBatch

Event = tuple["Usage", int, str]
"""An event, its key, and the hash of what it says."""


def sorted_usage(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch]
) -> tuple[list[tuple[Outcome, ...] | None], list[Event]]:
    """What becomes of each batch's events, and those that are news, each once."""
    told = [[_event(usage) for usage in batch.usages] for batch in batches]
    known = _known(con, [event[1] for events in told for event in events])
    news: list[Event] = []
    written: list[tuple[Outcome, ...] | None] = []
    for events in told:
        outcomes = []
        for event in events:
            _, key, sha256 = event
            before = known.get(key)
            if before is None:
                known[key] = sha256
                news.append(event)
                outcomes.append(Outcome.STORED)
            else:
                same = before == sha256
                outcomes.append(Outcome.DUPLICATE if same else Outcome.CONFLICT)
        written.append(tuple(outcomes) or None)
    return written, news


def news(
    con: duckdb.DuckDBPyConnection, batches: Sequence[LedgerBatch], seq: int, recorded: datetime
) -> dict[str, list[Row]]:
    """Rows of charges and jobs that say something else than the newest of their id."""
    charges = [one for batch in batches for one in batch.charges]
    jobs = [one for batch in batches for one in batch.jobs]
    found: dict[str, list[Row]] = {"charge": [], "hosted_job": []}
    if charges:
        known = _newest(con, "recovery/charges")
        for charge in charges:
            sha256 = rows.charge_sha256(charge)
            if _differs(known, (charge.source, charge.id), sha256):
                found["charge"].append(rows.charge(charge, sha256, seq, recorded))
    if jobs:
        known = _newest(con, "recovery/hosted_jobs")
        for job in jobs:
            sha256 = rows.job_sha256(job.job)
            if _differs(known, (job.job.provider, job.job.id), sha256):
                found["hosted_job"].append(rows.job(job, sha256, seq, recorded))
    return found


def _differs(known: dict[tuple[str, str], str], key: tuple[str, str], sha256: str) -> bool:
    if known.get(key) == sha256:
        return False
    known[key] = sha256
    return True


def _newest(con: duckdb.DuckDBPyConnection, name: str) -> dict[tuple[str, str], str]:
    return {(row[0], row[1]): row[2] for row in con.execute(load(name).sql).fetchall()}


def _event(usage: Usage) -> Event:
    return usage, rows.event_key(usage.source, usage.id), rows.usage_sha256(usage)


def _known(con: duckdb.DuckDBPyConnection, keys: Iterable[int]) -> dict[int, str]:
    """Hashes of the events that the ledger has of these keys."""
    asked = list(dict.fromkeys(keys))
    if not asked:
        return {}
    found = con.execute(load("recovery/usage_events").sql, {"keys": asked}).fetchall()
    return {int(key): str(sha256) for key, sha256 in found}
