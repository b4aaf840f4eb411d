"""``meter demo``: the real path, from the launcher to the report, on simulated GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from meter import settings
from meter.cli import demo_job, output
from meter.cli.exporters import exporter
from meter.cli.reads import reads
from meter.cli.report import made_report
from meter.cli.session import Session, debug_option, example
from meter.environment import Environment
from meter.errors import AgentError, ReportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOW_PROGRESS_FROM_S = 2.0
_STARTING_S = 60.0
_LISTEN = "METER_LISTEN"
_CONFIG = """\
# Made by `meter demo`. The values are examples: put your own here.
project = "demo"
simulate = "{gpus}"

[site]
name = "example"
zone = "FRA"
pue = {{ value = 1.2, low = 1.1, high = 1.4 }}
wue = "us-mean"  # a named assumption
tnd_loss = {{ value = 0.08, low = 0.07, high = 0.1 }}

[electricity]
currency = "EUR"
price_per_kwh = 0.25
source = "example of meter demo"

[gpu_time]
currency = "EUR"
rate_per_hour = {{ value = 2.1, low = 1.9, high = 2.6 }}
source = "example of meter demo"

[[market.instruments]]
type = "certificate"
g_per_kwh = 0
share = 0.6
source = "example of meter demo"

[market.instruments.quality]
attribute = true
unique = true
retired = true
vintage = true
market = true
residual = true
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a demo keeps its things."""

    folder: Path

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "meter.toml"

    @property
    def home(self) -> Path:
        """Its ledger and logs."""
        return self.folder / "home"

    @property
    def document(self) -> Path:
        """The run document."""
        return self.folder / "run.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"


@click.command("demo", epilog=example("meter demo --dir /tmp/meter-demo --seconds 30"))
@click.option(
    "--dir",
    "folder",
    default="meter-demo",
    show_default=True,
    metavar="DIR",
    help="Folder for ledger, configuration and report.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 3_600),
    default=20.0,
    show_default=True,
    metavar="S",
    help="How long the job runs.",
)
@click.option(
    "--gpus",
    default="2xH100",
    show_default=True,
    metavar="SPEC",
    help="Which GPUs to simulate.",
)
@debug_option
@click.pass_obj
def demo_command(session: Session, *, folder: str, seconds: float, gpus: str) -> int:
    """See the whole path on simulated GPUs.

    Runs a small Python job under `meter run`: sampler, agent, ledger, summary
    and report are the real ones, only the GPUs are simulated, and everything
    says so. Your own ledger is not touched.
    """
    place = _prepare(Path(folder).absolute(), gpus)
    environment = Environment(_variables(session.environment.variables, place), os.getuid())
    click.echo(f"Simulating {gpus} for {seconds:g} s; nothing is measured.\n", err=True)
    code = _run(place, environment, seconds)
    if code:
        return code
    _report(place, environment)
    _hosted(environment)
    shown = Path(folder)
    click.echo(
        f"\nEverything above is SIMULATED, or recorded. For your own job: meter run -- COMMAND\n"
        f"Report:  {shown / place.report.name}\n"
        f"More:    METER_HOME={quote(str(shown / place.home.name))} meter show last"
    )
    return 0


def _prepare(folder: Path, gpus: str) -> Place:
    place = Place(folder)
    try:
        place.home.mkdir(parents=True, exist_ok=True)
        place.document.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(
            f"{folder} cannot be used ({error.strerror})", "name another with --dir"
        ) from None
    output.write_file(place.config, _CONFIG.format(gpus=gpus).encode())
    return place


def _variables(own: Mapping[str, str], place: Place) -> dict[str, str]:
    """The environment of a node of its own; nothing of the user's settings shows through.

    But for where the agent listens: another may have the usual port.
    """
    kept = {
        name: value
        for name, value in own.items()
        if not name.startswith("METER_") or name == _LISTEN
    }
    return kept | {
        "METER_HOME": str(place.home),
        "METER_CONFIG": str(place.config),
        "METER_LEASE_DIR": str(place.home / "leases"),
    }


def _run(place: Place, environment: Environment, seconds: float) -> int:
    """``meter run`` as a user would call it; its summary goes to our stderr."""
    command = [
        *(sys.executable, "-m", "meter", "run", "--name", "demo", "--project", "demo"),
        *("--summary-json", str(place.document), "--"),
        *(sys.executable, str(demo_job.__file__), f"{seconds:g}"),
    ]
    variables = dict(environment.variables)
    variables["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL) as job:
        try:
            code = _wait(job, seconds)
        except subprocess.TimeoutExpired:
            job.terminate()
            raise AgentError("the demo did not end", f"see {place.home / 'agent.log'}") from None
        except BaseException:
            job.terminate()
            raise
    if code == 0 and not place.document.exists():
        raise AgentError("the demo gave no summary", f"see {place.home / 'agent.log'}")
    return code


def _wait(job: subprocess.Popen[bytes], seconds: float) -> int:
    """Wait for the job, with a bar on a terminal where it takes more than a moment."""
    if seconds < _SHOW_PROGRESS_FROM_S or not sys.stderr.isatty():
        return job.wait(seconds + _STARTING_S)
    from rich.console import Console  # noqa: PLC0415 - only for a bar that is seen
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    started = time.monotonic()
    columns = TextColumn("training (simulated GPUs)"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=seconds)
        while (elapsed := time.monotonic() - started) < seconds and job.poll() is None:
            progress.update(bar, completed=elapsed)
            time.sleep(0.1)
    return job.wait(_STARTING_S)


def _hosted(environment: Environment) -> None:
    """A job at a provider and what its model was used for since, from recorded answers."""
    data = Path(__file__).with_name("demo_data")
    click.echo(
        "\nA fine-tune at a provider, from recorded answers of its API, beside it:\n", err=True
    )
    for words in (
        ("prices", "import", "--bundled"),
        ("jobs", "import", str(data / "openai_job.json"), "--provider", "openai"),
        ("usage", "import", str(data / "usage.jsonl")),
    ):
        command = " ".join(Path(word).name if "/" in word else word for word in words)
        click.echo(f"$ meter {command}", err=True)
        _call(environment, words)
    click.echo("$ meter runs --costs", err=True)
    _call(environment, ("runs", "--costs"))


def _call(environment: Environment, words: Sequence[str]) -> None:
    """A command of ours as a user would call it, on the demo's ledger."""
    from meter.cli import app  # noqa: PLC0415 - it loads us

    if app.run(list(words), environment):
        raise ReportError(f"`meter {words[0]} {words[1]}` failed", "see above")


def _report(place: Place, environment: Environment) -> None:
    config, _ = settings.load(environment.variables)
    with reads(config) as source:
        _, content = made_report(source, "last", exporter("html"))
    output.write_file(place.report, content)
