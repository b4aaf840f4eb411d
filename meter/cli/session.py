"""What every command has at hand: environment, configuration, and where to read."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from meter import currencies, settings
from meter.environment import Environment
from meter.errors import UsageError
from meter.instants import parse_us
from meter.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.config import Config


class Session:
    """One call of the command line."""

    def __init__(self, environment: Environment | None = None) -> None:
        self.environment = environment or Environment.of_process()
        self.debug = False
        self.socket: str | None = None

    @functools.cached_property
    def config(self) -> Config:
        """The configuration without what is wrong in it; notices go to stderr.

        Reading needs no tariff. Raises ConfigError for a socket that cannot be one.
        """
        variables = self.environment.variables
        config, notices = settings.load_leniently(variables, {"socket": self.socket})
        for notice in notices:
            mark = "warning: " if notice.severity is Severity.WARNING else ""
            click.echo(f"meter: {mark}{notice.text}", err=True)
        return config


def debug_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--debug`` after the command's name too; the group has read it already."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")(
        function
    )


def socket_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--socket`` for commands that read through the agent."""

    def note(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value:
            ctx.ensure_object(Session).socket = value

    return click.option(
        "--socket",
        metavar="PATH",
        expose_value=False,
        callback=note,
        help="The agent's socket, if not the default.",
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``: JSON on stdout, and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def as_of_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--as-of``: figures by what the ledger knew then."""

    def checked(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is not None:
            parse_us(value, "--as-of")
        return value

    return click.option(
        "--as-of",
        metavar="INSTANT",
        callback=checked,
        help="By the facts known at this instant (UTC), not today's.",
    )(function)


def currency_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--currency``: all money in one currency too."""

    def checked(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is not None and (fault := currencies.fault_of(value)):
            raise UsageError(fault, "write for example --currency EUR")
        return value

    return click.option(
        "--currency",
        metavar="CODE",
        callback=checked,
        help="Add all money in this currency, by dated exchange rates.",
    )(function)


def example(text: str) -> str:
    """An epilog with an example."""
    return f"\b\nExample:\n  {text}\n"
