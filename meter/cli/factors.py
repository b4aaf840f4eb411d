"""``meter factors``: the book of dated facts that figures stand on."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click

from meter import figures
from meter.cli import output
from meter.cli.book_files import as_csv, say, take, take_sheet, told_of, told_options
from meter.cli.factor_packages import PACKAGE, ecologits_sheet
from meter.cli.reads import LEDGER_NAME, agent_reads, reads
from meter.cli.session import (
    Session,
    as_of_option,
    debug_option,
    example,
    json_option,
    socket_option,
)
from meter.cli.sync import sync_command
from meter.cli.windows_told import times
from meter.errors import UsageError
from meter.factors.factor_rows import BOOK, COLUMNS
from meter.factors.imports import FACTOR_FORMATS, Wanted, factor_sheet
from meter.model import FactorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.cli.writes import Taken, Writes
    from meter.factors.rows import Row

MOST = 100_000
_TABLE = 200  # rows of a table that people read
_CSV = [*(name for name in COLUMNS if name != "recorded_at"), "id"]


@click.group("factors", epilog=example("meter factors import tariff.csv"))
def factors_command() -> None:
    """Dated facts: grid intensity, tariffs, PUE and what else figures stand on.

    What was imported for a site goes before what is configured for it.

    Rows are never changed: a correction is a new row, and what was reported before is still told
    with --as-of.
    """


factors_command.add_command(sync_command)


@factors_command.command("list", epilog=example("meter factors list --kind grid_intensity"))
@click.option(
    "--kind",
    type=click.Choice([k.value for k in FactorKind]),
    metavar="K",
    help="Only this kind, such as electricity_price.",
)
@click.option("--scope", metavar="S", help="Only this zone, site, cloud region, or world.")
@click.option("--book", metavar="B", help="Only rows of this book, such as import.")
@click.option("--all", "everything", is_flag=True, help="Superseded and withdrawn rows too.")
@click.option("--bundled", is_flag=True, help="What comes with meter, used here or not.")
@click.option("--limit", type=click.IntRange(1, 100_000), metavar="N", help="At most this many.")
@click.option(
    "--csv",
    "csv_wanted",
    is_flag=True,
    help="Print imported rows as CSV that can be imported, what was corrected in parts in the"
    " order it was learned; other books by --book.",
)
@as_of_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def list_command(session: Session, /, *, csv_wanted: bool, as_json: bool, **asked: Any) -> None:
    """List the rows that stand: the newest about each thing."""
    if csv_wanted and as_json:
        raise UsageError("--csv and --json are two forms", "give one of them")
    if csv_wanted and not asked["bundled"]:
        asked["book"] = asked["book"] or BOOK
    found = _found(session, asked)
    if as_json:
        output.print_json({"factors": found})
    elif csv_wanted:
        click.echo(as_csv(_CSV, found))
    elif found:
        most = asked["limit"] or _TABLE
        click.echo(text(found[:most]))
        if len(found) > most:
            click.echo(f"meter: {len(found) - most:,} more: --limit {len(found)}", err=True)
        if asked["bundled"] and not any(asked[name] for name in ("kind", "scope", "book")):
            click.echo(_processors())
    else:
        click.echo("No such factors. Without filters, `meter factors list` lists all.")


def _found(session: Session, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the ledger; of the bundled books where they are asked for, or there is no ledger."""
    config = session.config
    names = ("kind", "scope", "book", "as_of")
    query = {name: str(asked[name]) for name in names if asked[name] is not None}
    query |= {"all": "true"} if asked["everything"] else {}
    limit = asked["limit"] or MOST
    missing = not (config.home / LEDGER_NAME).exists() and agent_reads(config) is None
    if asked["bundled"] or (missing and not asked["as_of"]):
        if not asked["bundled"]:
            click.echo("meter: there is no ledger yet: these come with meter", err=True)
        return _bundled(query)[:limit]
    with reads(config) as source:
        return source.listed("factors", {**query, "limit": str(limit)})


def _bundled(query: dict[str, str]) -> list[dict[str, Any]]:
    from meter.cli.bundled_book import bundled_rows  # noqa: PLC0415 - many, and rarely asked for

    wanted = [(name, query[name]) for name in ("kind", "scope", "book") if name in query]
    return [row for row in bundled_rows() if all(row[name] == value for name, value in wanted)]


def _processors() -> str:
    from meter.cli.bundled_book import listed_processors  # noqa: PLC0415 - reads the books

    return f"The TDP of {listed_processors():,} processors comes from codecarbon's list."


def text(found: list[dict[str, Any]], columns: int | None = None) -> str:
    """Rows as a table."""
    rows = [
        [
            _short(row["id"]),
            row["kind"],
            figures.printable(row["scope"], 16),
            figures.printable(_value(row), 28),
            figures.printable(_told(row), 200),
        ]
        for row in found
    ]
    heads = ("ID", "KIND", "SCOPE", "VALUE", "SOURCE")
    return output.table(heads, rows, wrap=4, columns=columns)


def _short(factor_id: str) -> str:
    """The end of an id, which is enough to show it."""
    return factor_id.rpartition(":")[2]


def _value(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "withdrawn"
    return figures.factor_value({**row, "low": None, "high": None})


def _told(row: dict[str, Any]) -> str:
    parts = [figures.factor_source(row)]
    parts += [row["item"]] if row["item"] else []
    parts += [times(row["windows"])] if row["windows"] else []
    parts += [_validity(row)] if row["valid_from"] or row["valid_to"] else []
    parts += [row["status"]] if row["status"] == "superseded" else []
    return "; ".join(parts)


def _validity(row: dict[str, Any]) -> str:
    start, end = (_day(row[name]) for name in ("valid_from", "valid_to"))
    return f"{start} to {end}" if start and end else f"from {start}" if start else f"until {end}"


def _day(instant: str | None) -> str:
    """Date, with the time where it is not midnight."""
    if not instant:
        return ""
    date, _, time = instant.rstrip("Z").partition("T")
    return date if time == "00:00:00" else f"{date} {time[:5]}"


@factors_command.command("show", epilog=example("meter factors show 0f3a9c21b7de"))
@click.argument("factor", metavar="ID")
@json_option
@socket_option
@debug_option
@click.pass_obj
def show_command(session: Session, *, factor: str, as_json: bool) -> None:
    """Show everything about a row, and what stood before and after it.

    ID is an id, or its last part as `meter factors list` shows it.
    """
    with reads(session.config) as source:
        history = source.history(factor)
    meant = next(row for row in history if row["meant"])
    after = [row for row in history if row["recorded_at"] > meant["recorded_at"]]
    by = min(after, key=lambda row: row["recorded_at"])["id"] if after else None
    whole: dict[str, Any] = {name: value for name, value in meant.items() if name != "meant"}
    whole["superseded_by"] = by
    if as_json:
        output.print_json({"factor": whole, "history": history})
        return
    click.echo(_all_of(whole))
    if len(history) > 1:
        click.echo("\nAll rows about this, newest first:")
        click.echo(_history(history))


_SHOWN = (
    "id", "kind", "scope", "item", "value", "low", "high", "unit", "share", "basis", "method",
    "source", "source_date", "licence", "valid_from", "valid_to", "windows", "rank", "book",
    "detail", "recorded_at", "status", "superseded_by",
)  # fmt: skip


def _all_of(row: dict[str, Any]) -> str:
    numbers = {"value", "low", "high", "share"}
    rows = []
    for name in _SHOWN:
        value = row.get(name)
        if value is None and name != "value":
            continue
        told = figures.plain(value) if name in numbers and value is not None else value
        rows.append([name.replace("_", " "), "withdrawn" if told is None else str(told)])
    return output.table(("FACT", ""), rows, wrap=1)


def _history(history: list[dict[str, Any]]) -> str:
    rows = [
        [_short(row["id"]), _day(row["recorded_at"][:19]), _value(row), _told(row)]
        for row in history
    ]
    return output.table(("ID", "RECORDED (UTC)", "VALUE", "SOURCE"), rows, wrap=3)


@factors_command.command(
    "import",
    epilog="""\b
Examples:
  meter factors import tariff.csv
  meter factors import --ecologits
  meter factors import bills.csv --site lab --timezone Europe/Paris
  meter factors import Cloud_Region_Metadata.csv \\
    --region aws:us-east-1 --site lab
""",
)
@click.argument("file", type=click.File("rb"), metavar="FILE", required=False)
@click.option(
    "--ecologits",
    is_flag=True,
    help="Energy of inference by the installed package (extra ecologits), instead of a file.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FACTOR_FORMATS),
    default="auto",
    show_default=True,
    metavar="F",
    help=f"One of {', '.join(FACTOR_FORMATS)}.",
)
@click.option("--site", metavar="S", help="The site that rows without a scope, or bills, are of.")
@click.option("--region", metavar="R", help="Of cloud regions only this one, aws:us-east-1.")
@click.option("--timezone", default="UTC", metavar="Z", help="Where the days of bills begin.")
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
    ecologits: bool,
    form: str,
    site: str | None,
    region: str | None,
    timezone: str,
    as_json: bool,
    **told: str | None,
) -> None:
    """Import a file of factors, all of it or nothing.

    CSV or YAML with a row for each fact, the Green Software Foundation's cloud regions, electricity
    bills, or a residual mix. A region's factors hold for a site if --site names it. Rows of the
    package ecologits go behind those of files (rank 150).
    """
    wanted = Wanted(form, site, region, timezone, told_of(**told))
    if (file is None) is not ecologits:
        raise UsageError("one source of factors is needed", "give FILE or --ecologits")
    if file is None:
        if wanted != Wanted():
            raise UsageError(
                "the package tells scopes, source and dates itself", "leave the options out"
            )
        sheet, taken = take_sheet(session.config, PACKAGE, ecologits_sheet, _write)
    else:
        sheet, taken = take(session.config, file, (factor_sheet, wanted), _write)
    say(sheet, taken, what="factors", as_json=as_json)


def _write(writes: Writes, rows: Sequence[Row]) -> Taken:
    return writes.factors(rows)


factors_command.add_command(sync_command)
