"""``meter report``: runs as files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meter.cli import output, proven
from meter.cli.exporters import AVAILABLE, LATER, OF_SEVERAL, exporter, period_exporter
from meter.cli.proofs import seal
from meter.cli.reads import of_document, reads
from meter.cli.run_file import read_run
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
from meter.period_document import Asked
from meter.several_nodes import summed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.cli.exporters import Export
    from meter.cli.reads import Reads
    from meter.config import Config

_STDOUT = "-"


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command was given."""

    runs: tuple[str, ...]
    project: str | None
    since: str | None
    to: str | None
    wanted: str | None
    target: str | None
    as_of: str | None
    currency: str | None
    sealing: bool
    reason: str | None
    summing: bool

    @property
    def asked(self) -> Asked:
        """Which runs."""
        return Asked(self.runs, self.project, self.since, self.to)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a report goes, and as what."""

    target: str | None
    format: str

    @property
    def is_folder(self) -> bool:
        """Whether each run is to be a file of its own in a folder."""
        if self.target in {None, _STDOUT}:
            return False
        path = Path(f"{self.target}")
        return path.is_dir() or path.suffix[1:].lower() not in AVAILABLE + LATER


@click.command("report", epilog=example("meter report last --format html -o report.html"))
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--project", metavar="P", help="All runs of this project, side by side.")
@click.option("--from", "since", metavar="D", help="Runs that started on this UTC day or later.")
@click.option("--to", metavar="D", help="Runs that started before this UTC day.")
@click.option(
    "--format",
    "wanted",
    metavar="|".join(OF_SEVERAL),
    help="Format; by default what the name of the output ends with, else html.",
)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="PATH",
    help="File to write, replacing it; a folder for a file of each run; - for stdout.",
)
@click.option(
    "--sum",
    "summing",
    is_flag=True,
    help="RUNs are files: documents of one run from several nodes, summed to one.",
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
def report_command(session: Session, /, **given: Any) -> None:
    """Write the report of a run, or of several side by side, to a file.

    RUN is an id, the beginning of one, a name, or `last` (the default).
    Several runs, or those of a project or a period, are one table of own and
    hosted runs; with a folder as PATH each of the runs named is a file of its own.
    The HTML is one file without scripts that loads nothing; it prints well.
    With --seal it becomes a statement that `meter verify` proves. With --sum
    no ledger is asked: docs/many-nodes.md tells how to have one report of a
    run on several nodes.
    """
    options = _Options(**given)
    _check_sealing(options)
    place = _Place(options.target, options.wanted or _by_name(options.target))
    if options.summing:
        _check_summing(options)
        _sum(options.runs, place)
        return
    asked = options.asked
    narrowed = any((asked.project, asked.from_, asked.to))
    if narrowed or (len(asked.runs) > 1 and not place.is_folder):
        _check_several(asked, options)
        _side_by_side(session.config, asked, place, options.as_of)
    else:
        _one_by_one(session.config, options, place)


def _one_by_one(config: Config, options: _Options, place: _Place) -> None:
    """Write each run to a file of its own."""
    export = exporter(place.format)
    several = len(options.runs) > 1
    target = place.target or f"report.{place.format}"
    if target == _STDOUT and sys.stdout.isatty() and place.format != "json":
        raise UsageError("a terminal cannot show this format", "give -o FILE")
    runs = options.runs or ("last",)
    if options.sealing:
        if target != _STDOUT and not several:
            output.require_folder(Path(target))  # before anything is issued
        sealed = [_sealed(config, run, options.as_of, options.reason) for run in runs]
    with reads(config) as source:
        for number, run in enumerate(runs):
            made = (
                report_of(source, sealed[number], export)
                if options.sealing
                else made_report(source, run, export, options.as_of, options.currency)
            )
            _write(made, target, place.format, several=several)


def _check_summing(options: _Options) -> None:
    if not options.runs:
        raise UsageError("--sum names no file", "give the documents of a run's nodes")
    others = (
        options.project, options.since, options.to, options.as_of, options.currency,
        options.sealing,
    )  # fmt: skip
    if any(others):
        raise UsageError(
            "documents are summed as they are",
            "give --sum with files, --format and --output alone",
        )


def _sum(files: tuple[str, ...], place: _Place) -> None:
    """Write the sum of a run's documents, one of each node."""
    export = exporter(place.format)
    target = place.target or f"report.{place.format}"
    if target == _STDOUT and sys.stdout.isatty() and place.format != "json":
        raise UsageError("a terminal cannot show this format", "give -o FILE")
    document = summed([read_run(file) for file in files])
    _write((of_document(document), export(document, ())), target, place.format, several=False)


def _check_several(asked: Asked, options: _Options) -> None:
    if asked.runs and any((asked.project, asked.from_, asked.to)):
        raise UsageError("runs are named, and a project or period too", "give one or the other")
    if options.sealing:
        raise UsageError("a statement is of one run", "give -o FOLDER to seal each of several")
    if options.currency:
        raise UsageError("of several runs money stands as it was booked", "leave out --currency")


def _side_by_side(config: Config, asked: Asked, place: _Place, as_of: str | None) -> None:
    """Write one table of several runs."""
    export = period_exporter(place.format)
    target = place.target or f"report.{place.format}"
    if target == _STDOUT and sys.stdout.isatty() and place.format == "html":
        raise UsageError("a terminal cannot show this format", "give -o FILE")
    with reads(config) as source:
        document = source.period(asked, as_of)
    path = Path(target) / f"runs.{place.format}" if place.is_folder else Path(target)
    if place.is_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    _put(path, export(document, ()), stdout=target == _STDOUT)


def _check_sealing(options: _Options) -> None:
    if options.sealing and options.currency:
        raise UsageError("a statement has the money as it was booked", "leave out --currency")
    if options.reason is not None:
        if not options.sealing:
            raise UsageError("--reason is for a statement", "give --seal too")
        check_name("--reason", options.reason)


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
    path = Path(target)
    if target != _STDOUT and (several or path.is_dir()):
        path.mkdir(parents=True, exist_ok=True)
        path /= f"{run_id}.{format_}"
    _put(path, content, stdout=target == _STDOUT)


def _put(path: Path, content: bytes, *, stdout: bool) -> None:
    if stdout:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    output.write_file(path, content)
    click.echo(f"wrote {path}", err=True)
