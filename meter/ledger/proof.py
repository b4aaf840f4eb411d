"""Statements, proved: their hashes, the facts they stand on, and their figures derived again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.difference import Change, differences
from meter.errors import MeterError
from meter.ledger.audit import Finding
from meter.ledger.chain import BEGIN_SHA256, instant
from meter.ledger.instants import micros
from meter.ledger.method import METHOD_VERSION, derived
from meter.ledger.sealing import FACT_TABLES, fact_of, restated, statement_of
from meter.ledger.statements import Statement, object_of, text_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meter.ledger.reader import Reader

SAME = "same"
DIFFERS = "differs"
NOT_DERIVED = "not derived"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Proof:
    """A statement, checked; ``derived`` is same, differs or not derived."""

    statement: Statement
    derived: str
    findings: tuple[Finding, ...]
    restated: tuple[Change, ...]  # of the statement that it replaces
    changed_queries: tuple[str, ...]  # whose texts are not today's
    today: tuple[Change, ...]  # what today's queries give instead
    note: str | None = None

    def json(self) -> dict[str, Any]:
        """As JSON."""
        run = self.statement.parsed().get("run")
        if not isinstance(run, dict) or not run:  # its document was changed
            run = {"id": self.statement.subject}
        return {
            **self.statement.json(),
            "run": {name: run.get(name) for name in ("id", "name", "project")},
            "difference": list(self.restated),
            "derived": self.derived,
            "changed_queries": list(self.changed_queries),
            "today": list(self.today),
            "note": self.note,
            "findings": [one.json() for one in self.findings],
        }


def statement_list(reader: Reader) -> list[dict[str, Any]]:
    """Statements in the order of issue, without their documents; ready for JSON."""
    return [
        row | {"as_of": instant(row["as_of"]), "issued_at": instant(row["issued_at"])}
        for row in reader.rows("audit/statements")
    ]


def links(reader: Reader) -> list[Finding]:
    """What is wrong with the chain of statements: numbers that are missing, links that break."""
    found, number, sha256 = [], 0, BEGIN_SHA256
    for row in reader.rows("audit/statements"):
        number += 1
        if row["number"] != number:
            text = f"statement {number} is missing: statement {row['number']} comes next"
            found.append(Finding("statement", number, text))
            number = row["number"]
        if row["previous_sha256"] != sha256:
            text = f"statement {number}: does not follow the statement before it"
            found.append(Finding("statement", number, text))
        sha256 = row["sha256"]
    return found


def check_statement(reader: Reader, number: int) -> Proof | None:
    """Check a statement and derive it again; None if there is none of this number."""
    statement = statement_of(reader, number)
    if statement is None:
        return None
    findings = [*_hashes(statement), *_batch(reader, statement), *_facts(reader, statement)]
    stored = reader.one("audit/query_set_of", sha256=statement.queries_sha256)
    if stored is None or text_sha256(stored["texts"]) != statement.queries_sha256:
        state = "missing" if stored is None else "changed"
        findings.append(_finding(statement, f"its query texts are {state}"))
    change = restated(reader, statement)
    if statement.replaces and statement_of(reader, statement.replaces) is None:
        text = f"statement {statement.replaces}, which it replaces, is missing"
        findings.append(_finding(statement, text))
    sources = object_of(stored["texts"]) if stored else None
    return _derived(reader, statement, findings, change, sources)


def _derived(
    reader: Reader,
    statement: Statement,
    findings: list[Finding],
    change: tuple[Change, ...],
    sources: Mapping[str, str] | None,
) -> Proof:
    """The statement derived by its own texts, and by today's where these are others."""
    document = statement.parsed()
    result, note = NOT_DERIVED, None
    if not sources:
        note = "its query texts are missing or unreadable"
    elif statement.method_version != METHOD_VERSION:
        note = (
            f"made by method {statement.method_version}, this meter has method {METHOD_VERSION}:"
            f" to derive it again use {statement.made_by}"
        )
    else:
        result, found = _again(reader, statement, document, sources)
        findings += found
    names, today = _today(reader, statement, document, sources or {})
    return Proof(statement, result, tuple(findings), change, names, today, note)


def _again(
    reader: Reader, statement: Statement, document: Mapping[str, Any], sources: Mapping[str, str]
) -> tuple[str, list[Finding]]:
    try:
        found, _ = derived(reader, statement.subject, micros(statement.as_of), sources)
    except (MeterError, KeyError, TypeError, ValueError) as error:
        text = f"cannot be derived again ({_reason(error)})"
        return NOT_DERIVED, [_finding(statement, text)]
    changes = differences(document, json.loads(json.dumps(found)))
    if not changes:
        return SAME, []
    text = f"its own queries give other figures now ({_count(len(changes))})"
    return DIFFERS, [_finding(statement, text, tuple(changes))]


def _today(
    reader: Reader, statement: Statement, document: Mapping[str, Any], sources: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[Change, ...]]:
    """Queries whose texts are not today's, and what today's give."""
    try:
        found, used = derived(reader, statement.subject, micros(statement.as_of))
    except (MeterError, KeyError, TypeError, ValueError):
        return (), ()  # the run is gone, or a row of it was changed: its own queries have said so
    names = tuple(name for name in sorted({*sources, *used}) if sources.get(name) != used.get(name))
    other = names or statement.method_version != METHOD_VERSION
    return names, tuple(differences(document, json.loads(json.dumps(found)))) if other else ()


def _hashes(statement: Statement) -> Iterator[Finding]:
    if text_sha256(statement.document) != statement.document_sha256:
        yield _finding(statement, "its document was changed")
    if text_sha256(statement.facts) != statement.facts_sha256:
        yield _finding(statement, "the facts that it keeps were changed")
    if statement.own_sha256() != statement.sha256:
        yield _finding(statement, "its own row was changed: its hash is not over what it says")


def _batch(reader: Reader, statement: Statement) -> Iterator[Finding]:
    """A statement names the newest batch of before it: so it vouches for the whole ledger."""
    row = reader.one("audit/statement_of", number=statement.number)
    seq = row["seq"] if row else 0
    before = reader.one("audit/batch_until", until=seq - 1)
    if (before["sha256"] if before else BEGIN_SHA256) != statement.batch_sha256:
        yield _finding(statement, "the batch that it was issued after is another now")


def _facts(reader: Reader, statement: Statement) -> Iterator[Finding]:
    """The facts that a statement keeps against those of the ledger."""
    for table, facts in object_of(statement.facts).items():
        if table not in FACT_TABLES or not isinstance(facts, list):
            yield _finding(statement, f"the facts that it keeps are none ({table[:_SHOWN]!r})")
            continue
        for kept in facts:
            if not isinstance(kept, dict) or not isinstance(kept.get("id"), str):
                yield _finding(statement, f"a {table} that it keeps has no id")
                continue
            found = fact_of(reader, table, kept["id"])
            if found is None:
                yield Finding("factor", kept["id"], _of(statement, table, kept, "is gone"))
                continue
            changes = [one for one in differences(kept, found) if "old" in one]
            if changes:
                text = _of(statement, table, kept, "was changed")
                yield Finding("factor", kept["id"], text, tuple(changes))


def _of(statement: Statement, table: str, fact: Mapping[str, Any], text: str) -> str:
    what = fact.get("kind") or fact.get("meter")
    return f"{table} {fact['id']} ({what}), which statement {statement.number} stands on, {text}"


def _finding(statement: Statement, text: str, differs: tuple[Change, ...] = ()) -> Finding:
    return Finding("statement", statement.number, f"statement {statement.number}: {text}", differs)


def _count(number: int) -> str:
    return "1 value differs" if number == 1 else f"{number} values differ"


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
