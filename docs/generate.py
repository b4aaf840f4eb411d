"""Writes the references of this folder from the code they describe.

``python docs/generate.py`` writes them; with ``--check`` it exits with 1 where one is not what the
code says.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HERE = Path(__file__).resolve().parent
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
is not known is reported; a wrong value is an error that names key, file and line, and never stops a job.

## Keys

{keys}
A band is a value with its bounds: `{{ value = 0.25, low = 0.22, high = 0.31 }}`.

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
    from meter.cli.reference import helps

    parts = [f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in helps()]
    return "# Command line\n\n" + "\n".join(parts)


def factors_page() -> str:
    """The facts that come with meter."""
    from meter.factors.reference import bundled

    sections = []
    for title, text, head, rows in bundled():
        sections.append(f"## {title}\n\n{text}\n\n{table(head, rows)}")
    return (
        "# Facts that come with meter\n\nYour own values, from the configuration, beat all of these."
        " Each figure of a report names the ones it used.\n\n" + "\n".join(sections)
    )


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
