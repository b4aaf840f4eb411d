"""The page on marks: its example runs, alone and under an agent, and is told as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from agent.agents import agent
from meter.marks import sender

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "marks.md").read_text()


def example() -> str:
    (found,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_the_example_runs_without_a_meter(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example()],
        env=environment, cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_example_has_its_steps_epochs_and_phases(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r1")
        environment = {**node.environment, "METER_RUN_ID": "r1"}
        subprocess.run([sys.executable, "-c", example()], env=environment, check=True)
        document = node.end("r1")
    steps = document["steps"]
    assert (steps["first"], steps["last"], steps["spans"]) == (1, 20, 19)
    assert [row["epoch"] for row in document["epochs"]] == [1, 2]
    assert {row["phase"]: row["times"] for row in document["phases"]}["train"] == 2
    assert {"step", "token"} <= document["per"].keys()


def test_every_reason_of_a_dropped_mark_is_told() -> None:
    for reason in (sender.INVALID, sender.FULL, sender.ENDED, sender.REFUSED, sender.FAILED):
        assert f"`{reason}`" in PAGE
