"""``meter show``: one run in the terminal."""

from __future__ import annotations

from typing import Any

import click

from meter import figures, summary
from meter.cli import output
from meter.cli.reads import LEDGER_NAME, reads
from meter.cli.session import (
    Session,
    as_of_option,
    currency_option,
    debug_option,
    example,
    json_option,
    socket_option,
)
from meter.summary import IN_MEMORY


@click.command("show", epilog=example("meter show last --json | jq .energy.it"))
@click.argument("run", default="last")
@as_of_option
@currency_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def show_command(
    session: Session, *, run: str, as_of: str | None, currency: str | None, as_json: bool
) -> None:
    """Show one run in the terminal.

    RUN is an id, the beginning of one, a name, or `last` (the default).
    """
    with reads(session.config) as source:
        document, kept = source.document(run, as_of, currency), source.keeps()
    if as_json:
        output.print_json(document)
    else:
        click.echo(text(document, session.config.home / LEDGER_NAME if kept else IN_MEMORY))


def text(document: dict[str, Any], ledger: object = None, columns: int | None = None) -> str:
    """The summary, then devices, ids of others, factors and all notices."""
    columns, document = columns or output.width(), dict(figures.readable(document))
    parts = [summary.text(document, width=columns, ledger=str(ledger) if ledger else None)]
    if document["energy"]["devices"]:
        parts.append(_devices(document, columns))
    if document["run"].get("links"):
        parts.append(_links(document, columns))
    if document.get("factors"):
        parts.append(_factors(document, columns))
    if document.get("notices"):
        parts.append(_notices(document, columns))
    return "\n\n".join(parts)


def _devices(document: dict[str, Any], columns: int) -> str:
    whole = document["energy"]["it"]
    simulated = bool(document.get("simulated"))  # of the whole: one simulated part makes it so
    rows = [
        [
            figures.component(device["component"]),
            figures.printable(device["name"], 60),
            figures.figure(device["energy"], whole),
            figures.bounds(device["energy"], whole),
            "" if device["coverage"] is None else figures.percent(float(device["coverage"])),
            figures.method(device["method"], simulated=device.get("simulated", simulated)),
        ]
        for device in figures.devices(document)
    ]
    heads = ("PART", "DEVICE", "ENERGY", "LOW TO HIGH", "COVERED", "METHOD")
    return output.table(heads, rows, right=(2, 3, 4), wrap=1, columns=columns)


def _links(document: dict[str, Any], columns: int) -> str:
    rows = [
        [link["source"], figures.printable(link["id"], 256)] for link in document["run"]["links"]
    ]
    return output.table(("LINKED TO", "ID"), rows, wrap=1, columns=columns)


def _factors(document: dict[str, Any], columns: int) -> str:
    rows = [
        [
            figures.factor_kind(factor["kind"]),
            figures.factor_value(factor),
            figures.printable(figures.factor_source(factor), 200),
        ]
        for factor in document["factors"]
    ]
    heads = ("FACTOR", "VALUE", "SOURCE")
    return output.table(heads, rows, wrap=2, columns=columns)


def _notices(document: dict[str, Any], columns: int) -> str:
    rows = [
        [figures.printable(notice["code"], 30), figures.printable(notice["text"], 500)]
        for notice in document["notices"]
    ]
    return output.table(("NOTICE", ""), rows, wrap=1, columns=columns)
