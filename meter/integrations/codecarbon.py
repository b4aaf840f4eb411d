"""An output for codecarbon's trackers: ``EmissionsTracker(output_handlers=[MeterOutput()])``."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from codecarbon.output_methods.base_output import BaseOutput

from meter.integrations.hooks import note, recorded

if TYPE_CHECKING:
    from codecarbon.output_methods.emissions_data import EmissionsData

__all__ = ["MeterOutput"]

TIMEOUT_S = 60.0


class MeterOutput(BaseOutput):
    """Books what a tracker found as a run of the ledger, when the tracker stops.

    As ``meter runs import`` does with the tracker's row of emissions.csv, so that a run that comes
    both ways is booked once. Inside a job that meter watches nothing is booked: its energy is in
    the ledger already. Of several processes of a node the first books. What fails in here is
    counted in ``failures`` and never raised.
    """

    def __init__(self, project: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self.failures: dict[str, int] = {}
        self._project = project
        self._timeout_s = timeout_s
        self._total: dict[str, object] = {}

    @recorded
    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Keep what a tracker found so far: all of it, not what was added."""
        self._total = dict(total.values)

    @recorded
    def exit(self) -> None:
        """Book it."""
        total, self._total = self._total, {}
        if not total or os.environ.get("METER_RUN_ID") or not _first_of_node():
            return
        command = [sys.executable, "-m", "meter", "runs", "import", "-", "--json"]
        if self._project is not None:
            command += ["--project", self._project]
        done = subprocess.run(
            command,
            input=_table(total),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=self._timeout_s,
            check=False,
        )
        if done.returncode != 0:
            note(self, "meter runs import", RuntimeError(done.stderr.strip()))


def _first_of_node() -> bool:
    """Whether this process is the one that speaks for its node: trackers see all of it."""
    return os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")) == "0"


def _table(total: dict[str, object]) -> str:
    """The row that codecarbon would write, with the offset of its local time."""
    at = datetime.fromisoformat(str(total["timestamp"])).astimezone()
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(total)
    writer.writerow({**total, "timestamp": at.isoformat()}.values())
    return made.getvalue()
