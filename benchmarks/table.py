"""Prints what a benchmark found, as Markdown: figures, command, date, machine."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shlex
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from meter import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True)
class Table:
    """A titled table; ``hold`` is the figure that DESIGN asks for, in words."""

    title: str
    head: tuple[str, ...]
    hold: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """One row; numbers are shown as they are given."""
        self.rows.append(tuple(str(cell) for cell in cells))

    def text(self) -> str:
        """Markdown that reads well in a terminal too."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [f"### {self.title}", ""]
        if self.hold:
            lines += [f"To hold: {self.hold}", ""]
        lines.append(_line(self.head, widths))
        lines.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        lines += [_line(row, widths) for row in self.rows]
        return "\n".join(lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def machine() -> str:
    """What this was measured on: processor, cores, kernel, Python."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"


def preamble() -> str:
    """Command, date and machine."""
    script = Path(sys.argv[0])
    command = shlex.join(["python", f"benchmarks/{script.name}", *sys.argv[1:]])
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return f"`{command}` · {today} · meter {__version__} · {machine()}\n"


def show(tables: Iterable[Table]) -> None:
    """Print the preamble and the tables."""
    print(preamble())
    for table in tables:
        print(table.text(), flush=True)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all lies at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def ms(values_s: Sequence[float]) -> tuple[str, str, str]:
    """Median, 90th percentile and greatest of some seconds, in ms."""
    figures = (statistics.median(values_s), quantile(values_s, 0.9), max(values_s))
    median, p90, most = (f"{value * 1e3:.1f}" for value in figures)
    return median, p90, most
