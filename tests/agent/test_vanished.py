"""Launchers that die without a word: before they were heard, beside others, under their job."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agents import Agent, agent, boot_ns, until
from meter.agent.launchers import Launchers, has_ended
from meter.agent.runs import Outcome
from meter.ledger import open_reader
from meter.model import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator


SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Registers a run and is gone before the agent, which stands still, can read of it.
HASTY = """
import json, os, socket, sys
body = {"id": "r1", "launcher_pid": os.getpid(), "resume": True, **json.loads(sys.argv[2])}
text = json.dumps(body).encode()
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
head = f"POST /v1/runs HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(text)}\\r\\n"
sock.sendall(head.encode() + b"Content-Type: application/json\\r\\n\\r\\n" + text)
"""


@contextmanager
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps until it is killed."""
    with subprocess.Popen(SLEEP) as found:
        try:
            yield found
        finally:
            found.kill()


def killed(found: subprocess.Popen[bytes]) -> float:
    """End a process; the UTC second."""
    found.kill()
    found.wait()
    return time.time()


def hasty(node: Agent, **more: Any) -> None:
    """Register a run by a launcher that does not live to see it read."""
    node.process.send_signal(signal.SIGSTOP)
    try:
        subprocess.run([sys.executable, "-c", HASTY, node.socket, json.dumps(more)], check=True)
    finally:
        node.process.send_signal(signal.SIGCONT)


def document(node: Agent, run_id: str = "r1") -> dict[str, Any]:
    return node.ask("GET", f"/v1/runs/{run_id}")[1]


def settled(node: Agent) -> dict[str, Any]:
    """The run's document once it is over."""

    def over() -> dict[str, Any] | None:
        status, found = node.ask("GET", "/v1/runs/r1")
        return found if status == 200 and found["run"]["status"] != "running" else None

    return until(over, "the end of the run")


def ended_s(found: dict[str, Any]) -> float:
    return datetime.fromisoformat(found["run"]["ended_at"]).timestamp()


def codes(found: dict[str, Any]) -> set[str]:
    return {notice["code"] for notice in found["notices"]}


def test_a_launcher_that_is_gone_before_its_word_is_read_leaves_no_endless_run(
    tmp_path: Path,
) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        hasty(node)
        assert node.process.wait(60) == 0  # nobody is to be expected any more
    with open_reader(tmp_path / "ledger.duckdb") as reader:
        rows = reader._con.execute("SELECT run_id, status FROM run_state").fetchall()
    assert rows == [("r1", "running"), ("r1", "abandoned")]


def test_a_job_that_outlives_its_observer_ends_its_run_itself(tmp_path: Path) -> None:
    with agent(tmp_path) as node, process() as job:
        node.hear("reading")
        hasty(node, job_pid=job.pid)
        until(lambda: node.ask("GET", "/v1/runs/r1")[0] == 200, "the run")
        time.sleep(4)  # longer than a launcher's word is waited for
        assert document(node)["run"]["status"] == "running"
        end_s = killed(job)
        found = settled(node)
        node.stop()
    assert ended_s(found) == pytest.approx(end_s, abs=1.5)
    assert {"launcher_vanished", "run_abandoned"} <= codes(found)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("how", ["job_pid", "attached"])
def test_an_observer_that_is_killed_leaves_the_run_to_its_job(
    tmp_path: Path, how: str, *, restarts: bool
) -> None:
    with agent(tmp_path) as node, process() as job, process() as observer:
        node.hear("reading")
        told = {"pid": job.pid} if how == "attached" else job.pid
        node.begin("r1", launcher_pid=observer.pid, **{how: told})
        killed(observer)
        until(lambda: "launcher_vanished" in codes(document(node)), "the notice")
        if restarts:
            node.kill()
            with agent(tmp_path) as second:
                second.hear("reading")
                found = _ended_with(second, job)
        else:
            found = _ended_with(node, job)
    assert found["run"]["exit_code"] is None


def _ended_with(node: Agent, job: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert document(node)["run"]["status"] == "running"
    end_s = killed(job)
    found = settled(node)
    assert ended_s(found) == pytest.approx(end_s, abs=1.5)
    node.stop()
    return found


def test_a_number_that_another_process_has_got_meanwhile_is_no_job(tmp_path: Path) -> None:
    with agent(tmp_path) as node, process() as observer:
        node.hear("reading")
        before_ns = boot_ns() - 60 * 10**9
        with process() as other:
            node.begin(
                "r1", launcher_pid=observer.pid, job_pid=other.pid,
                started_ns=before_ns, sent_ns=boot_ns(),
            )  # fmt: skip
            killed(observer)
            assert settled(node)["run"]["status"] == "abandoned"
            assert other.poll() is None
        node.stop()


def test_a_run_ends_with_its_last_part_though_another_vanished_before(tmp_path: Path) -> None:
    with agent(tmp_path) as node, process() as other:
        node.hear("reading")
        node.begin("r1", gpus="0", launcher_pid=other.pid)
        node.begin("r1", gpus="1")
        killed_s = killed(other)
        time.sleep(1.5)
        end_s = time.time()
        node.end("r1")
        found = settled(node)
        node.stop()
    assert found["run"]["status"] == "abandoned"
    assert ended_s(found) == pytest.approx(end_s, abs=0.2)
    assert ended_s(found) - killed_s > 1


parts = st.lists(st.integers(1, 10**6), min_size=1, max_size=5)


@given(parts, st.data())
def test_in_whatever_order_parts_are_told_the_latest_ends_the_run(ends: list[int], data) -> None:
    launchers = Launchers(Path("/nowhere/runs"))
    for ended_ns in data.draw(st.permutations(ends)):
        launchers.leave("r", 1, Outcome(RunStatus.COMPLETED), ended_ns)
    assert launchers.ended_ns("r", min(ends)) == max(ends)
    launchers.forget("r")
    assert launchers.ended_ns("r", 1) == 1


def test_a_process_that_ended_is_told_from_one_that_lives() -> None:
    assert not has_ended(os.getpid())
    assert not has_ended(1)
    with process() as found:
        found.kill()
        until(lambda: has_ended(found.pid), "a zombie counts as ended")
        found.wait()
        assert has_ended(found.pid)
