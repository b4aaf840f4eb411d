"""``meter export``: history for Prometheus."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meter.cli import output
from meter.cli.reads import agent_reads, reads
from meter.cli.session import Session, debug_option, example, socket_option
from meter.errors import UsageError
from meter.instants import instant, parse_us
from meter.launch.client import NoAgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meter.config import Config

_STEP = re.compile(r"([1-9]\d?)m|(1)h")
_STDOUT = "-"
_NOTHING = b"# EOF\n"
_EXAMPLE = "meter export openmetrics --from 2026-11-01 --to 2026-11-08 -o history.om"


@click.group("export", epilog=example(_EXAMPLE))
def export_command() -> None:
    """History for Prometheus."""


@export_command.command("openmetrics", epilog=example(_EXAMPLE))
@click.option("--from", "from_", metavar="D", required=True, help="First day or instant (UTC).")
@click.option("--to", metavar="D", help="Day or instant (UTC) where it ends; now if not given.")
@click.option(
    "--step", metavar="T", default="1m", show_default=True, help="Time from sample to sample."
)
@click.option(
    "--job",
    metavar="NAME",
    default="meter-history",
    show_default=True,
    help="Label of every series; empty for none.",
)
@click.option(
    "--instance",
    metavar="HOST:PORT",
    help="Label of every series; where the agent that is asked listens if not given, or would"
    " where none runs. Empty for none.",
)
@click.option("--no-runs", is_flag=True, help="Leave the series of single runs out.")
@click.option(
    "-o", "--output", "target", metavar="PATH", default=_STDOUT, help="File to write; - for stdout."
)
@socket_option
@debug_option
@click.pass_obj
def openmetrics_command(
    session: Session,
    *,
    from_: str,
    to: str | None,
    step: str,
    job: str,
    instance: str | None,
    no_runs: bool,
    target: str,
) -> None:
    """Write what /metrics would have shown, with timestamps.

    The file is for `promtool tsdb create-blocks-from openmetrics`. It covers whole UTC hours, by
    the facts known now; counters begin at zero. docs/history.md tells how to import it.
    """
    config = session.config
    asked = {
        "from": instant(parse_us(from_, "--from")),
        "to": instant(time.time_ns() // 1_000 if to is None else parse_us(to, "--to")),
        "step": str(_minutes(step)),
        "job": job,
        "instance": _listens(config) if instance is None else instance,
        "runs": "false" if no_runs else "true",
    }
    if target != _STDOUT:
        output.require_folder(Path(target))
    written = _Written()
    with reads(config) as source:
        blocks = written.seen(source.openmetrics(asked, _tell))
        if target == _STDOUT:
            for block in blocks:
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
        else:
            output.write_blocks(Path(target), blocks)
    if written.empty:
        what = "the history" if target == _STDOUT else f"wrote {target}, which"
        _tell(f"{what} is empty: nothing is known from {asked['from']} to {asked['to']}")
    elif target != _STDOUT:
        click.echo(f"wrote {target}; docs/history.md tells how to import it", err=True)


class _Written:
    """Whether what was written has a sample."""

    def __init__(self) -> None:
        self._size = 0

    @property
    def empty(self) -> bool:
        """Whether nothing came but the end of the file."""
        return self._size <= len(_NOTHING)

    def seen(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks, each counted as it passes."""
        for block in blocks:
            self._size += len(block)
            yield block


def _listens(config: Config) -> str:
    """Where the agent listens for Prometheus, "" where it does not; by the configuration if none.

    The configuration is the caller's: an agent may have been told another address.
    """
    agent = agent_reads(config)
    if agent is None:
        return config.listen
    try:
        listens = agent.status()["agent"]["listens"]
    except NoAgentError:  # it ended meanwhile: the file will be read
        return config.listen
    return str(listens[0]) if listens else ""


def _tell(line: str) -> None:
    click.echo(f"meter: {line}", err=True)


def _minutes(step: str) -> int:
    found = _STEP.fullmatch(step)
    if found is None:
        raise UsageError(f"{step[:20]!r} is no step", "write it like 1m, 5m or 1h")
    return 60 if found[2] else int(found[1])
