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

ROW = re.compile(r"^(\d|all) +.* ([+-]\d+\.\d+)%$", re.MULTILINE)


def test_the_tour_adds_up_and_shows_shares_ranks_an_attachment_and_epochs(tmp_path):
    require_training()
    done = subprocess.run(
        [sys.executable, "examples/tour.py", "--dir", tmp_path / "tour"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=500,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    for told in (
        "split by\n            their use of it",
        "meter: ranks [tour], completed",
        "meter: attached [tour], completed",
        "meter: epochs [tour], completed",
        "  Epochs    1: ",
    ):
        assert told in done.stdout, done.stdout
    off = dict(ROW.findall(done.stdout))
    assert set(off) == {"0", "1", "2", "3", "all"}
    assert abs(float(off["all"])) <= 0.1
