"""``meter runs import``: runs that codecarbon watched."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from meter.cli.book_files import say, take
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.factors.imports import Wanted

if TYPE_CHECKING:
    from meter.factors.rows import Sheet


@click.command("import", epilog=example("meter runs import emissions.csv --timezone Europe/Paris"))
@click.argument("file", type=click.File("rb"))
@click.option("--project", metavar="P", help="Project that pays, instead of the file's.")
@click.option(
    "--timezone",
    metavar="TZ",
    default="UTC",
    show_default=True,
    help="Of the file's local times: Europe/Paris.",
)
@json_option
@socket_option
@debug_option
@click.pass_obj
def import_command(
    session: Session, /, *, file: IO[bytes], project: str | None, timezone: str, as_json: bool
) -> None:
    """Book the runs of codecarbon's emissions.csv, all or none.

    Their energy is what codecarbon told of CPU, GPU and RAM, labelled modelled; cost and carbon are
    computed from it like those of any run. Importing a file again books nothing twice.
    """
    from meter.past.codecarbon import sheet_of  # noqa: PLC0415 - `meter runs` needs no factor books

    def read(content: bytes, _: Wanted) -> Sheet:
        return sheet_of(content)

    sheet, taken = take(
        session.config,
        file,
        (read, Wanted()),
        lambda writes, rows: writes.runs(rows, timezone, project),
    )
    say(sheet, taken, what="runs", as_json=as_json)
