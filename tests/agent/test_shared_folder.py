"""A socket's folder that several users share: no job of one of them keeps the node's agent out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.agents import PATIENCE_S, until
from meter.launch.client import request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODE, JOB, OTHER, GROUP = 54_321, 54_322, 54_323, 54_321
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
WHERE = "import os; print(os.environ['METER_SOCKET'])"


class Users:
    """A folder as the recipes make it, /run/meter, and users of its group."""

    def __init__(self, folder: Path, setpriv: str) -> None:
        self.folder = folder
        self.setpriv = setpriv
        self.run = self._made("run", 0, 0o1770)
        self.socket = self.run / "agent.sock"

    def _made(self, name: str, user: int, mode: int) -> Path:
        path = self.folder / name
        if not path.exists():
            path.mkdir()
            os.chown(path, user, GROUP)
            path.chmod(mode)
        return path

    @contextmanager
    def start(
        self, user: int, *words: str, module: str = "meter"
    ) -> Iterator[subprocess.Popen[str]]:
        """`meter` as a user; it is ended at the end."""
        home = self._made(f"home-{user}", user, 0o700)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "METER_SOCKET": str(self.socket),
            "METER_LEASE_DIR": str(self.run / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            "METER_SIMULATE": "1xH100",
        }
        who = ["--reuid", str(user), "--regid", str(GROUP), "--clear-groups"]
        reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        with subprocess.Popen(  # the checkout may be for root's eyes alone
            [self.setpriv, *who, *reads, sys.executable, "-m", module, *words],
            env=environment,
            cwd=home,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            try:
                yield running
            finally:
                running.terminate()
                running.communicate(timeout=PATIENCE_S)


@pytest.fixture
def users(require_tool: Callable[[str], str]) -> Iterator[Users]:
    folder = Path(tempfile.mkdtemp(prefix="meter-"))
    folder.chmod(0o755)
    yield Users(folder, require_tool("setpriv"))
    shutil.rmtree(folder, ignore_errors=True)


def answers(users: Users) -> bool:
    return request(str(users.socket), "GET", "/healthz", timeout_s=PATIENCE_S)[0] in (200, 503)


def test_a_job_that_starts_while_the_nodes_agent_is_away_leaves_its_place_alone(
    users: Users,
) -> None:
    with users.start(JOB, "run", "--", sys.executable, "-c", WHERE) as first:
        told, said = first.communicate(timeout=PATIENCE_S)
    assert "at another socket" in said
    assert str(users.folder / f"home-{JOB}") in told  # marks go to the agent that meters
    assert "Energy" in said
    assert list(users.run.glob("agent.sock*")) == []
    with users.start(NODE, "agent"):
        until(lambda: answers(users), "the node's agent listens")
        with users.start(OTHER, "run", "--", sys.executable, "-c", WHERE) as other:
            told, said = other.communicate(timeout=PATIENCE_S)
    assert told.strip() == str(users.socket), said


def test_an_agent_that_comes_back_in_mid_run_is_waited_for(users: Users) -> None:
    with users.start(NODE, "agent") as agent:
        until(lambda: answers(users), "the node's agent listens")
        with users.start(JOB, "run", "--name", "long", "--", "sleep", "5") as job:
            until(lambda: _runs(users) == ["running"], "the run has begun")
            agent.kill()
            agent.wait(PATIENCE_S)
            time.sleep(0.3)  # as a supervisor does
            with users.start(NODE, "agent"):
                _, said = job.communicate(timeout=PATIENCE_S)
                assert _runs(users) == ["completed"], said
    assert "another socket" not in said


def test_a_private_agent_refuses_a_folder_that_is_not_its_own(users: Users) -> None:
    with users.start(JOB, "--private", module="meter.agent") as agent:
        _, said = agent.communicate(timeout=PATIENCE_S)
    assert agent.returncode != 0
    assert "belongs to another user" in said


def _runs(users: Users) -> list[str]:
    _, told = request(str(users.socket), "GET", "/v1/runs", timeout_s=PATIENCE_S)
    return [run["status"] for run in told["runs"]]
