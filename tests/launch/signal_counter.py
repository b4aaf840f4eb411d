"""A job that counts the signals it gets: NAME.ready when it listens, one line a signal."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

name = Path(sys.argv[1])
limit_s = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
NOT = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}


def note(number, _frame):
    with name.open("a") as file:
        file.write(f"{number}\n")
    if number == signal.SIGTERM:
        os._exit(42)


for number in signal.valid_signals() - NOT:
    signal.signal(number, note)
name.touch()
Path(f"{name}.ready").write_text(str(os.getpid()))
until = time.monotonic() + limit_s
while time.monotonic() < until:
    time.sleep(0.05)
