"""``meter verify``: nothing that the ledger learned or stated was changed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from meter.cli import output, proven
from meter.cli.proofs import proofs
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.cli.proofs import Proofs

_HEX = 64
_QUIET_S = 2.0
_AGAIN_S = 0.2


@click.command("verify", epilog=example("meter verify --expect 3f0a...  # noted last month"))
@click.option(
    "--expect",
    "expected",
    metavar="SHA256",
    multiple=True,
    help="A hash of a batch or statement, noted earlier, that must still be there.",
)
@json_option
@socket_option
@debug_option
@click.pass_obj
def verify_command(session: Session, *, expected: tuple[str, ...], as_json: bool) -> int:
    """Check that nothing in the ledger was changed since it was written.

    Recomputes the audit chain from all facts, and every statement from them,
    by the queries it was made by. Exit code 1 if something differs.

    Whoever can write the file can make a whole new one: note the newest hash
    elsewhere, and give it to a later call with --expect.
    """
    wanted = [_hash(text) for text in expected]
    with proofs(session.config) as source:
        found = examined(source, wanted)
    if as_json:
        output.print_json(found)
    else:
        click.echo("\n".join(_lines(found)))
    return 0 if found["ok"] else 1


def examined(source: Proofs, expected: list[str]) -> dict[str, Any]:
    """Everything that can be checked, as JSON."""
    overview = source.overview()
    chain = overview["chain"]
    numbers = [row["number"] for row in overview["statements"]]
    progress = _Progress(chain["rows"] or 1)
    findings, hashes, checked = list(overview["findings"]), set[str](), {"batches": 0, "rows": 0}
    newest = None
    for page in _pages(source):
        findings += page["findings"]
        hashes |= set(page["sha256s"])
        newest = page["sha256s"][-1]
        checked = {name: checked[name] + page[name] for name in checked}
        progress.show(checked["rows"])
    statements = [source.proof(number) for number in numbers]
    progress.end()
    hashes |= {one["sha256"] for one in statements}
    missing = [
        {"what": "hash", "where": one, "text": f"no batch or statement has {one}", "differs": []}
        for one in expected
        if one not in hashes
    ]
    found = [*findings, *(each for one in statements for each in one["findings"]), *missing]
    return {
        "ok": not found,
        "batches": {**checked, "newest": chain["newest"], "newest_sha256": newest},
        "statements": statements,
        "findings": found,
    }


def _pages(source: Proofs) -> Iterator[dict[str, Any]]:
    after = -1
    while (page := source.batches(after))["last"] is not None:
        yield page
        after = page["last"]


def _hash(text: str) -> str:
    low = text.strip().lower()
    if len(low) != _HEX or any(c not in "0123456789abcdef" for c in low):
        raise UsageError(f"{text[:80]!r} is no SHA-256", "give the 64 digits that were noted")
    return low


def _lines(found: dict[str, Any]) -> Iterator[str]:
    batches = found["batches"]
    yield f"{_counted(batches['batches'], 'batch')} with {_counted(batches['rows'], 'fact')}"
    if batches["newest_sha256"]:
        yield f"  the newest is batch {batches['newest']}:"
        yield f"  sha256 {batches['newest_sha256']}"
    yield _counted(len(found["statements"]), "statement")
    for proof in found["statements"]:
        yield from proven.statement_lines(proof)
    yield ""
    if found["ok"]:
        yield "Nothing was changed."
    else:
        yield f"{_counted(len(found['findings']), 'finding')}:"
        yield from proven.findings(found["findings"])


def _counted(number: int, word: str) -> str:
    many = f"{word}es" if word.endswith("ch") else f"{word}s"
    return f"{number:,} {word if number == 1 else many}"


class _Progress:
    """How far it is, on a terminal, when it takes long."""

    def __init__(self, whole: int) -> None:
        self._whole = whole
        self._began_s = self._shown_s = time.monotonic()
        self._shown = False

    def show(self, done: int) -> None:
        """Say it, not too often."""
        now_s = time.monotonic()
        if not sys.stderr.isatty() or now_s - self._began_s < _QUIET_S:
            return
        if now_s - self._shown_s >= _AGAIN_S:
            self._shown_s, self._shown = now_s, True
            click.echo(f"\rchecked {min(1.0, done / self._whole):4.0%}", nl=False, err=True)

    def end(self) -> None:
        """Leave no trace."""
        if self._shown:
            click.echo("\r             \r", nl=False, err=True)
