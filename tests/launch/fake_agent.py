"""An agent that meters nothing: it speaks the launcher's protocol, and misbehaves when told to.

METER_FAKE_LOG names a file that gets a JSON line for each thing that happens; METER_FAKE is a
comma-separated list of ways to misbehave.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import threading
import time


def document(run: dict, end: dict | None) -> dict:
    quantity = {"value": 3.6e6, "low": 3.4e6, "high": 3.8e6, "unit": "J", "method": "measured"}
    return {
        "schema": "meter.run/1",
        "run": {
            "id": run["id"],
            "name": run["name"],
            "project": run["project"] or "default",
            "tags": run["tags"],
            "status": (end or {}).get("status", "running"),
            "started_at": "2026-01-01T00:00:00Z",
            "ended_at": "2026-01-01T00:00:01Z",
            "duration_s": 1.0,
            "exit_code": (end or {}).get("exit_code"),
            "nodes": ["n"],
        },
        "energy": {
            "it": quantity,
            "facility": None,
            "by_component": {"gpu": quantity, "cpu": None, "ram": None, "hosted": None},
            "devices": [],
            "unattributed_share": 0.0,
        },
        "cost": [],
        "carbon": {
            "location": None,
            "market": None,
            "overhead": None,
            "tnd": None,
            "embodied": None,
        },
        "water": None,
        "as_of": "2026-01-01T00:00:01Z",
        "usage": [],
        "prices": [],
        "coverage": 1.0,
        "per": {},
        "factors": [],
        "notices": [],
        "simulated": True,
    }


class FakeAgent:
    def __init__(self, socket_path: str, ways: set[str], log: str | None, ready_fd: int | None):
        self.path, self.ways, self.log_path, self.ready_fd = socket_path, ways, log, ready_fd
        self.runs: dict[str, dict] = {}
        self.ended: set[str] = set()
        self.asked = 0
        self.lock = threading.Lock()

    def log(self, **what: object) -> None:
        if self.log_path:
            with self.lock, open(self.log_path, "a") as file:
                clocks = {
                    "at": time.monotonic(),
                    "boot_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                }
                file.write(json.dumps({"pid": os.getpid(), **clocks, **what}) + "\n")

    def tell(self, line: str) -> None:
        if self.ready_fd is not None:
            os.write(self.ready_fd, line.encode() + b"\n")

    def bind(self) -> None:
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.server.bind(self.path)
        self.server.listen(64)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        words = file.readline().split()
        if not words:
            return
        method, path = words[0].decode(), words[1].decode()
        length = 0
        while line := file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = json.loads(file.read(length) or b"null")
        checks = method == "POST" and body["check"]
        self.log(event="CHECK" if checks else method, path=path, body=body)
        if "mute" in self.ways or ("mute_end" in self.ways and method == "PATCH"):
            time.sleep(60)
        if "slow_end" in self.ways and method == "PATCH":
            time.sleep(1)
        status, answer = self.handle(method, path, body)
        data = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        with contextlib.suppress(OSError):
            connection.sendall(head + data)
        connection.close()
        file.close()
        if method == "POST" and not checks and "die_once" in self.ways and not body["resume"]:
            os._exit(9)
        if method == "POST" and not checks and "die" in self.ways:
            os._exit(9)
        if method == "PATCH" and self.ready_fd is not None and self.ended == set(self.runs):
            time.sleep(body.get("linger_s") or 0)
            self.log(event="exit")
            os._exit(0)

    def handle(self, method: str, path: str, body: dict | None) -> tuple[int, dict]:
        run_id = path.removeprefix("/v1/runs").strip("/")
        if run_id.endswith("/budgets"):
            if "hang_budgets" in self.ways:
                time.sleep(60)
            return 200, {"budgets": [], "stop": "spent" in self.ways}
        if method == "POST":
            for way in self.ways:
                if way.startswith("refuse_"):
                    return int(way.removeprefix("refuse_")), {"detail": "not for you"}
            if "refuse" in self.ways or body["gpus"] == "7":
                text = "no device 7: known are 0 (GPU-aaaa), 1 (GPU-bbbb)"
                return 422, {"detail": text, "code": "UsageError"}
            self.asked += 1
            if "unready" in self.ways and self.asked < 3:
                return 503, {"detail": "the devices are not known yet"}
            if not body["check"]:
                self.runs[body["id"]] = body
            fault = {"code": "no_nvml", "text": "no NVIDIA driver"}
            return 200 if body["check"] else 201, {
                "id": body["id"],
                "devices": [],
                "ledger": "/x/ledger.duckdb",
                "agent_pid": os.getpid(),
                "notices": [],
                "faults": [fault] if "faulty" in self.ways else [],
            }
        if run_id not in self.runs:
            return 404, {"detail": "no such run"}
        if method == "PATCH":
            self.ended.add(run_id)
        return 200, document(self.runs[run_id], body)


def is_open(fd: int) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def main(arguments: list[str]) -> int:
    """Be a private agent."""
    path = arguments[arguments.index("--socket") + 1]
    ready_fd = int(arguments[arguments.index("--ready-fd") + 1])
    os.set_inheritable(ready_fd, False)
    ways = set(filter(None, os.environ.get("METER_FAKE", "").split(",")))
    agent = FakeAgent(path, ways, os.environ.get("METER_FAKE_LOG"), ready_fd)
    agent.log(
        event="start",
        fds={fd: os.readlink(f"/proc/self/fd/{fd}") for fd in range(64) if is_open(fd)},
        sid=os.getsid(0),
        cwd=os.getcwd(),
        stdin=os.readlink("/proc/self/fd/0"),
        stdout=os.readlink("/proc/self/fd/1"),
        words=sys.argv,
        run=os.environ.get("METER_RUN_ID"),
    )
    if "crash" in ways:
        raise SystemExit("made to crash")
    if "error" in ways:
        agent.tell("error made to fail")
        return 1
    held = os.open(path + ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 75
    if "late" in ways:
        time.sleep(1.0)
    agent.bind()
    agent.tell(f"listening {path}")
    if "unread" not in ways:
        agent.tell("reading")
    agent.serve()
    return 0
