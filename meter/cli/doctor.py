"""``meter doctor``: what can be measured here, what is missing, what to do."""

from __future__ import annotations

import platform
import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meter import __version__, settings
from meter.cli import output
from meter.cli.checks import Check, State, all_checks, configuration
from meter.cli.session import Session, debug_option, example, json_option, socket_option
from meter.figures import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS = {State.OK: "ok", State.MISSING: "--", State.PROBLEM: "!!"}
_NAME = 9


@click.command("doctor", epilog=example("meter doctor --json"))
@json_option
@socket_option
@debug_option
@click.pass_obj
def doctor_command(session: Session, *, as_json: bool) -> int:
    """Tell what can be measured here, what is missing, and what to do.

    Tries every source and device once. Exit code 1 if something is broken
    (!!); what is only missing (--) leaves it 0.
    """
    found = examine(session)
    broken = any(check.state is State.PROBLEM for check in found)
    if as_json:
        output.print_json(as_document(found))
    else:
        click.echo(text(found, output.width()))
    return int(broken)


def examine(session: Session) -> list[Check]:
    """All checks; a configuration that is broken is one of them."""
    environment = session.environment
    flags = {"socket": session.socket}
    config, notices = settings.load_leniently(environment.variables, flags)
    file = configuration(Path(environment.config_file), [notice.text for notice in notices])
    return [*all_checks(config, python_home=environment.python_home), file]


def as_document(found: Sequence[Check]) -> dict[str, object]:
    """The findings for programs."""
    return {
        "schema": "meter.doctor/1",
        "version": __version__,
        "python": platform.python_version(),
        "ok": all(check.state is not State.PROBLEM for check in found),
        "checks": [
            {
                "area": check.area,
                "name": check.name,
                "state": str(check.state),
                "finding": check.finding,
                "remedy": check.remedy or None,
            }
            for check in found
        ],
    }


def text(found: Sequence[Check], columns: int = 80) -> str:
    """The findings for people."""
    blocks = [f"meter {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    for area, checks in groupby(found, lambda check: check.area):
        blocks.append("\n".join([area, *(_lines(check, columns) for check in checks)]))
    blocks.append(_verdict(found))
    return "\n\n".join(textwrap.fill(b, columns) if "\n" not in b else b for b in blocks)


def _lines(check: Check, columns: int) -> str:
    indent = " " * (_NAME + 7)
    head = f"  {_MARKS[check.state]:<3} {printable(check.name, _NAME):<{_NAME}} "
    shown = textwrap.fill(
        printable(check.finding, 600),
        columns,
        initial_indent=head,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    if check.remedy and check.state is not State.OK:
        shown += "\n" + textwrap.fill(
            f"-> {printable(check.remedy, 400)}",
            columns,
            initial_indent=indent,
            subsequent_indent=f"{indent}   ",
            break_on_hyphens=False,
        )
    return shown


def _verdict(found: Sequence[Check]) -> str:
    states = [check.state for check in found]
    broken, missing = states.count(State.PROBLEM), states.count(State.MISSING)
    if broken:
        return f"{broken} broken (!!), {missing} missing (--); what to do stands beside each."
    if missing:
        return f"Nothing is broken; {missing} missing (--), with what to do beside each."
    return "Everything is there."
