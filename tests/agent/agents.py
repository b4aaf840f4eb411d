"""Real agents with simulated GPUs or a stand-in, each in a folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from meter.launch.client import NoAgentError, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 60.0
"""Far more than anything needs: the machine may be busy."""


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Agent:
    """An agent process and how to talk to it."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        home: Path | None = None,
        module: str = "meter.agent",
        **variables: str,
    ) -> None:
        self.socket = str(folder / "agent.sock")
        self.home = home or folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "METER_HOME": str(self.home),
            "METER_SOCKET": self.socket,
            "METER_LEASE_DIR": str(folder / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            "METER_SIMULATE": "2xH100",
            **variables,
        }
        self.told, telling = os.pipe()
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "--ready-fd", str(telling), *options],
                env=self.environment,
                pass_fds=(telling,),
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        os.close(telling)

    def hear(self, word: str) -> str:
        """Everything told on the ready pipe until a word, or its end."""
        heard = ""
        while word not in heard:
            piece = os.read(self.told, 4096).decode()
            if not piece:
                break
            heard += piece
        return heard

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        return request(self.socket, method, path, body, timeout_s=PATIENCE_S)

    def page(self) -> dict[str, float]:
        """The /metrics page as numbers under name and labels."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect(self.socket)
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        lines = answer.decode().partition("\r\n\r\n")[2].splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    def begin(self, run_id: str, *, expected: int = 201, **changes: Any) -> dict[str, Any]:
        body = {
            "id": run_id,
            "name": "try",
            "project": "tests",
            "started_ns": boot_ns(),
            "started_us": time.time_ns() // 1000,
            "launcher_pid": os.getpid(),
            **changes,
        }
        status, answer = self.ask("POST", "/v1/runs", body)
        assert status == expected, answer
        return answer

    def end(self, run_id: str, **changes: Any) -> dict[str, Any]:
        body = {"status": "completed", "exit_code": 0, "ended_ns": boot_ns(), **changes}
        status, answer = self.ask("PATCH", f"/v1/runs/{run_id}", body)
        assert status == 200, answer
        return answer

    def sampler(self) -> int:
        """PID of the sampler, 0 while there is none."""
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        return int((found.stdout.split() or ["0"])[0])

    def stop(self) -> int:
        """End it if it runs; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)


@contextmanager
def agent(folder: Path, *options: str, **variables: Any) -> Iterator[Agent]:
    """An agent that listens."""
    running = Agent(folder, *options, **variables)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait(PATIENCE_S)
        os.close(running.told)


def metered_before(folder: Path, run_id: str = "r1") -> None:
    """Let an agent meter a run to its end, and stop it."""
    with agent(folder) as before:
        before.hear("reading")
        before.begin(run_id)
        before.end(run_id)
        before.stop()


def configured(folder: Path, text: str) -> dict[str, str]:
    """The variable that names a configuration file with a text."""
    file = folder / "config.toml"
    file.write_text(text)
    return {"METER_CONFIG": str(file)}


def until(condition: Any, what: str) -> Any:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            found = condition()
        except NoAgentError:
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")
