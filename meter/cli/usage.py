"""``meter usage``: what hosted models were used for."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import click

from meter import missing_prices
from meter.cli import output, usage_energy, usage_faults
from meter.cli.reads import reads
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.cli.writes import AgentWrites, writes
from meter.errors import PartlyTakenError, UsageError
from meter.launch.client import Encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.cli.usage_import import Told
    from meter.cli.writes import FileWrites

PATH = "/v1/usage"
_SHOWN = 5
_RECORD = (
    "meter usage record --provider openai --model gpt-4o-mini-2024-07-18 --meter train_token "
    "--quantity 300000 --id job-1"
)


@click.group("usage", epilog=example("meter usage import events.jsonl"))
def usage_command() -> None:
    """Usage of hosted models: tokens, hours, requests."""


@usage_command.command("import", epilog=example("meter usage import batch_output.jsonl.gz"))
@click.argument("file", type=click.File("rb"))
@click.option("--provider", metavar="P", help="Whose responses these are, if they do not tell.")
@click.option("--model", metavar="M", help="Model, where a response names none (Bedrock).")
@click.option("--project", metavar="P", help="Project that pays, where an event names none.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def import_command(
    session: Session, /, *, file: IO[bytes], as_json: bool, **beside: str | None
) -> None:
    """Take usage from JSON lines: events, responses, or the output file of a batch.

    What is whole is taken; each line that is not is named. Importing a file again, or what it has
    grown to, counts nothing twice. Prompts and answers are never stored.
    """
    from meter.cli import usage_import  # noqa: PLC0415 - only where it is asked for

    told = usage_import.Told()
    said = {name: word for name, word in beside.items() if word is not None}
    with (
        writes(session.config) as target,
        output.counting("events", output.share_read(file)) as show,
    ):
        if isinstance(target, AgentWrites):
            parts = usage_import.by_agent(file, said, partial(_take, target), told)
        else:
            parts = usage_import.to_file(target, file, said, told)
        with closing(parts):
            for _ in parts:
                show(told.done)
    _say(told, as_json=as_json)


@usage_command.command("record", epilog=example(_RECORD.replace(" --meter", " \\\n    --meter")))
@click.option("--provider", required=True, metavar="P", help="Who sold it: openai.")
@click.option("--model", required=True, metavar="M", help="Model, as the provider calls it.")
@click.option("--meter", required=True, metavar="METER", help="What is counted: train_token.")
@click.option("--quantity", required=True, metavar="N", help="How much of it.")
@click.option("--id", "id_", required=True, metavar="ID", help="Told again, it counts once.")
@click.option("--at", metavar="T", help="When (UTC); default: now.")
@click.option("--unit", metavar="U", help="Of the quantity, if not its meter's: minutes.")
@click.option("--source", metavar="S", help="Who tells it; default: the provider.")
@click.option("--project", metavar="P", help="Project that pays.")
@click.option("--run", metavar="RUN", help="Run that it belongs to.")
@click.option("--region", metavar="R", help="Where it ran, as the provider calls it.")
@click.option("--service-tier", metavar="T", help="As prices have it: batch.")
@click.option("--training", metavar="T", help="Of a training, as prices have it: rft.")
@click.option("--adapter", metavar="A", help="Of a training, as prices have it: lora.")
@click.option("--parameters-b", metavar="N", help="Size of the base model in billions.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def record_command(session: Session, /, *, id_: str, as_json: bool, **said: str | None) -> None:
    """Record usage that was counted by hand, such as the tokens of a training."""
    at = said["at"] or f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}Z"
    event = {
        **{name: value for name, value in said.items() if value is not None},
        "id": id_,
        "at": at,
    }
    with writes(session.config) as target:
        (answer,) = _take(target, [event])
    if said["at"] is None and usage_faults.differs(answer) == ["at"]:
        answer = {**answer, "status": "duplicate"}  # told again, at another instant that is "now"
    if answer["status"] in {"conflict", "invalid"}:
        raise UsageError(
            usage_faults.reason(answer),
            "" if answer["status"] == "invalid" else "give another --id",
        )
    if as_json:
        output.print_json(answer)
    else:
        known = answer["status"] == "duplicate"
        click.echo("Known already: nothing was counted twice." if known else "Recorded.")


def _take(target: AgentWrites | FileWrites, values: Sequence[object]) -> list[dict[str, Any]]:
    if isinstance(target, AgentWrites):
        from meter.hosted.jsonl import text_of  # noqa: PLC0415 - only where lines are read

        found: list[dict[str, Any]] = target.post(PATH, Encoded(text_of(values)))["results"]
        return found
    from meter.usage_intake import take_usage  # noqa: PLC0415 - DuckDB is imported when needed

    now_us = time.time_ns() // 1_000
    answers = take_usage(target.ledger, values, now_us, target.config.project)
    return [answer.json() for answer in answers]


def _say(told: Told, *, as_json: bool) -> None:
    if as_json:
        output.print_json({k: v for k, v in vars(told).items() if k != "all_faults"})
    else:
        failed = f", {told.unused:,} that used nothing" if told.unused else ""
        click.echo(f"Usage: {told.stored:,} new, {told.duplicate:,} known already{failed}.")
    usage_faults.say(told.faults, told.all_faults)
    if told.all_faults:
        raise PartlyTakenError(
            f"not taken: {told.all_faults:,} of the lines", "mend them and import again"
        )


@usage_command.command("list", epilog=example("meter usage list --from 2026-11-01 --project chat"))
@click.option("--from", "from_", metavar="D", help="First day or instant (UTC).")
@click.option("--to", metavar="D", help="Day or instant (UTC) where it ends.")
@click.option("--project", metavar="P", help="Only of this project.")
@click.option("--unpriced", is_flag=True, help="Only what has no price.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def list_command(session: Session, /, *, unpriced: bool, as_json: bool, **asked: Any) -> None:
    """List usage by project, model and meter, with its cost; the dearest first.

    GPU-seconds of no job have the energy that their GPUs are estimated to have used, and with
    `meter factors import --ecologits` output tokens have theirs: modelled, in no sum. Of usage
    without a price the rows to add to a sheet of prices are on stderr, all with --unpriced.
    """
    query = {"from": asked["from_"], "to": asked["to"], "project": asked["project"]}
    given = {name: str(word) for name, word in query.items() if word is not None}
    with reads(session.config) as source:
        found = source.listed("usage", given)
        spent = any(row["meter"] == "gpu_second" for row in found)
        energy = usage_energy.Energy(
            source.listed("inference", given), source.listed("gpu_time", given) if spent else ()
        )
    if unpriced:
        found = [row for row in found if row["unpriced"]]
    if as_json:
        told = {"inference": energy.inference, "gpu_time": list(energy.gpu_time)}
        output.print_json({"usage": found, **told})
        return
    if not found:
        click.echo("No such usage. Bring some: meter usage import FILE")
        return
    click.echo(usage_energy.table(found, energy))
    _say_unpriced(found, None if unpriced else _SHOWN)
    for line in usage_energy.notices(found, energy):
        click.echo(f"meter: {line}", err=True)


def _say_unpriced(found: list[dict[str, Any]], most: int | None) -> None:
    """The rows of prices that are missing, ready to be filled in; at most so many."""
    rows = missing_prices.merged(row for one in found for row in one["missing_prices"])
    if not rows:
        return
    click.echo(
        "meter: prices are missing: put these rows in a file, fill in each `?` (an empty cell is"
        " any), and `meter prices import FILE.csv`", err=True,
    )  # fmt: skip
    for line in missing_prices.sheet(rows[:most]):
        click.echo(line, err=True)
    if most is not None and len(rows) > most:
        some = f"{len(rows) - most:,} more rows" if len(rows) > most + 1 else "1 more row"
        click.echo(f"meter: and {some}: `{missing_prices.LISTED_BY}` has all", err=True)
