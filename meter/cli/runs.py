"""``meter runs``: the list of runs, and runs that were not metered."""

from __future__ import annotations

from typing import Any

import click

from meter import figures, side_told
from meter.cli import output
from meter.cli.reads import keeping_nothing, reads
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.errors import UsageError

_LEAST = 9
"""Columns that an amount keeps: seven of them fit into 80."""


class Runs(click.Group):
    """The list, and what can be done to it; commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The order of the help page."""
        del ctx
        return ["add", "import"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        if cmd_name == "add":
            from meter.cli.past import add_command  # noqa: PLC0415

            return add_command
        if cmd_name == "import":
            from meter.cli.runs_import import import_command  # noqa: PLC0415

            return import_command
        return None


@click.group(
    "runs",
    cls=Runs,
    invoke_without_command=True,
    no_args_is_help=False,
    subcommand_metavar="[add|import ...]",
    epilog=example("meter runs --project chatbot --limit 5"),
)
@click.option("--project", metavar="P", help="Only runs of this project.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=20,
    show_default=True,
    metavar="N",
    help="At most this many.",
)
@click.option(
    "--costs", is_flag=True, help="Tokens, money, energy, carbon and break-even side by side."
)
@json_option
@socket_option
@debug_option
@click.pass_context
def runs_command(
    ctx: click.Context, *, project: str | None, limit: int, costs: bool, as_json: bool
) -> None:
    """List runs, newest first."""
    if ctx.invoked_subcommand is None:
        show = _costs if costs else _list
        show(ctx.ensure_object(Session), project, limit, as_json=as_json)
    elif project is not None or as_json or costs:
        raise UsageError(
            "these options are of the list of runs",
            f"write them after `meter runs {ctx.invoked_subcommand}`",
        )


def _list(session: Session, project: str | None, limit: int, *, as_json: bool) -> None:
    with reads(session.config) as source:
        found, kept = source.runs(limit, project), source.keeps()
    if not kept:
        click.echo(f"meter: warning: {keeping_nothing(session.config.socket)}", err=True)
    if as_json:
        output.print_json({"runs": found})
    elif found:
        click.echo(text(found))
    else:
        which = f" of project {figures.printable(project, 40)!r}" if project else ""
        click.echo(f"No runs{which} yet. Meter one: meter run -- python train.py")


def _costs(session: Session, project: str | None, limit: int, *, as_json: bool) -> None:
    asked = {"limit": str(limit), **({"project": project} if project else {})}
    with reads(session.config) as source:
        found = source.listed("costs", asked)
    if as_json:
        output.print_json({"costs": found})
    elif found:
        click.echo(costs_text(found))
    else:
        click.echo("No runs yet. Meter one: meter run -- python train.py")


def costs_text(found: list[dict[str, Any]], columns: int | None = None) -> str:
    """Runs side by side as a table, and what its columns are of; carbon is location-based."""
    heads = ("RUN", "TOKENS", "MONEY", "PER 1M", "KWH", "GCO2E", "BREAK-EVEN")
    rows = [
        [
            figures.printable(f"{row['where']}: {row['name']}", 60) + side_told.evidence(row),
            side_told.tokens(row),
            side_told.money(row),
            side_told.per_million(row),
            side_told.energy(row),
            side_told.carbon(row),
            side_told.break_even(row),
        ]
        for row in found
    ]
    wraps = (0, 2, 3, 4, 5, 6)
    table = output.table(heads, rows, right=(1,), wrap=wraps, columns=columns, least=_LEAST)
    notes = [line for note in side_told.notes(found) for line in output.wrapped(note, "")]
    return "\n".join([table, "", *notes])


def text(runs: list[dict[str, Any]], columns: int | None = None) -> str:
    """Runs as a table."""
    length = _id_length([str(run["run_id"]) for run in runs])
    rows = [_row(run, length) for run in runs]
    heads = ("RUN", "NAME", "START (UTC)", "STATUS", "IT ENERGY", "COST")
    return output.table(heads, rows, right=(4, 5), wrap=(1, 5, 2), columns=columns)


def _id_length(ids: list[str]) -> int:
    """The shortest beginning that tells these ids apart, at least 12 characters."""
    longest = max(map(len, ids))
    return next((n for n in range(12, longest) if len({i[:n] for i in ids}) == len(ids)), longest)


def _row(run: dict[str, Any], id_length: int) -> list[str]:
    started = str(run.get("started_at") or "")
    name = figures.printable(run.get("name") or "", 60)
    name += f" [{figures.printable(run.get('project') or '', 20)}]"
    if run.get("simulated"):
        name += " (simulated)"
    return [
        str(run["run_id"])[:id_length],
        name,
        started[:16].replace("T", " "),
        str(run.get("status") or "")[:9],
        _it_energy(run),
        side_told.money(run, bounds=False),
    ]


def _it_energy(run: dict[str, Any]) -> str:
    """The energy so far; an upper bound is written as one, what nobody can say as not known."""
    if not run["energy_j"] and run.get("status") == "running":
        return "..."
    if run["energy_j"] is None:
        return "not known"
    if run.get("only_bound"):
        return f"<= {figures.figure({'value': run['high_j'], 'unit': 'J'})}"
    return figures.figure({"value": run["energy_j"], "unit": "J"})
