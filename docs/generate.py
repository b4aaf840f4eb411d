"""Writes the references of this folder from the code they describe.

``python docs/generate.py`` writes them; with ``--check`` it exits with 1 where one is not what the
code says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

HERE = Path(__file__).resolve().parent
HOST_MODEL = HERE.parent / "meter" / "sampling" / "data" / "host_model.json"
MADE = "<!-- Written by docs/generate.py: change the code, then `make docs`. -->\n"

VARIABLES = (
    ("METER_CONFIG", "The configuration file; default: `meter/config.toml` in the XDG configuration folder."),
    ("METER_RUN_ID", "Given to the job: the id of its run. Set before `meter run`, it names the run to join."),
    ("METER_LAUNCHER_PID", "Given to the job: the process that meters it."),
)  # fmt: skip
"""Variables that are no configuration keys."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would break a cell is escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def short(number: Decimal | None) -> str:
    """A number with four significant digits or all before the point."""
    if number is None:
        return ""
    return f"{number:.0f}" if number >= 1000 else f"{number:.4g}"


def code(text: str) -> str:
    """Text as code, nothing as nothing."""
    return f"`{text}`" if text else ""


def config_page() -> str:
    """The configuration: every key, every variable."""
    from meter.settings_keys import KEYS

    keys = table(
        ("key", "what", "value", "default", "example", "variable", "flag"),
        (
            (
                code(key.name), key.help, key.kind, key.default, code(key.example),
                code(key.variable or ""), code(key.flag or ""),
            )
            for key in KEYS if key.in_file
        ),
    )  # fmt: skip
    places = table(
        ("variable", "what", "default", "flag"),
        (
            (code(key.variable or ""), key.help, key.default, code(key.flag or ""))
            for key in KEYS if not key.in_file
        ),
    )  # fmt: skip
    others = table(("variable", "what"), ((code(name), text) for name, text in VARIABLES))
    return f"""# Configuration

A flag beats a variable, a variable beats the file, the file beats the default. The file is TOML, named by `METER_CONFIG`. A key that
is not known is reported; a wrong value is reported with key, file and line, and stops no job: it is left out, and with a wrong part of
a tariff the whole tariff. `meter agent` does not start with one.

## Keys

{keys}
A band is a value with its bounds: `{{ value = 0.25, low = 0.22, high = 0.31 }}`.
Time-of-use windows begin and end on quarter hours of the site's clock, in any time zone and over its clock changes. Hours of UTC that a
window cuts are priced by the quarter hour; other borders are refused.

## Places

These decide where the file, the agent and the ledger are found; they are variables, not keys.

{places}
## Other variables

{others}"""


def metrics_page() -> str:
    """The series of /metrics."""
    from meter_exporters.prometheus import MAX_SERIES, families

    rows = table(
        ("metric", "type", "labels", "what"),
        (
            (code(name), kind, ", ".join(map(code, labels)), text)
            for name, kind, text, labels in families()
        ),
    )
    return f"""# Metrics

What an agent serves at `/metrics`, as text or OpenMetrics. Units are base units. Counters are kept in the ledger and never go back, over
restarts too; a series whose value is not known, or no longer, is absent. Money and carbon are booked at the factors known at that instant:
later corrections show in reports, not here. One page holds at most {MAX_SERIES} series; what is left out is counted.

{rows}"""


def cli_page() -> str:
    """Every command's help."""
    from meter.cli.app import COMMANDS, app
    from meter.launch.options import help_text

    shown: dict[str, Any] = {"resilient_parsing": True, "terminal_width": 80}
    group = app.make_context("meter", [], **shown)
    parts = [("meter", app.get_help(group))]
    for name in COMMANDS:
        if name in {"run", "exec"}:
            parts.append((name, help_text(name)))
            continue
        command = app.get_command(group, name)
        if command is None:
            raise LookupError(name)
        context = command.make_context(name, [], group, **shown)
        parts.append((name, command.get_help(context)))
    sections = [
        f"## {'meter ' * (name != 'meter')}{name}\n\n```text\n{text.rstrip()}\n```\n"
        for name, text in parts
    ]
    return "# Command line\n\n" + "\n".join(sections)


def factors_page() -> str:
    """The facts that come with meter."""
    from meter.factors.books import household_factor, world_factor
    from meter.factors.grids import grids

    world, household = world_factor(0), household_factor(0)
    single = table(
        ("fact", "scope", "value", "low", "high", "unit", "source", "date", "licence"),
        (
            (
                fact.kind, fact.scope, short(fact.value), short(fact.low), short(fact.high),
                fact.unit, fact.source, fact.source_date or "", fact.licence or "",
            )
            for fact in (world, household)
        ),
    )  # fmt: skip
    model = json.loads(HOST_MODEL.read_text(encoding="utf-8"))
    host = table(
        ("constant", "value", "unit", "source", "date"),
        (
            (code(name), str(row["value"]), row["unit"], row["source"], row["source_date"])
            for name, row in model.items()
        ),
    )
    zones = table(
        ("zone", "name", "g/kWh", "year", "method", "source"),
        (
            (
                code(grid.zone), grid.names[0] if grid.names else "", short(grid.intensity),
                grid.year or "", grid.method, grid.source,
            )
            for grid in sorted(grids().values(), key=lambda grid: grid.zone)
        ),
    )  # fmt: skip
    return f"""# Facts that come with meter

Your own values, from the [configuration](config.md), beat all of these, and every figure of a report names the ones it used.

## World and yardstick

The world's range is used, and called assumed, where no zone is set. A household's day is what the summary compares energy with.

{single}
## Host model

For processors and memory that cannot be measured: a processor's power is between its idle share and its TDP, by load; the TDP is that of
codecarbon's list of processors. Figures made of these are called modelled.

{host}
## Yearly grid intensity by zone

Read from codecarbon's data files, whose code is never run.

{zones}"""


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "config.md": config_page,
    "factors.md": factors_page,
    "metrics.md": metrics_page,
}


def texts() -> dict[Path, str]:
    """Path and text of every generated page."""
    return {HERE / name: MADE + "\n" + page().rstrip() + "\n" for name, page in PAGES.items()}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or compare them; 1 where one differs."""
    stale = [
        (path, text)
        for path, text in texts().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if "--check" in arguments:
            print(f"docs/{path.name} is not what the code says: run `make docs`", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{path.name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
