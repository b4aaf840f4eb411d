"""``meter whatif``: the same run at another place, hour, price or GPU."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from meter.cli import output, whatif_text
from meter.cli.reads import reads
from meter.cli.session import (
    Session,
    as_of_option,
    debug_option,
    example,
    json_option,
    socket_option,
)
from meter.cli.whatif_ask import Options, compared
from meter.whatif.document import document

_HELP = {
    "zone": "Another grid, by code or name; may be given several times.",
    "start": "Another start (UTC), or +6h after the run's own.",
    "price": "Another price of a kWh, such as 0.12EUR.",
    "pue": "Another PUE.",
    "gpu": "Another GPU model, scaled by peak compute and power.",
    "horizon": "How far to look for the best start hour, 1h to 14d.",
    "from": "Where the horizon begins (UTC, +6h, or `run` for the run's own start); default: now.",
}


@click.command("whatif", epilog=example("meter whatif last --zone SWE --zone POL --horizon 48h"))
@click.argument("run", default="last")
@click.option("--zone", "zones", multiple=True, metavar="Z", help=_HELP["zone"])
@click.option("--start", metavar="T", help=_HELP["start"])
@click.option("--price", metavar="P", help=_HELP["price"])
@click.option("--pue", metavar="X", help=_HELP["pue"])
@click.option("--gpu", metavar="MODEL", help=_HELP["gpu"])
@click.option("--horizon", metavar="SPAN", default="24h", show_default=True, help=_HELP["horizon"])
@click.option("--from", "begin", metavar="T", help=_HELP["from"])
@as_of_option
@json_option
@socket_option
@debug_option
@click.pass_obj
def whatif_command(session: Session, /, *, as_json: bool, **given: Any) -> None:
    """Compare a run with the same run at another place, hour, price or GPU.

    Its energy over time is rated by the books as it would have been, beside
    what it was. Names the cheapest and the cleanest hour to start in where
    the books know hours that differ. RUN is as in `meter show`.
    """
    options = Options(**given)
    with reads(session.config) as source:
        found = document(compared(source, options, time.time_ns() // 1_000))
    if as_json:
        output.print_json(found)
    else:
        blocks = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        click.echo(whatif_text.text(found, output.width(), blocks=blocks))
