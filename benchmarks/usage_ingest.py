"""Usage taken in: over HTTP in batches of 100, each durable when answered; from JSON lines."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.table import Table, show
from tests.agent.agents import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 100
EVENTS, QUICK_EVENTS = 1_000_000, 50_000
POSTED, QUICK_POSTED = 100_000, 10_000
CLIENTS = 4
_LOOK_S = 0.1
FIRST_S = 1_790_000_000
METERS = ("input", "output", "cached_input", "train_token")


def events(first: int, count: int) -> Iterator[dict[str, object]]:
    """Normalised events of four meters, one each tenth of a second."""
    for number in range(first, first + count):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST_S + number // 10))
        yield {
            "id": f"chatcmpl-{number:029x}", "at": at, "provider": "openai", "model": "gpt-4o",
            "meter": METERS[number % 4], "quantity": number % 5_000, "project": "chat",
        }  # fmt: skip


def posted(port: int, count: int) -> float:
    """Events a second that several clients get answered, each batch durable."""
    per_client = count // CLIENTS
    bodies = [
        [
            json.dumps(list(events(client * per_client + start, BATCH)))
            for start in range(0, per_client, BATCH)
        ]
        for client in range(CLIENTS)
    ]
    threads = [threading.Thread(target=_post_all, args=(port, each)) for each in bodies]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - began)


def _await(port: int) -> None:
    """Until somebody listens there."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens at port {port}")


def _post_all(port: int, bodies: list[str]) -> None:
    made = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:
        made.request("POST", "/v1/usage", body, {"Content-Type": "application/json"})
        answer = json.loads(made.getresponse().read())
        if answer["stored"] != BATCH:
            raise SystemExit(f"not stored: {answer}")
    made.close()


def imported(folder: Path, file: Path) -> tuple[float, float]:
    """Seconds of ``meter usage import`` without an agent, and the most MB of its processes."""
    variables = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path)),
        "METER_HOME": str(folder / "home"), "METER_SOCKET": str(folder / "none.sock"),
        "METER_LEASE_DIR": str(folder / "leases"),
    }  # fmt: skip
    began = time.perf_counter()
    command = [sys.executable, "-m", "meter", "usage", "import", str(file)]
    most = 0
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL) as importing:
        while importing.poll() is None:
            most = max(most, _resident(importing.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                importing.wait(_LOOK_S)
    taken = time.perf_counter() - began
    if importing.returncode:
        raise SystemExit("the import failed")
    return taken, most / 2**20


def _resident(pid: int) -> int:
    """Resident bytes of a process and those that it started, together."""
    found = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children()):
            found += one.memory_info().rss
    return found


def main() -> None:
    """Post, import, import again."""
    parser = argparse.ArgumentParser(description="usage taken in")
    parser.add_argument("--quick", action="store_true", help="fewer events")
    options = parser.parse_args()
    table = Table("Usage taken in", ("what", "figure"),
                  hold=">= 5,000 events/s over HTTP; 1 M lines <= 60 s, again <= 60 s")  # fmt: skip
    count = QUICK_EVENTS if options.quick else EVENTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "events.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(event) + "\n" for event in events(0, count))
        for what in ("import", "the same again"):
            taken, memory = imported(folder, file)
            table.add(f"{what}: {count:,} lines", f"{taken:.1f} s, {memory:.0f} MB")
        with agent(folder, "--listen", "127.0.0.1:19851") as node:
            node.hear("reading")
            _await(19851)
            few = QUICK_POSTED if options.quick else POSTED
            rate = posted(19851, few)
            table.add(f"{few:,} over HTTP in hundreds, {CLIENTS} clients", f"{rate:,.0f} events/s")
            node.stop()
    show([table])


if __name__ == "__main__":
    main()
