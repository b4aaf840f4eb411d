"""``meter runs add``: a run that was not metered."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from meter import summary
from meter.cli import output
from meter.cli.reads import LEDGER_NAME
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.cli.writes import AgentWrites, writes
from meter.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.cli.writes import FileWrites
    from meter.past import Statement

PATH = "/v1/runs/past"
_EXAMPLE = (
    "meter runs add --name llama-65b --gpu-hours 1022362 --watts 400 --pue 1.1 --intensity 385"
)
_BAND = "VALUE[:LOW:HIGH]"
_OPTIONS = (
    ("--gpu-hours", "H", "GPU-hours of all GPUs together."),
    ("--wall-hours", "H", "Hours that the run took."),
    ("--count", "N", "GPUs that it ran on, where no GPU-hours are given."),
    ("--watts", _BAND, "Mean power of one GPU, in W."),
    ("--gpu", "MODEL", "GPU model, whose power is looked up: H100."),
    ("--start", "T", "When it started (UTC); default: it has just ended."),
    ("--end", "T", "When it ended (UTC)."),
    ("--pue", _BAND, "Facility energy over IT energy."),
    ("--intensity", _BAND, "Grid intensity in gCO2e/kWh."),
    ("--zone", "ZONE", "Grid zone, instead of an intensity: FRA."),
    ("--price", _BAND, "Price of a kWh: 0.2EUR."),
    ("--gpu-rate", _BAND, "Price of a GPU-hour."),
    ("--currency", "CODE", "Currency of the prices: EUR."),
    ("--project", "P", "Project that pays."),
    ("--id", "ID", "Id of the run: adding it again changes nothing."),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, metavar, text in reversed(_OPTIONS):
        function = click.option(name, metavar=metavar, help=text)(function)
    return function


def _tags(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    tags = []
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            shown = value if len(value) <= 40 else f"{value[:37]}..."
            raise UsageError(f"--tag {shown!r} is not KEY=VALUE", "write for example --tag lr=2e-5")
        tags.append((key, text))
    return tags


@click.command("add", epilog=example(_EXAMPLE.replace(" --pue", " \\\n    --pue")))
@click.option("--name", required=True, metavar="N", help="Name of the run.")
@_options
@click.option("--tag", "tags", multiple=True, metavar="K=V", callback=_tags, help="Label; repeat.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def add_command(
    session: Session, /, *, as_json: bool, tags: list[tuple[str, str]], **told: Any
) -> None:
    """Book a run that was not metered, from what is known of it.

    Its energy is GPU-hours times watts, spread evenly over its time and labelled modelled.
    What is not stated is the configuration's, and a notice says so.
    """
    from meter.past import Statement  # noqa: PLC0415 - `meter runs` needs no factor books

    stated = Statement(**told, tags=tuple(tags))
    with writes(session.config) as target:
        document = _added(target, stated)
    if "not_shown" in document:
        shown = f"booked as {document['id']}, but cannot be shown now: {document['not_shown']}"
        click.echo(f"meter: {shown}", err=True)
    if as_json:
        output.print_json(document)
    elif "not_shown" not in document:
        path = session.config.home / LEDGER_NAME
        click.echo(summary.text(document, width=output.width(), ledger=path))


def _added(target: AgentWrites | FileWrites, stated: Statement) -> dict[str, Any]:
    if isinstance(target, AgentWrites):
        said = {key: value for key, value in asdict(stated).items() if value}
        return target.post(PATH, {**said, "tags": dict(stated.tags)})
    from meter.ledger import reports  # noqa: PLC0415 - DuckDB is known_of when needed
    from meter.past import booked, known_of, store  # noqa: PLC0415

    known = known_of(target.ledger, target.config)
    past = booked(stated, target.config, time.time_ns() // 1_000, known)
    store(target.ledger, past)
    try:
        with target.ledger.reader() as reader:
            return reports.run_document(reader, past.run_id)
    except LedgerError as error:
        return {"id": past.run_id, "not_shown": str(error)}
