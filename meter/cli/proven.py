"""Statements and proofs as lines for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meter.cli import output
from meter.figures import instant, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MOST = 40
_VALUE = 60
_INDENT = "    "


def sealed_lines(sealed: Mapping[str, Any]) -> Iterator[str]:
    """What sealing did."""
    statement = sealed["statement"]
    run = printable(sealed["document"]["run"]["name"] or statement["id"])
    if not sealed["issued"]:
        yield from output.wrapped(
            f"statement {statement['number']} of {instant(statement['issued_at'])} says the same"
            f" of {run}: nothing was issued",
            "",
            hanging="  ",
        )
        return
    yield from output.wrapped(f"sealed {run} as statement {statement['number']}", "", hanging="  ")
    yield f"  sha256 {statement['sha256']}"
    if statement["replaces"]:
        reason = printable(statement["reason"], 200)
        yield from output.wrapped(
            f"replaces statement {statement['replaces']}: {reason}", "  ", hanging="  "
        )
        yield from changes(statement["difference"], indent="    ")


def changes(found: Sequence[Mapping[str, Any]], indent: str = _INDENT) -> Iterator[str]:
    """What differs, a value a line, or two where it is long."""
    for change in found[:_MOST]:
        path = printable(change["path"], 200)
        values = _values(change)
        line = f"{indent}{path}  {values}"
        if len(line) <= output.width():
            yield line
        else:
            yield from output.wrapped(path, indent, hanging="  ")
            yield from output.wrapped(values, f"{indent}    ")
    if len(found) > _MOST:
        yield f"{indent}and {len(found) - _MOST} more: see --json"


def _values(change: Mapping[str, Any]) -> str:
    if "new" not in change:
        return f"gone: {_value(change['old'])}"
    if "old" not in change:
        return f"new: {_value(change['new'])}"
    return f"{_value(change['old'])} -> {_value(change['new'])}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        shown = {key: value[key] for key in ("kind", "value", "unit", "text") if key in value}
        text = ", ".join(str(part) for part in shown.values()) or json.dumps(value)
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value)
    return printable(text, _VALUE)


def findings(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is not as it was sealed, with the values that differ."""
    for finding in found:
        yield from output.wrapped(f"! {printable(finding['text'], 1_000)}", "  ", hanging="  ")
        yield from changes(finding["differs"], indent="      ")


def statement_lines(proof: Mapping[str, Any]) -> Iterator[str]:
    """A statement and what its proof found."""
    run = printable(proof["run"]["name"] or proof["run"]["id"], 40)
    line = f"{proof['number']}  {instant(proof['issued_at'])}  {run}: {_result(proof)}"
    yield from output.wrapped(line, "  ", hanging="   ")
    if proof["replaces"]:
        reason = printable(proof["reason"], 200)
        yield from output.wrapped(f"replaces statement {proof['replaces']}: {reason}", "     ")
        yield from changes(proof["difference"], indent="       ")
    if proof["note"]:
        yield from output.wrapped(proof["note"], "     ")
    if proof["changed_queries"]:
        names = ", ".join(printable(name) for name in proof["changed_queries"])
        yield from output.wrapped(f"queries that have other texts today: {names}", "     ")
    if proof["today"]:
        yield "     today's queries would give:"
        yield from changes(proof["today"], indent="       ")


def _result(proof: Mapping[str, Any]) -> str:
    if proof["findings"]:
        return "DIFFERS"
    return {"same": "derived again, the same", "not derived": "sealed, not derived again"}.get(
        proof["derived"], "DIFFERS"
    )
