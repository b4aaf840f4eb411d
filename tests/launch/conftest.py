from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from launching import Place


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    for event in made.events("start"):  # those that wait for a run that never came
        with contextlib.suppress(OSError):
            if b"fake_agent" in Path(f"/proc/{event['pid']}/cmdline").read_bytes():
                os.kill(event["pid"], signal.SIGKILL)
