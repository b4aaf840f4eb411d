"""Sealing: a run's document becomes a statement, or is found to be one already."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.difference import Change, differences
from meter.errors import LedgerError, UsageError
from meter.ids import new_id
from meter.ledger.catalogue import require_catalogue
from meter.ledger.forms import chained_forms
from meter.ledger.hours import require_hours
from meter.ledger.instants import micros
from meter.ledger.method import MADE_BY, METHOD_VERSION, derived
from meter.ledger.reports import find_run
from meter.ledger.statements import Statement, text_of
from meter.model import LedgerBatch, StatementDraft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.ledger.ledger import Ledger
    from meter.ledger.reader import Reader

NOT_COMPARED = frozenset({"as_of"})
"""Of a document: what may differ between two that say the same."""

FACT_TABLES = {"factor": "factors", "price": "prices"}
"""Tables of the facts that a statement keeps, and where its document names them."""

_DURABLE_S = 20.0
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Sealed:
    """A statement, whether it was issued just now, and what it changes of the one before."""

    statement: Statement
    issued: bool
    difference: tuple[Change, ...] = ()

    def json(self) -> dict[str, Any]:
        """As JSON, with the document."""
        statement = self.statement.json() | {"difference": list(self.difference)}
        return {
            "issued": self.issued,
            "statement": statement,
            "document": self.statement.parsed(),
        }


def seal(
    ledger: Ledger, run: str, *, as_of_us: int | None = None, reason: str | None = None
) -> Sealed:
    """Issue a statement of a run that has ended, unless the newest one of it says the same.

    A ``reason`` allows it to say something else. Raises UsageError where it may not be issued, and
    LedgerError.
    """
    with ledger.reader() as reader:
        draft, changes = _draft(reader, find_run(reader, run), as_of_us, reason)
        if isinstance(draft, Statement):
            return Sealed(draft, issued=False, difference=changes)
    written = ledger.write(LedgerBatch(statements=(draft,)), urgent=True)
    try:
        written.result(_DURABLE_S)
    except FutureTimeoutError:
        cause = ledger.health().last_error or "it is busy"
        raise LedgerError(
            f"the ledger has not written the statement in time ({cause}); it may do so later",
            "seal again: what is sealed already is not sealed twice",
        ) from None
    with ledger.reader() as reader:
        made = newest_of(reader, draft.subject)
    if made is None or made.id != draft.id:
        raise LedgerError("another statement was issued just now", "see `meter verify`")
    return Sealed(made, issued=True, difference=changes)


def _draft(
    reader: Reader, run_id: str, as_of_us: int | None, reason: str | None
) -> tuple[StatementDraft | Statement, tuple[Change, ...]]:
    """What is to be written, or the statement that says it already; and what it changes."""
    require_catalogue(reader)
    require_hours(reader)
    before = newest_of(reader, run_id)
    at_us = reader.newest_us() if as_of_us is None else min(as_of_us, reader.newest_us())
    document, texts = derived(reader, run_id, at_us)
    if document["run"]["ended_at"] is None:
        raise UsageError(f"the run {run_id} has not ended", "seal it when it has")
    changes = differences(before.parsed(), document, without=NOT_COMPARED) if before else []
    if before and not changes:
        return before, restated(reader, before)
    _check(before, at_us, changes, reason)
    draft = StatementDraft(
        id=new_id(),
        subject=run_id,
        as_of_us=at_us,
        document=text_of(document),
        facts=text_of(facts_of(reader, document)),
        texts=text_of(texts),
        method_version=METHOD_VERSION,
        made_by=MADE_BY,
        replaces=before.number if before else None,
        reason=reason,
    )
    return draft, tuple(changes)


def _check(
    before: Statement | None, at_us: int, changes: Sequence[Change], reason: str | None
) -> None:
    """Raises UsageError where a statement may not be issued."""
    if before is None:
        if reason is not None:
            raise UsageError("there is no statement of this run yet", "seal it without --reason")
        return
    if at_us < micros(before.as_of):
        raise UsageError(
            f"statement {before.number} of this run stands on what was known later",
            "leave out --as-of, or give a later instant",
        )
    if reason is None:
        paths = ", ".join(change["path"] for change in changes[:_NAMED])
        more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
        raise UsageError(
            f"statement {before.number} of this run says something else ({paths}{more} differ)",
            "restate it with --reason TEXT",
        )


def restated(reader: Reader, statement: Statement) -> tuple[Change, ...]:
    """What a statement changes of the one that it replaces; nothing if it replaces none."""
    before = statement_of(reader, statement.replaces) if statement.replaces else None
    if before is None:
        return ()
    return tuple(differences(before.parsed(), statement.parsed(), without=NOT_COMPARED))


def newest_of(reader: Reader, subject: str) -> Statement | None:
    """The newest statement of a subject."""
    row = reader.one("recovery/newest_statement", subject=subject)
    return statement_of(reader, row["number"]) if row else None


def statement_of(reader: Reader, number: int) -> Statement | None:
    """The statement of a number."""
    row = reader.one("audit/statement_of", number=number)
    return Statement.of_row(row) if row else None


def facts_of(reader: Reader, document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The factors and prices that a document names, whole, in the chain's canonical form."""
    return {
        table: [
            fact
            for fact_id in sorted({str(one["id"]) for one in document.get(place, ())})
            if (fact := fact_of(reader, table, fact_id)) is not None
        ]
        for table, place in FACT_TABLES.items()
    }


def fact_of(reader: Reader, table: str, fact_id: str) -> dict[str, Any] | None:
    """A factor or price, whole, in the chain's canonical form; None if there is none."""
    row = reader.one(f"audit/{table}_of", id=fact_id)
    return chained_forms()[table].named(tuple(row.values())) if row else None
