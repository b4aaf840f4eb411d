"""What programs asked of the stand-in, as it wrote it down when they ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CallCount:
    """Calls of one function by one process; time is spent inside the library, waits included."""

    count: int
    failed: int
    total_ns: int
    max_ns: int


def read(path: Path | str) -> dict[int, dict[str, CallCount]]:
    """Counts by process ID and function; of a process that wrote twice, the later line.

    A process writes at its last nvmlShutdown and at its end; one that is killed writes nothing.
    """
    counts = {}
    for line in Path(path).read_text().splitlines():
        row = json.loads(line)
        counts[row["pid"]] = {name: CallCount(**call) for name, call in row["calls"].items()}
    return counts
