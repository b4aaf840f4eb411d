"""``meter agent``: the node's agent in the foreground."""

from __future__ import annotations

import click

from meter.cli.session import debug_option, example


@click.command(
    "agent", epilog=example("meter agent --listen 127.0.0.1:9850 --socket /run/meter/agent.sock")
)
@click.option("--listen", metavar="HOST:PORT", help="Serve HTTP here (default 127.0.0.1:9850).")
@click.option(
    "--web-config",
    metavar="FILE",
    help="TLS and passwords for it, as Prometheus' exporters have them.",
)
@click.option("--socket", metavar="PATH", help="The Unix socket that runs connect to.")
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Listen on an address that other machines reach; the agent asks for no password.",
)
@debug_option
def agent_command(
    *, listen: str | None, web_config: str | None, socket: str | None, allow_remote: bool
) -> int:
    """Serve this node's meter in the foreground.

    Runs on this node use it instead of starting one of their own. It is the
    only process that opens the ledger; Prometheus scrapes its /metrics. Stop
    it with ^C or SIGTERM.
    """
    from meter.agent.__main__ import main  # noqa: PLC0415

    words = ["--listen", listen] if listen else []
    words += ["--web-config", web_config] if web_config else []
    words += ["--socket", socket] if socket else []
    words += ["--allow-remote"] if allow_remote else []
    return main(words)
