"""The first batches of a ledger that has facts from before the audit chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.ledger.chain import BEGIN_SHA256, CHAINED, Batch, content_sha256
from meter.ledger.forms import chained_forms
from meter.ledger.texts import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    import duckdb

_ROWS = 20_000  # of a batch, about: what is sorted in memory
_CHUNK = 1_000


def chain_earlier(con: duckdb.DuckDBPyConnection, recorded: datetime) -> None:
    """Write batches over all facts that are there; for a migration, inside its transaction."""
    counts = con.execute(load("recovery/commits").sql).fetchall()
    if not counts:
        return
    node = con.execute(load("recovery/last_node").sql).fetchone()
    previous, after, made = BEGIN_SHA256, -1, []
    for until, row_count in _ranges(counts):
        content = content_sha256(covered_lines(con, after, until))
        batch = Batch(until, node[0] if node else "", row_count, content, previous, recorded)
        made.append(batch.row())
        previous, after = batch.sha256, until
    appender = con.appender("batch")
    appender.append_rows(made)
    appender.flush()


def _ranges(counts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The last commit of each batch, and its rows."""
    last, rows = -1, 0
    for seq, row_count in counts:
        if rows and rows + row_count > _ROWS:
            yield last, rows
            rows = 0
        last, rows = seq, rows + row_count
    yield last, rows


def covered_lines(con: duckdb.DuckDBPyConnection, after: int, until: int) -> Iterator[bytes]:
    """Canonical lines of the facts of the commits after one and up to another."""
    forms = chained_forms()
    for table in CHAINED:
        con.execute(load(f"audit/{table}").sql, {"after": after, "until": until})
        while rows := con.fetchmany(_CHUNK):
            yield from map(forms[table].line, rows)
