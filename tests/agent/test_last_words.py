"""Jobs that ended while no agent listened: the next one ends their runs there, not later."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import Agent, agent, boot_ns, until
from meter.agent.last_words import LastWords
from meter.agent.place import this_node
from meter.launch import last_word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@contextmanager
def launcher() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for one."""
    with subprocess.Popen(SLEEP) as found:
        try:
            yield found
        finally:
            found.kill()


def leave(socket: str, pid: int, code: int = 7) -> float:
    """What a launcher leaves when its job ends with a code; the UTC second."""
    end = {"status": "failed" if code else "completed", "exit_code": code, "ended_ns": boot_ns()}
    assert last_word.leave(socket, {"id": "r1", "launcher_pid": pid}, end) is not None
    return time.time()


def over(node: Agent) -> dict[str, Any]:
    """The run's document once it has ended."""

    def found() -> dict[str, Any] | None:
        status, document = node.ask("GET", "/v1/runs/r1")
        return document if status == 200 and document["run"]["status"] != "running" else None

    return until(found, "the end of the run")


def ended_s(document: dict[str, Any]) -> float:
    return datetime.fromisoformat(document["run"]["ended_at"]).timestamp()


def counted(page: dict[str, float], name: str) -> float:
    """What the counters of the run, or of its project, stand at."""
    return sum(v for n, v in page.items() if n.startswith(name) and 'project="(' not in n)


@pytest.mark.parametrize("waits", [False, True])
def test_the_next_agent_ends_a_run_where_its_job_ended_and_books_nothing_after_that(
    tmp_path: Path, *, waits: bool
) -> None:
    """Whether the launcher has given up by then, or still waits for an agent."""
    with agent(tmp_path) as first, launcher() as found:
        first.hear("reading")
        first.begin("r1", launcher_pid=found.pid)
        time.sleep(1.5)
        first.kill()
        end_s = leave(first.socket, found.pid)
        time.sleep(3)
        if not waits:
            found.kill()
            found.wait()
        with agent(tmp_path) as second:
            second.hear("reading")
            document = over(second)
            page = second.page()
            second.stop()
        assert len(list(tmp_path.glob("*.end"))) == waits
    run = document["run"]
    assert (run["status"], run["exit_code"]) == ("failed", 7)
    assert ended_s(document) == pytest.approx(end_s, abs=0.1)
    assert "run_abandoned" not in {notice["code"] for notice in document["notices"]}
    # the open minute is rebuilt from rows a second apart; after its end it would have used far more
    in_run = counted(page, "meter_run_energy_joules_total")
    assert in_run == pytest.approx(document["energy"]["it"]["value"], rel=0.1)


def test_counters_agree_with_the_document_of_a_run_whose_end_is_told_late(tmp_path: Path) -> None:
    """What it would have used until then, a counter could not give back."""
    with agent(tmp_path) as node, launcher() as found:
        node.hear("reading")
        node.begin("r1", launcher_pid=found.pid)
        time.sleep(2)
        ended_ns = boot_ns()
        leave(node.socket, found.pid)
        time.sleep(4)
        document = node.end("r1", status="failed", exit_code=7, ended_ns=ended_ns)
        value = document["energy"]["it"]["value"]
        page = until(lambda: _settled(node.page(), value), "counters that agree")
        node.stop()
    in_project = counted(page, "meter_energy_joules_total")
    assert in_project == pytest.approx(value, abs=0.01)


def _settled(page: dict[str, float], value: float) -> dict[str, float] | None:
    """The page if the run's counters, which show what is durable, are what its document says."""
    in_run = counted(page, "meter_run_energy_joules_total")
    return page if in_run == pytest.approx(value, abs=0.01) else None


def test_a_launcher_that_gave_up_an_agent_which_lives_on_left_its_word(tmp_path: Path) -> None:
    with agent(tmp_path) as node, launcher() as found:
        node.hear("reading")
        node.begin("r1", launcher_pid=found.pid)
        end_s = leave(node.socket, found.pid, code=0)
        time.sleep(2)
        found.kill()
        found.wait()
        document = over(node)
        node.stop()
    assert (document["run"]["status"], document["run"]["exit_code"]) == ("completed", 0)
    assert ended_s(document) == pytest.approx(end_s, abs=0.1)


def test_a_run_of_several_launchers_ends_with_the_last_word_and_the_worst(tmp_path: Path) -> None:
    with agent(tmp_path) as first, launcher() as one, launcher() as other:
        first.hear("reading")
        for found in (one, other):
            first.begin("r1", launcher_pid=found.pid)
        first.kill()
        leave(first.socket, one.pid, code=3)
        time.sleep(1)
        end_s = leave(first.socket, other.pid, code=0)
        for found in (one, other):
            found.kill()
            found.wait()
        with agent(tmp_path) as second:
            second.hear("reading")
            document = over(second)
            second.stop()
    assert (document["run"]["status"], document["run"]["exit_code"]) == ("failed", 3)
    assert ended_s(document) == pytest.approx(end_s, abs=0.1)


def test_a_private_agent_stays_for_a_launcher_that_waits_to_be_told(tmp_path: Path) -> None:
    with agent(tmp_path) as first, launcher() as found:
        first.hear("reading")
        first.begin("r1", launcher_pid=found.pid)
        first.kill()
        leave(first.socket, found.pid)
        with agent(tmp_path, "--private") as second:
            second.hear("reading")
            over(second)
            time.sleep(3)
            assert second.process.poll() is None
            found.kill()
            found.wait()
            assert second.process.wait(60) == 0


def test_what_no_launcher_of_ours_left_in_this_boot_is_no_word(tmp_path: Path) -> None:
    socket, boot_id = tmp_path / "s", this_node().boot_id
    words = LastWords(socket, boot_id)
    leave(str(socket), os.getpid())
    file = tmp_path / f"s.{os.getpid()}.end"
    assert [word.pid for word in words.all()] == [os.getpid()]
    assert words.of("r1", os.getpid()) is not None
    assert words.of("another", os.getpid()) is None
    assert LastWords(socket, "of another boot").all() == []
    (tmp_path / "s.1.end").symlink_to(file)
    (tmp_path / "s.2.end").write_text(file.read_text())  # says another process
    (tmp_path / "s.3.end").write_text("{")
    (tmp_path / "s.4.end").write_text("[]")
    os.mkfifo(tmp_path / "s.5.end")
    assert len(words.all()) == 1
    words.drop(words.all())
    assert file.exists()  # its launcher lives
    last_word.take_back(str(file))
    assert words.all() == []


def test_a_word_of_another_user_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(str(tmp_path / "s"), os.getpid())
    monkeypatch.setattr("meter.agent.last_words.os.getuid", lambda: os.geteuid() + 1)
    assert LastWords(tmp_path / "s", this_node().boot_id).all() == []
