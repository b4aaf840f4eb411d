"""``meter prices``: the book of prices of hosted models."""

from __future__ import annotations

from typing import IO, Any

import click

from meter import figures
from meter.cli import output
from meter.cli.book_files import as_csv, say, take, told_of, told_options
from meter.cli.reads import LEDGER_NAME, agent_reads, reads
from meter.cli.session import (
    Session,
    as_of_option,
    debug_option,
    example,
    json_option,
    socket_option,
)
from meter.errors import UsageError
from meter.factors.imports import PRICE_FORMATS, Wanted, price_sheet
from meter.factors.price_rows import COLUMNS

_TABLE = 200  # rows of a table that people read
_CSV = [name for name in COLUMNS if name != "recorded_at"]


@click.group("prices", epilog=example("meter prices import prices.yaml"))
def prices_command() -> None:
    """Dated prices of hosted models' tokens and hours."""


@prices_command.command("list", epilog=example("meter prices list --provider openai"))
@click.option("--provider", metavar="P", help="Only of this provider.")
@click.option("--model", metavar="M", help="Only of this model.")
@click.option("--all", "everything", is_flag=True, help="Superseded and withdrawn rows too.")
@click.option("--limit", type=click.IntRange(1, 100_000), metavar="N", help="At most this many.")
@click.option("--csv", "csv_wanted", is_flag=True, help="Print CSV that can be imported.")
@as_of_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def list_command(session: Session, /, *, csv_wanted: bool, as_json: bool, **asked: Any) -> None:
    """List the prices that stand: the newest of each thing."""
    if csv_wanted and as_json:
        raise UsageError("--csv and --json are two forms", "give one of them")
    found = _found(session, asked)
    if as_json:
        output.print_json({"prices": found})
    elif csv_wanted:
        click.echo(as_csv(_CSV, found))
    elif found:
        most = asked["limit"] or _TABLE
        click.echo(text(found[:most]))
        if len(found) > most:
            click.echo(f"meter: {len(found) - most:,} more: --limit {len(found)}", err=True)
    else:
        click.echo("No such prices. Bring some: meter prices import FILE")


def _found(session: Session, asked: dict[str, Any]) -> list[dict[str, Any]]:
    config = session.config
    if not (config.home / LEDGER_NAME).exists() and agent_reads(config) is None:
        return []
    names = ("provider", "model", "as_of")
    query = {name: str(asked[name]) for name in names if asked[name] is not None}
    query |= {"all": "true"} if asked["everything"] else {}
    with reads(config) as source:
        return source.listed("prices", {**query, "limit": str(asked["limit"] or 100_000)})


def text(found: list[dict[str, Any]], columns: int | None = None) -> str:
    """Prices as a table."""
    rows = [
        [
            figures.printable(row["provider"], 14),
            figures.printable(row["model"], 200),
            figures.printable(row["meter"], 16),
            _price(row),
            (row["valid_from"] or "")[:10],
        ]
        for row in found
    ]
    heads = ("PROVIDER", "MODEL", "METER", "PRICE", "FROM")
    return output.table(heads, rows, wrap=1, columns=columns)


def _price(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "withdrawn"
    per = "1M" if row["per"] == 1_000_000 else f"{row['per']:,}"
    narrowed = "".join(f" {row[name]}" for name in ("service_tier", "region") if row[name])
    return figures.printable(f"{row['value']} {row['currency']}/{per}{narrowed}", 40)


@prices_command.command(
    "import",
    epilog=example(
        "meter prices import model_prices_and_context_window.json \\\n    --source-date 2026-11-01"
    ),
)
@click.argument("file", type=click.File("rb"), metavar="FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice(PRICE_FORMATS),
    default="auto",
    show_default=True,
    metavar="F",
    help=f"One of {', '.join(PRICE_FORMATS)}.",
)
@click.option("--valid-from", metavar="DATE", help="When prices begin to hold, if rows do not say.")
@told_options
@json_option
@socket_option
@debug_option
@click.pass_obj
def import_command(
    session: Session, /, *, file: IO[bytes], form: str, as_json: bool, **told: str | None
) -> None:
    """Import a file of prices, all of it or nothing.

    CSV or YAML with a row for each price, or litellm's price file.
    """
    wanted = Wanted(form, told=told_of(**told))
    sheet, taken = take(
        session.config, file, (price_sheet, wanted), lambda writes, rows: writes.prices(rows)
    )
    say(sheet, taken, what="prices", as_json=as_json)
