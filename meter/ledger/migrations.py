"""Numbered schema files, applied once each; a ledger from the future is refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import duckdb

from meter.errors import LedgerTooNewError
from meter.ledger.genesis import chain_earlier
from meter.ledger.instants import timestamp
from meter.ledger.texts import folder, load

if TYPE_CHECKING:
    from pathlib import Path

CHAINED_SINCE = 2
"""The schema version that the audit chain began with."""


def versions() -> dict[int, str]:
    """SQL text of each schema version known here."""
    found = {}
    for file in (folder() / "schema").iterdir():
        if file.name.endswith(".sql"):
            found[int(file.name.split("_")[0])] = file.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def version_of(con: duckdb.DuckDBPyConnection) -> int:
    """Schema version of an open ledger, 0 of an empty one."""
    try:
        row = con.execute(load("recovery/schema_version").sql).fetchone()
    except duckdb.CatalogException:  # no such table; to list the tables first costs far more
        return 0
    return int(row[0]) if row else 0


def check(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Schema version of an open ledger; raises LedgerTooNewError if it is not known here."""
    version, newest = version_of(con), max(versions())
    if version > newest:
        raise LedgerTooNewError(
            f"the ledger {path} has schema version {version}, this meter knows {newest}",
            "upgrade with `pip install --upgrade tunemeter`, or set METER_HOME elsewhere",
        )
    return version


def migrate(con: duckdb.DuckDBPyConnection, path: Path, now_us: int) -> None:
    """Bring the ledger to the newest version, in one transaction.

    Raises LedgerTooNewError if it was written by a newer meter.
    """
    have = check(con, path)
    todo = {number: text for number, text in versions().items() if number > have}
    if not todo:
        return
    con.begin()
    try:
        for number, text in todo.items():
            con.execute(text)
            con.execute(
                load("write/schema_version").sql,
                {
                    "version": number,
                    "applied_at": timestamp(now_us),
                    "sha256": hashlib.sha256(text.encode()).hexdigest(),
                },
            )
        if have == 0:
            con.execute(load("write/first_commit").sql, {"recorded_at": timestamp(now_us)})
        if 0 < have < CHAINED_SINCE:
            chain_earlier(con, timestamp(now_us))
        con.commit()
    except BaseException:
        con.rollback()
        raise
