"""``meter bill``: what providers say they billed, beside what usage costs by the books."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from meter.cli import output, usage_faults
from meter.cli.bill_text import shown
from meter.cli.faulty import nothing_imported
from meter.cli.reads import LEDGER_NAME, agent_reads, reads
from meter.cli.session import (
    Session,
    as_of_option,
    debug_option,
    example,
    json_option,
    socket_option,
)
from meter.cli.writes import repeated
from meter.errors import PartlyTakenError, UsageError
from meter.hosted.bills.importing import FORMATS, bill_of
from meter.hosted.bills.rows import BYTES, NOT_OVER, BillError
from meter.hosted.bills.wanted import AUTO, Wanted
from meter.instants import parse_us
from meter.reserved import check_label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meter.cli.writes import Writes
    from meter.hosted.bills.importing import Bill

_COSTS = ("openai",)
_CONFLICT = "conflict"


def _projects_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which project of ours pays."""
    for option in (
        click.option(
            "--map-project",
            "mapped",
            metavar="ID=P",
            multiple=True,
            help="The provider's project or account ID is our project P; may be repeated.",
        ),
        click.option("--project", metavar="P", help="Project that pays for all of it."),
    ):
        function = option(function)
    return function


@click.group("bill", epilog=example("meter bill show --from 2026-11-01"))
def bill_command() -> None:
    """What providers billed, beside what usage costs by the price book."""


@bill_command.command(
    "import",
    epilog="\b\nExamples:\n  meter bill import costs.json --provider openai\n"
    "  meter bill import focus.csv --provider azure --service 'Azure OpenAI'\n",
)
@click.argument("file", type=click.File("rb"), metavar="FILE")
@click.option("--provider", metavar="P", required=True, help="Who billed, as usage names it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default=AUTO,
    show_default=True,
    metavar="F",
    help=f"One of {', '.join(FORMATS)}.",
)
@_projects_option
@click.option("--service", metavar="S", multiple=True, help="Only this ServiceName of FOCUS.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def import_command(
    session: Session,
    /,
    *,
    file: IO[bytes],
    provider: str,
    form: str,
    project: str | None,
    mapped: Sequence[str],
    service: Sequence[str],
    as_json: bool,
) -> None:
    """Import a bill, all of it or nothing.

    Pages of OpenAI's costs, Together's jobs, a FOCUS 1.2 table, or a table with the columns start,
    end (the instant after the last), amount, currency and line_item. What is imported again with
    another amount is a correction. Fireworks' metrics and OpenAI's count of tokens have no amounts:
    they are taken as usage, and an event that is known otherwise is refused alone (exit 1).
    """
    wanted = Wanted(_word(provider), form, _label(project), _mapping(mapped), tuple(service))
    bill = _read(file, wanted)
    _take(session, bill, as_json=as_json)


@bill_command.command(
    "sync", epilog=example("meter bill sync --provider openai --since 2026-11-01")
)
@click.option(
    "--provider", type=click.Choice(_COSTS), required=True, metavar="P", help="openai, so far."
)
@click.option("--since", metavar="D", help="First day (UTC); 31 days back if not given.")
@click.option("--usage", is_flag=True, help="Its own count of tokens instead of money.")
@_projects_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File of the admin key, instead of OPENAI_ADMIN_KEY.",
)
@click.option("--base-url", metavar="URL", help="Where the API is, if not at the provider.")
@json_option
@socket_option
@debug_option
@click.pass_obj
def sync_command(
    session: Session,
    /,
    *,
    provider: str,
    since: str | None,
    project: str | None,
    mapped: Sequence[str],
    usage: bool,
    as_json: bool,
    **reach: Any,
) -> None:
    """Fetch what a provider billed, day by day.

    Days that were fetched before are fetched again: until a bill is closed it is corrected, and
    the newest word on each charge holds. With --usage the tokens of days that are over, as usage:
    for those whose requests are told from nowhere else. Needs an admin key (OPENAI_ADMIN_KEY).
    """
    from meter.hosted.access import access_of  # noqa: PLC0415 - only sync reaches the network
    from meter.hosted.costs import COSTS, PROVIDER, USAGE, synced  # noqa: PLC0415

    wanted = Wanted(provider, project=_label(project), projects=_mapping(mapped))
    since_us = None if since is None else parse_us(since, "--since")
    if since_us is not None and since_us > _now_us():
        raise UsageError("--since is still to come", "give a day that has begun")
    variables = session.environment.variables
    access = access_of(PROVIDER, variables, **reach)
    report = USAGE if usage else COSTS
    _take(session, synced(report, access, since_us, wanted, _now_us, time.sleep), as_json=as_json)


@bill_command.command("show", epilog=example("meter bill show --from 2026-11-01 --project chat"))
@click.option("--from", "from_", metavar="D", help="First day (UTC); 31 days back if not given.")
@click.option("--to", metavar="D", help="Day after the last (UTC); tomorrow if not given.")
@click.option("--project", metavar="P", help="Only of this project.")
@click.option("--all", "everything", is_flag=True, help="Lines that agree too.")
@as_of_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def show_command(
    session: Session, /, *, from_: str | None, everything: bool, as_json: bool, **asked: str | None
) -> None:
    """Compare bills with what usage costs: by UTC day, provider, project and line.

    Each difference has its reason, or is called not explained. Hosted models that cost by the hour
    and were asked nothing are listed with their hours.
    """
    config = session.config
    if not (config.home / LEDGER_NAME).exists() and agent_reads(config) is None:
        raise UsageError("there is no bill yet", "bring one: meter bill import FILE --provider P")
    query = {"from": from_, **asked}
    with reads(config) as source:
        found = source.bill({name: value for name, value in query.items() if value is not None})
    if as_json:
        output.print_json(found)
    else:
        click.echo(shown(found, everything=everything))


def _read(file: IO[bytes], wanted: Wanted) -> Bill:
    """The bill of a file; every fault is a line on stderr. Raises MeterError."""
    name = getattr(file, "name", "-")
    try:
        return bill_of(file.read(BYTES + 1), wanted, _now_us())
    except BillError as error:
        raise nothing_imported(error, name) from None


def _take(session: Session, bill: Bill, *, as_json: bool) -> None:
    """Write a bill and say what became of it. Raises PartlyTakenError where usage differs."""

    def written(writes: Writes) -> tuple[list[str], list[dict[str, Any]]]:
        return writes.charges(bill.charges), writes.usage(bill.usages)

    charges, usage = repeated(session.config, written)
    counts, used = Counter(charges), Counter(one["status"] for one in usage)
    faults = [one for one in usage if one["status"] == _CONFLICT]
    credit = sum(1 for one in bill.charges if one.amount < 0)
    late = sum(1 for one in bill.charges if NOT_OVER in one.flags)
    if as_json:
        names = ("stored", "duplicate", "corrected")
        told: dict[str, Any] = {"charges": {name: counts[name] for name in names}}
        told |= {"credits": credit, "not_over": late, "usage": dict(used), "faults": faults}
        output.print_json({**told, "notices": list(bill.notices)})
    else:
        for notice in bill.notices:
            for line in output.wrapped(f"meter: {notice}", "", hanging="  "):
                click.echo(line, err=True)
        for line in _said(counts, used, credit, late):
            click.echo(line)
    usage_faults.say(faults, len(faults))
    if faults:
        raise PartlyTakenError(
            f"not taken: {len(faults):,} of the events of usage, which are known otherwise",
            "what was stored first holds; the others are stored",
        )


def _said(counts: Counter[str], used: Counter[str], credit: int, late: int) -> list[str]:
    """What became of it, in sentences."""
    if used:
        return [
            f"{used['stored']:,} new events of usage, {used['duplicate']:,} known already."
            + (f" {used[_CONFLICT]:,} refused: known otherwise." if used[_CONFLICT] else "")
        ]
    new, known, corrected = counts["stored"], counts["duplicate"], counts["corrected"]
    if not (new or corrected):
        return ["No news: all charges known." if known else "There are no charges."]
    parts = [f"{new:,} new charge{'' if new == 1 else 's'}"] if new else []
    parts += [f"{corrected:,} corrected"] if corrected else []
    parts += [f"{known:,} known already"] if known else []
    lines = [f"{', '.join(parts)}."]
    lines += [f"Credits among them: {credit:,}."] if credit else []
    lines += [f"Not final: {late:,}, of a day that is not over."] if late else []
    return lines


def _mapping(mapped: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in mapped]
    if any(not (before and after) for before, _, after in pairs):
        raise UsageError("--map-project is ID=P", "write for example --map-project proj_1=chat")
    return {before: check_label("--map-project", after) for before, _, after in pairs}


def _label(project: str | None) -> str | None:
    return None if project is None else check_label("--project", project)


def _word(provider: str) -> str:
    """A provider's name as usage has it."""
    word = provider.strip().lower()
    if not word or len(word) > 60 or not word.isprintable():
        raise UsageError("--provider is no name", "write for example --provider openai")
    return word


def _now_us() -> int:
    return time.time_ns() // 1_000
