"""``meter grafana``: dashboards, rules and provisioning for one's own Grafana and Prometheus."""

from __future__ import annotations

import re
from pathlib import Path

import click

from meter.cli.grafana_files import Place, export, files
from meter.cli.session import debug_option, example
from meter.errors import UsageError

_URL = re.compile(r"https?://[^\s/]+\S*")
_INTERVAL = re.compile(r"[1-9]\d*(ms|s|m)")


@click.group("grafana", epilog=example("meter grafana export /etc/meter/grafana"))
def grafana_command() -> None:
    """Dashboards and alerts for Grafana and Prometheus."""


@grafana_command.command(
    "export", epilog=example("meter grafana export grafana --prometheus http://localhost:9090")
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--prometheus",
    metavar="URL",
    default="http://localhost:9090",
    show_default=True,
    help="Where Grafana finds Prometheus.",
)
@click.option("--alertmanager", metavar="URL", help="Where it finds Alertmanager, if at all.")
@click.option(
    "--scrape-interval",
    metavar="T",
    default="15s",
    show_default=True,
    help="How often Prometheus scrapes the agents; rates stand on it.",
)
@click.option(
    "--dashboards",
    metavar="PATH",
    help="Where Grafana finds the dashboards, if not in DIR: a mount in a container.",
)
@click.option(
    "--runbooks", metavar="URL", help="Where people find the runbooks, if not in DIR: a web page."
)
@click.option("--force", is_flag=True, help="Replace files that others wrote or changed.")
@debug_option
def export_command(
    folder: Path,
    *,
    prometheus: str,
    alertmanager: str | None,
    scrape_interval: str,
    dashboards: str | None,
    runbooks: str | None,
    force: bool,
) -> None:
    """Write dashboards, rules, runbooks and provisioning into a folder.

    What an earlier export wrote there is replaced; a file that somebody else wrote or changed
    is not, and then nothing is written.
    """
    _check_url("--prometheus", prometheus)
    _check_url("--alertmanager", alertmanager)
    _check_url("--runbooks", runbooks)
    if not _INTERVAL.fullmatch(scrape_interval):
        raise UsageError(f"{scrape_interval} is no interval", "write it like 15s or 1m")
    home = folder.resolve()
    place = Place(
        prometheus=prometheus,
        alertmanager=alertmanager,
        scrape_interval=scrape_interval,
        dashboards=dashboards or str(home / "dashboards"),
        runbooks=runbooks or str(home / "runbooks"),
    )
    written = export(folder, files(place), force=force)
    click.echo(f"{len(written)} files are in {folder}; docs/grafana.md tells what to do with them.")


def _check_url(option: str, url: str | None) -> None:
    if url is not None and not _URL.fullmatch(url):
        raise UsageError(f"{option} {url} is no URL", "write it like http://localhost:9090")
