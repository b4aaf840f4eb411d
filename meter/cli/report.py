"""``meter report``: runs as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meter.cli import output
from meter.cli.exporters import AVAILABLE, LATER, exporter
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

if TYPE_CHECKING:
    from meter.cli.exporters import Export
    from meter.cli.reads import Reads

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
) -> None:
    """Write the report of a run to a file.

    RUN is an id, the beginning of one, a name, or `last` (the default).
    The HTML is one file without scripts that loads nothing; it prints well.
    """
    format_ = wanted or _by_name(target)
    export = exporter(format_)
    several = len(runs) > 1
    target = target or (None if several else f"report.{format_}")
    if several and (target is None or (Path(target).exists() and not Path(target).is_dir())):
        raise UsageError("several runs need a folder", "give -o FOLDER")
    if target == _STDOUT and sys.stdout.isatty() and format_ != "json":
        raise UsageError("a terminal cannot show this format", "give -o FILE")
    with reads(session.config) as source:
        for run in runs or ("last",):
            made = made_report(source, run, export, as_of, currency)
            _write(made, f"{target}", format_, several=several)


def made_report(
    source: Reads,
    run: str,
    export: Export,
    as_of: str | None = None,
    currency: str | None = None,
) -> tuple[str, bytes]:
    """A run's id and its report; by what was known at an instant, if one is given."""
    document = source.document(run, as_of, currency)
    run_id = of_document(document)
    return run_id, export(document, source.series(run_id))


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
