"""A place for an agent of its own: home, socket, leases, GPUs of the stand-in, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from meter.errors import AgentError
from meter.launch.client import request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Stage:
    """A temporary home whose processes see only what is given here.

    ``gpus`` are the variables that make GPUs: those of a stand-in's scenario, or METER_SIMULATE.
    """

    def __init__(self, gpus: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.home = Path(self._folder.name)
        self.socket = str(self.home / "s")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'exporters'}",
            "METER_HOME": str(self.home),
            "METER_SOCKET": self.socket,
            "METER_LEASE_DIR": str(self.home / "leases"),
            "METER_LISTEN": f"127.0.0.1:{free_port()}",
            **gpus,
        }
        self.agent: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_agent()
        self._wait_for_private_agent()
        self._folder.cleanup()

    def command(self, *arguments: str) -> list[str]:
        """A ``meter`` command line."""
        return [sys.executable, "-m", "meter", *arguments]

    def start_agent(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the node's agent and wait until it says that readings are fresh."""
        command = self.command("agent", "--socket", self.socket, *arguments)
        with (self.home / "agent.out").open("wb") as log:
            self.agent = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.agent.poll() is None:
            with contextlib.suppress(AgentError):
                if self.ask("GET", "/healthz")[0] == 200:
                    return self.agent
            time.sleep(0.05)
        told = (self.home / "agent.out").read_text(encoding="utf-8")
        raise RuntimeError(f"the agent did not get ready:\n{told}")

    def stop_agent(self) -> None:
        """End the agent that was started here."""
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait(15)
            self.agent = None

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """One request to the agent."""
        return request(self.socket, method, path, body, timeout_s=10)

    def register(self, run_id: str, **more: Any) -> None:
        """Make a run known that has begun now and whose launcher is this process."""
        body = {
            "id": run_id,
            "started_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            "started_us": time.time_ns() // 1_000,
            "launcher_pid": os.getpid(),
            **more,
        }
        status, answer = self.ask("POST", "/v1/runs", body)
        if status != 201:
            raise RuntimeError(f"run {run_id} was refused: {answer}")

    def end(self, run_id: str) -> None:
        """End a run now."""
        body = {
            "status": "completed",
            "exit_code": 0,
            "ended_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            "ended_us": time.time_ns() // 1_000,
        }
        status, answer = self.ask("PATCH", f"/v1/runs/{run_id}", body)
        if status != 200:
            raise RuntimeError(f"run {run_id} was not ended: {answer}")

    def _wait_for_private_agent(self) -> None:
        """A private agent ends by itself after its last run; leave no folder in use behind."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                self.ask("GET", "/healthz")
            except AgentError:
                return
            time.sleep(0.1)


def children(pid: int) -> list[int]:
    """Processes started by a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory and proportional share of a process, in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {
        line.split(":")[0]: int(line.split()[1]) / 1e3 * 1.024
        for line in text.splitlines()
        if line.startswith(("Rss", "Pss:"))
    }
    return found["Rss"], found["Pss"]
