"""The tour shows what it promises, and what it shows adds up to the stand-in's truth."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from examples.environment import INSTALL_S
from tests.examples.training import ROOT, require_training

pytestmark = [pytest.mark.slow, pytest.mark.timeout(INSTALL_S + 600)]

ROW = re.compile(r"^(\d) +([\d.,]+) .* ([+-]\d+\.\d+)%$", re.MULTILINE)
SPLIT = re.compile(r"^GPU 1 above its idle power: .*: (\d+\.\d+) to 1$", re.MULTILINE)


def test_the_tour_adds_up_and_shows_shares_ranks_an_attachment_and_epochs(tmp_path):
    require_training()
    done = subprocess.run(
        [sys.executable, "examples/tour.py", "--dir", tmp_path / "tour"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=500,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    for told in (
        "was\n            split by their use of it",
        "meter: ranks [tour], completed",
        "meter: attached [tour], completed",
        "meter: epochs [tour], completed",
        "  Epochs    1: ",
    ):
        assert told in done.stdout, done.stdout
    rows = ROW.findall(done.stdout)
    assert [gpu for gpu, _, _ in rows] == ["0", "1", "2", "3"]
    for _, runs, off in rows:
        assert float(runs.replace(",", "")) > 0, done.stdout
        assert abs(float(off)) <= 0.1, done.stdout
    (ratio,) = SPLIT.findall(done.stdout)
    assert 1.8 < float(ratio) < 4.5, done.stdout  # 3, but for a look that misses a process
