"""``meter prices``: the book of prices of hosted models."""

from __future__ import annotations

from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import click

from meter import figures
from meter.cli import output
from meter.cli.book_files import as_csv, say, take, take_sheet, told_of, told_options
from meter.cli.price_packages import genai_sheet, in_parts, joined
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
from meter.factors.bundled_prices import bundled_prices
from meter.factors.imports import PRICE_FORMATS, Wanted, price_sheet
from meter.factors.price_rows import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.cli.writes import Taken, Writes
    from meter.factors.rows import Row, Sheet

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
    words = [row[name] for name in ("service_tier", "region") if row[name]]
    words += [row[name] for name in ("training", "adapter") if row.get(name)]
    words += [
        text
        for name, unit in (("parameters_{}_b", "B"), ("context_{}", " tokens"))
        for text in (_bracket(row.get(name.format("over")), row.get(name.format("to")), unit),)
        if text
    ]
    return figures.printable(" ".join((f"{row['value']} {row['currency']}/{per}", *words)), 60)


def _bracket(over: object, to: object, unit: str) -> str:
    """A bracket in words: ``>16-80B``."""
    if over is None and to is None:
        return ""
    low, high = ("" if one is None else f"{Decimal(str(one)).normalize():f}" for one in (over, to))
    return f">{low}-{high}{unit}" if low and high else f"{'>' if low else '<='}{low or high}{unit}"


@prices_command.command(
    "import",
    epilog=example(
        "meter prices import model_prices_and_context_window.json \\\n    --source-date 2026-11-01"
    ),
)
@click.argument("file", type=click.File("rb"), metavar="FILE", required=False)
@click.option("--bundled", is_flag=True, help="The prices that come with meter, instead of a file.")
@click.option(
    "--genai-prices",
    "genai",
    is_flag=True,
    help="Those of the installed package genai-prices (extra genai-prices), instead of a file.",
)
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
    session: Session,
    /,
    *,
    file: IO[bytes] | None,
    bundled: bool,
    genai: bool,
    form: str,
    as_json: bool,
    **told: str | None,
) -> None:
    """Import a file of prices, all of it or nothing.

    CSV or YAML with a row for each price, or litellm's price file. Prices of hosted training that
    come with meter go behind those of files (rank 100), those of genai-prices between (150).
    """
    if [file is not None, bundled, genai].count(True) != 1:
        raise UsageError("one source of prices is needed", "give FILE, --bundled or --genai-prices")
    if file is None:
        if form != "auto" or told_of(**told):
            raise UsageError(
                "these prices tell format, source and dates themselves", "leave them out"
            )
        sheet, taken = _packaged(session, genai=genai)
    else:
        wanted = Wanted(form, told=told_of(**told))
        sheet, taken = take(session.config, file, (price_sheet, wanted), _write)
    say(sheet, taken, what="prices", as_json=as_json)


def _packaged(session: Session, *, genai: bool) -> tuple[Sheet, Taken]:
    """The prices of a package, in as many imports as its size needs."""
    name, read = ("genai-prices", genai_sheet) if genai else ("bundled prices", bundled_prices)
    parts = [
        take_sheet(session.config, name, lambda part=part: part, _write)  # type: ignore[misc]
        for part in in_parts(read())
    ]
    return joined(parts)


def _write(writes: Writes, rows: Sequence[Row]) -> Taken:
    return writes.prices(rows)
