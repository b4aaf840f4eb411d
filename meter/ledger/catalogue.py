"""What the ledger's file defines, against what the schema files define: nothing more, nothing else.

A macro or a view in the file would stand before the engine's function or a table, and change every
figure without changing a fact.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from meter.errors import LedgerError
from meter.ledger import store
from meter.ledger.audit import Finding
from meter.ledger.migrations import versions
from meter.ledger.texts import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.ledger.reader import Reader

_SCRATCH = Path(":memory:")
_SCRATCH_MB = 32
_NAMED = 20
_PARTS = frozenset({"column", "constraint"})

_Defined = tuple[str, str, str | None]  # what, name, definition


def check_catalogue(reader: Reader) -> list[Finding]:
    """Definitions that the schema does not have, lacks, or has otherwise."""
    try:
        found = Counter(_defined(reader))
    except LedgerError as error:
        return [_finding("catalogue", f"what the file defines cannot be read: {error.message}")]
    made = Counter(_made())
    other = [(what, name) for what, name, _ in [*(found - made), *(made - found)]]
    names = sorted(set(other), key=lambda one: (one[0] in _PARTS, one))  # a view has columns too
    findings = [
        _finding(name, f"{what} {name} {_how(what, name, found, made)}") for what, name in names
    ]
    if len(findings) > _NAMED:
        text = f"and {len(findings) - _NAMED} more definitions are not the schema's"
        findings[_NAMED:] = [_finding("catalogue", text)]
    return [*findings, *_versions(reader)]


def require_catalogue(reader: Reader) -> None:
    """Raises LedgerError where :func:`check_catalogue` finds something."""
    if found := check_catalogue(reader):
        raise LedgerError(
            f"the ledger was changed ({found[0].text})", "nothing is sealed: see `meter verify`"
        )


def _defined(reader: Reader) -> Iterator[_Defined]:
    yield from reader.plain("audit/catalogue")


def _made() -> list[_Defined]:
    """What the schema files define, in an empty ledger."""
    con = store.connect(_SCRATCH, memory_limit_mb=_SCRATCH_MB)
    try:
        for text in versions().values():
            con.execute(text)
        return [
            (row[0], row[1], row[2]) for row in con.execute(load("audit/catalogue").sql).fetchall()
        ]
    finally:
        con.close()


def _how(what: str, name: str, found: Counter[_Defined], made: Counter[_Defined]) -> str:
    here, there = (any(one[:2] == (what, name) for one in counts) for counts in (found, made))
    if here and there:
        return "is not as the schema has it"
    if here:
        return "was added: it is not the schema's, and can change every figure"
    return "is missing"


def _versions(reader: Reader) -> Iterator[Finding]:
    texts = {
        number: hashlib.sha256(text.encode()).hexdigest() for number, text in versions().items()
    }
    kept = {row["version"]: row["sha256"] for row in reader.rows("audit/schema_versions")}
    for number in sorted(texts.keys() | kept.keys()):
        if texts.get(number) != kept.get(number):
            yield _finding(
                "schema_version", f"the schema's version {number} is not the one known here"
            )


def _finding(where: str, text: str) -> Finding:
    return Finding("catalogue", where, text)
