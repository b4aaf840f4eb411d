"""``meter report``: runs as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meter.cli import output, proven
from meter.cli.exporters import AVAILABLE, LATER, exporter
from meter.cli.proofs import seal
from meter.cli.reads import of_document, reads
from meter.cli.session import (
    Session,
    as_of_option,
    currency_option,
    debug_option,
    example,
    socket_option,
)
from meter.errors import UsageError
from meter.limits import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.cli.exporters import Export
    from meter.cli.reads import Reads
    from meter.config import Config

_STDOUT = "-"


@click.command("report", epilog=example("meter report last --format html -o report.html"))
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--format",
    "wanted",
    metavar="|".join(AVAILABLE),
    help="Format; by default what the name of the output ends with, else html.",
)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="PATH",
    help="File to write, replacing it; a folder for several runs; - for stdout.",
)
@click.option("--seal", "sealing", is_flag=True, help="Issue it as a numbered statement.")
@click.option(
    "--reason", metavar="TEXT", help="Why a sealed run is restated; allows other figures."
)
@as_of_option
@currency_option
@socket_option
@debug_option
@click.pass_obj
def report_command(
    session: Session,
    *,
    runs: tuple[str, ...],
    wanted: str | None,
    target: str | None,
    as_of: str | None,
    currency: str | None,
    sealing: bool,
    reason: str | None,
) -> None:
    """Write the report of a run to a file.

    RUN is an id, the beginning of one, a name, or `last` (the default).
    The HTML is one file without scripts that loads nothing; it prints well.
    With --seal it becomes a statement that `meter verify` proves.
    """
    _check_sealing(sealing=sealing, reason=reason, currency=currency)
    format_ = wanted or _by_name(target)
    export = exporter(format_)
    several = len(runs) > 1
    target = target or (None if several else f"report.{format_}")
    if several and (target is None or (Path(target).exists() and not Path(target).is_dir())):
        raise UsageError("several runs need a folder", "give -o FOLDER")
    if target == _STDOUT and sys.stdout.isatty() and format_ != "json":
        raise UsageError("a terminal cannot show this format", "give -o FILE")
    wanted_runs = runs or ("last",)
    if sealing:
        if target != _STDOUT and not several:
            output.require_folder(Path(f"{target}"))  # before anything is issued
        sealed = [_sealed(session.config, run, as_of, reason) for run in wanted_runs]
    with reads(session.config) as source:
        for place, run in enumerate(wanted_runs):
            made = (
                report_of(source, sealed[place], export)
                if sealing
                else made_report(source, run, export, as_of, currency)
            )
            _write(made, f"{target}", format_, several=several)


def _check_sealing(*, sealing: bool, reason: str | None, currency: str | None) -> None:
    if sealing and currency:
        raise UsageError("a statement has the money as it was booked", "leave out --currency")
    if reason is not None:
        if not sealing:
            raise UsageError("--reason is for a statement", "give --seal too")
        check_name("--reason", reason)


def _sealed(config: Config, run: str, as_of: str | None, reason: str | None) -> dict[str, Any]:
    """The document of a run's statement, which stands in it; says what was issued."""
    with reads(config) as source:
        run_id = of_document(source.document(run))  # a wrong name makes no ledger
    found = seal(config, run_id, as_of, reason)
    for line in proven.sealed_lines(found):
        click.echo(line, err=True)
    return {**found["document"], "statement": found["statement"]}


def made_report(
    source: Reads,
    run: str,
    export: Export,
    as_of: str | None = None,
    currency: str | None = None,
) -> tuple[str, bytes]:
    """A run's id and its report; by what was known at an instant, if one is given."""
    return report_of(source, source.document(run, as_of, currency), export)


def report_of(source: Reads, document: Mapping[str, Any], export: Export) -> tuple[str, bytes]:
    """A run's id and the report of its document.

    A statement's curves are its minutes as known then: readings expire, and are in no hash.
    """
    run_id = of_document(document)
    statement = document.get("statement")
    series = source.series(run_id, statement["as_of"]) if statement else source.series(run_id)
    return run_id, export(document, series)


def _by_name(target: str | None) -> str:
    suffix = Path(target).suffix[1:].lower() if target else ""
    return suffix if suffix in AVAILABLE + LATER else "html"


def _write(made: tuple[str, bytes], target: str, format_: str, *, several: bool) -> None:
    run_id, content = made
    if target == _STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    if several or path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path /= f"{run_id}.{format_}"
    output.write_file(path, content)
    click.echo(f"wrote {path}", err=True)
