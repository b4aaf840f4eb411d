"""Runs ``meter run`` with the fake agent, as a user's shell would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from fake_agent import FakeAgent

from meter.environment import Environment

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DRIVER = (
    f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(HERE)!r}];"
    "import meter.launch.spawn as s; s.AGENT_MODULE = 'fake_agent';"
    "import meter.launch.exec_mode as e; e.OBSERVER_MODULE = 'fake_observer';"
    "from meter.__main__ import main; main()"
)


class Place:
    """A user's surroundings: own home, runtime folder and fake agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "agent-events"
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(runtime),
            "METER_HOME": str(folder / "home"),
            "METER_LEASE_DIR": str(folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            "METER_FAKE_LOG": str(self.log),
        }

    def command(self, *words: str, mode: str = "run") -> list[str]:
        return [sys.executable, "-c", DRIVER, mode, *words]

    def run(self, *words: str, mode: str = "run", ways: str = "", **more):
        more.setdefault("capture_output", True)
        more.setdefault("timeout", 60)
        more.setdefault("stdin", subprocess.DEVNULL)
        variables = {**self.variables, "METER_FAKE": ways, **more.pop("variables", {})}
        variables = {name: value for name, value in variables.items() if value is not None}
        return subprocess.run(
            self.command(*words, mode=mode), env=variables, cwd=self.folder, **more
        )

    def start(self, *words: str, mode: str = "run", ways: str = "", **more) -> subprocess.Popen:
        variables = {**self.variables, "METER_FAKE": ways, **more.pop("variables", {})}
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            self.command(*words, mode=mode), env=variables, cwd=self.folder, **more
        )

    def events(self, kind: str | None = None) -> list[dict]:
        if not self.log.exists():
            return []
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [event for event in found if kind in (None, event["event"])]


def joinable(place, *ways):
    """An agent that is there already, in this process."""
    socket_path = Environment(place.variables, os.getuid()).socket
    os.makedirs(os.path.dirname(socket_path), mode=0o700, exist_ok=True)
    agent = FakeAgent(socket_path, set(ways), str(place.log), None)
    agent.bind()
    threading.Thread(target=agent.serve, daemon=True).start()
    return agent


def eventually(check, limit_s: float = 20.0):
    """What ``check()`` gives once it is true; fails when that takes too long."""
    until = time.monotonic() + limit_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
