"""The group of commands: loads each when it is asked for, turns every error into one line."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import NamedTuple

import click

from meter import __version__
from meter.cli.session import Session
from meter.environment import Environment
from meter.errors import MeterError, UsageError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


class Entry(NamedTuple):
    """Where a command is, and what it does in a few words."""

    module: str
    help: str


COMMANDS: dict[str, Entry] = {
    "run": Entry("meter.cli.launch", "Run a command under the meter."),
    "exec": Entry("meter.cli.launch", "Become a command, with a meter beside it."),
    "attach": Entry("meter.cli.launch", "Meter a process that runs already."),
    "agent": Entry("meter.cli.agent", "Serve this node's meter in the foreground."),
    "status": Entry("meter.cli.status", "Show what is being metered now."),
    "runs": Entry("meter.cli.runs", "List runs; book some that were not metered."),
    "show": Entry("meter.cli.show", "Show one run in the terminal."),
    "report": Entry("meter.cli.report", "Write a run's report to a file."),
    "whatif": Entry("meter.cli.whatif", "Compare a run with the same run elsewhere."),
    "verify": Entry("meter.cli.verify", "Check that nothing in the ledger was changed."),
    "factors": Entry("meter.cli.factors", "List, import and fetch factors: grids, tariffs, PUE."),
    "prices": Entry("meter.cli.prices", "List and import prices of hosted models."),
    "usage": Entry("meter.cli.usage", "Take usage of hosted models; list what it cost."),
    "jobs": Entry("meter.cli.jobs", "Book fine-tuning jobs of providers."),
    "bill": Entry("meter.cli.bill", "Import bills; compare them with what usage costs."),
    "export": Entry("meter.cli.export", "Write history for Prometheus."),
    "grafana": Entry("meter.cli.grafana", "Write dashboards and alerts for your own Grafana."),
    "doctor": Entry("meter.cli.doctor", "Tell what can be measured here and what is missing."),
    "demo": Entry("meter.cli.demo", "See the whole path on simulated GPUs."),
}
_EPILOG = """\b
Examples:
  meter run -- python train.py
  meter show last
  meter report last -o report.html
"""


class Commands(click.Group):
    """Commands that are imported when they are called; `meter --help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module; its function is named like the command."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), f"{cmd_name}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module} has no command {cmd_name}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with the nearest command for a misspelt one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(f"there is no command {_short(args[0])}", _nearest(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="meter", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def app(ctx: click.Context, *, debug: bool) -> None:
    """Energy, money and carbon of fine-tuning: measured, priced, traced."""
    ctx.ensure_object(Session).debug |= debug
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: list[str] | None = None, environment: Environment | None = None) -> int:
    """Run the command line; every error becomes one line on stderr and an exit code."""
    session = Session(environment or Environment.of_process())
    words = sys.argv[1:] if arguments is None else arguments
    if sys.stdout is None:  # closed, as `>&-` does: nobody wants to see it; the exit code tells
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    session.debug = "--debug" in words[: words.index("--")] if "--" in words else "--debug" in words
    try:
        code = app.main(words, prog_name="meter", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - the border: no traceback without --debug
        return _failed(error, debug=session.debug)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0


def _failed(error: Exception, *, debug: bool) -> int:
    if isinstance(error, BrokenPipeError):
        return _quietly_closed()
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        return EXIT_INTERRUPTED
    if debug:
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    line, code = _line(error)
    if _is_of_stdout(error):
        _turn_away()
    _say(f"meter: {' '.join(line.split())}")
    return code


def _line(error: Exception) -> tuple[str, int]:
    """What is said about an error, and the exit code."""
    if isinstance(error, MeterError):
        return str(error), EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "meter"
        message = error.format_message().rstrip(".")
        return f"{message[:1].lower()}{message[1:]}: see `{path} --help`", EXIT_USAGE
    if isinstance(error, click.ClickException):
        return error.format_message(), EXIT_FAILED
    if isinstance(error, OSError) and _is_of_stdout(error):
        return f"stdout: {error.strerror}: write to another place", EXIT_FAILED
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}: check the path and its permissions", EXIT_FAILED
    kind = type(error).__name__
    return f"this is a defect ({kind}: {error}): run it again with --debug and report it", 1


def _quietly_closed() -> int:
    """The reader of stdout went away, as `head` does: that is its right."""
    _turn_away()
    return EXIT_PIPE


def _is_of_stdout(error: Exception) -> bool:
    """Whether it is about writing to no file by name; files are written elsewhere, with names."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE


def _turn_away() -> None:
    """Let stdout lead nowhere, so that what it still holds is no error at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _say(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        return  # stderr is closed: the exit code says it


def _short(word: str) -> str:
    return repr(word if len(word) <= 40 else f"{word[:37]}...")


def _nearest(word: str) -> str:
    import difflib  # noqa: PLC0415 - only for who misspells

    close = difflib.get_close_matches(word, list(COMMANDS), 1)
    return f"did you mean `meter {close[0]}`?" if close else "see `meter --help`"
