"""History as an agent writes it: into a file that is bounded, while others scrape."""

from __future__ import annotations

import importlib
import tempfile
import time
from typing import IO, TYPE_CHECKING, NamedTuple

from meter.errors import LedgerError
from meter.ledger.history import Bounds, samples

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from meter.ledger import Reader
    from meter.ledger.history import Asked

HISTORY = "meter_exporters.openmetrics"
"""Writes history; found by name, because the meter does not depend on its exporters."""
HISTORY_BYTES = 1 << 30
"""Longest history that an agent writes: the disk is for the ledger."""
BREATH_S = 0.0005
"""A pause after each block of it."""


class Written(NamedTuple):
    """A file with history, at its start; and how many runs have no series in it."""

    file: IO[bytes]
    left_out: int


def written(
    reader: Reader, asked: Asked, target: Mapping[str, str], folder: Path | None, most_s: float
) -> Written:
    """History as OpenMetrics in a file that is gone when it is closed.

    In ``folder``, or where the system keeps such files. Raises LedgerError where it takes longer
    than ``most_s`` or gets too long.
    """
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  whoever asked closes it
    try:
        deadline_s, left_out = time.monotonic() + most_s, [0]
        found = samples(reader, asked, Bounds(left_out=left_out.append))
        for block in importlib.import_module(HISTORY).history(found, target):
            file.write(block)
            _require_bounds(deadline_s, most_s, file.tell())
            time.sleep(BREATH_S)  # else scrapes wait for their turn in this process
        file.seek(0)
    except BaseException as error:
        file.close()
        if isinstance(error, OSError):
            raise LedgerError(
                f"the history cannot be written ({error.strerror})", "free some space there"
            ) from error
        raise
    return Written(file, left_out[-1])


def _require_bounds(deadline_s: float, most_s: float, size: int) -> None:
    remedy = "ask for a shorter time, a longer step or no runs, or ask when no agent runs"
    if time.monotonic() > deadline_s:
        raise LedgerError(f"the history took more than {most_s:.0f} s and was given up", remedy)
    if size > HISTORY_BYTES:
        raise LedgerError(f"the history is longer than {HISTORY_BYTES >> 20} MiB", remedy)
