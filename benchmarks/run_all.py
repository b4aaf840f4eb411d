"""Runs every benchmark; with ``--write`` their tables become docs/benchmarks.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
SCRIPTS = (
    ("Energy", "energy_accuracy.py"),
    ("What metering costs", "overhead.py"),
    ("Who used which GPU", "attribution.py"),
    ("Start of a job", "start_delay.py"),
    ("Speed of a job", "slowdown.py"),
    ("Marks", "marks.py"),
    ("Scrapes", "metrics_latency.py"),
    ("Ends of runs", "run_ends.py"),
    ("Ledger", "ledger_soak.py"),
    ("Live flush", "ledger_flush.py"),
    ("Reports over a year", "derivation.py"),
    ("Usage", "usage_ingest.py"),
)
HEAD = """# Benchmarks

Written by `make bench BENCH_ARGS=--write`. Energies are compared with the exact truth of [the
stand-in](stand-in.md), whose sensors are modelled on published measurements; they say how well
metering follows what the sensors tell, not how true a board's sensors are (about ±5 %, which is
part of every bound). Figures come from a small shared machine and are no promise for another;
nothing here is a test.
"""


def output_of(script: str, arguments: list[str]) -> str:
    """What a benchmark prints; it is shown as it comes."""
    command = [sys.executable, str(HERE / script), *arguments]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise SystemExit(f"{script} failed with {process.returncode}")
    return "".join(lines)


def sections_of(page: str) -> dict[str, str]:
    """The sections of the page as it is, by title."""
    parts = page.split("\n## ")[1:]
    return {title: f"## {title}\n{text}" for title, _, text in (p.partition("\n") for p in parts)}


def main() -> None:
    """Run all of them, or those named; sections that are not run stay as they are."""
    parser = argparse.ArgumentParser(description="every benchmark")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="only these, without .py")
    parser.add_argument("--quick", action="store_true", help="a short look")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    wanted = {script.removesuffix(".py") for script in options.scripts}
    if unknown := wanted - {script.removesuffix(".py") for _, script in SCRIPTS}:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    arguments = ["--quick"] if options.quick else []
    sections = sections_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for title, script in SCRIPTS:
        if wanted and script.removesuffix(".py") not in wanted:
            continue
        print(f"## {title}\n", flush=True)
        sections[title] = f"## {title}\n\n{output_of(script, arguments).rstrip()}\n"
    if options.write:
        texts = [sections[title].rstrip() for title, _ in SCRIPTS if title in sections]
        PAGE.write_text("\n\n".join([HEAD.rstrip(), *texts]) + "\n", encoding="utf-8")
        print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
