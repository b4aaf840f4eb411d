"""An environment with training libraries, and a node whose GPUs are stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.environment import NotMadeError, training_python
from standin import build
from standin.scenario import H100, Gpu, Scenario, Square

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "finetune_tiny"


def require_training() -> Path:
    """A Python that can train; without one a skip, with CI=true a failure."""
    try:
        return training_python()
    except NotMadeError as error:
        reason = f"no environment to train in: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True)
class Node:
    """Two GPUs under square loads, and a user who trains beside them."""

    folder: Path
    scenario: Scenario

    @classmethod
    def of(cls, folder: Path) -> Node:
        gpus = [Gpu(power=Square(100, 680, period_s=period), sensor=H100) for period in (0.9, 1.03)]
        scenario = Scenario(gpus=gpus)
        scenario.write(folder)
        return cls(folder, scenario)

    @property
    def environment(self) -> dict[str, str]:
        """Of a job here; meter is imported from the checkout."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "OMP_NUM_THREADS": "1",
            "METER_HOME": str(self.folder / "home"),
            "METER_SOCKET": str(self.folder / "agent.sock"),
            "METER_LEASE_DIR": str(self.folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            **self.scenario.environment(self.folder, library=build.library(build.default_folder())),
        }

    def run(self, *job: str | Path, code: int = 0) -> tuple[str, dict[str, Any]]:
        """What a job under ``meter run`` prints, and the document of its run."""
        file = self.folder / "summary.json"
        meter = [sys.executable, "-m", "meter", "run", "--summary-json", file, "--quiet", "--"]
        done = subprocess.run(
            [*meter, *job],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done.stdout, json.loads(file.read_text())
