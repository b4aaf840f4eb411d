"""What the agent refuses is said once a reason, on stderr at most, and never with a text."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import meter
from agent.agents import Agent, agent
from meter import marks
from meter.marks import refusals, usage_sender
from tests.marks.fake_agent import FakeAgent, fake_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "the canary sings"
ALL = ("usage", "invalid", "r")
BAD = (
    {"id": CANARY, "object": CANARY, "model": CANARY, "usage": {"total_tokens": CANARY}},
    {"id": "x", "object": "chat.completion", "created": 1_763_900_000, "model": CANARY,
     "usage": {"prompt_tokens": -1, "completion_tokens": CANARY}},
    {"id": "chatcmpl-1", "object": "chat.completion", "created": CANARY, "model": "m",
     "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    7, CANARY, {"usage": CANARY},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals._Process, "said", set())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Agent]:
    with agent(tmp_path) as made:
        made.hear("reading")
        yield made
        made.stop()


def job(socket: str, script: str) -> subprocess.CompletedProcess[str]:
    """A job that says "done" at its end."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path),
           "METER_SOCKET": socket, "METER_RUN_ID": "r1"}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import meter\n{script}\nprint('done')"],
        env=env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_refused_answer_is_said_once_on_stderr_without_its_texts(node: Agent) -> None:
    script = f"import meter.marks\nfor one in {BAD!r} * 3: meter.usage(one)\nmeter.marks.flush(60)"
    done = job(node.socket, script)
    assert (done.returncode, done.stdout) == (0, "done\n")
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= refusals.MOST
    assert len(set(lines)) == len(lines)
    assert all(line.startswith("meter: the agent did not take usage (invalid): ") for line in lines)
    assert CANARY not in done.stderr


def test_a_job_whose_logs_go_to_stdout_has_the_same_stdout(node: Agent) -> None:
    script = (
        "import logging, sys\n"
        "logging.basicConfig(stream=sys.stdout, level=0)\n"
        "meter.usage({'id': 'x'})\nmeter.marks.flush(60)"
    )
    done = job(node.socket, script)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.count("\n") == 1


def test_a_job_that_ends_at_once_ends_as_ever(node: Agent) -> None:
    done = job(node.socket, "meter.usage({'id': 'x'})")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.count("\n") == done.stderr.count("the agent did not take usage") <= 1


PART = {
    "id": "c-1", "object": "chat.completion.chunk", "created": 1_763_900_000, "model": "m",
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}  # fmt: skip


class Event:
    """As Mistral's SDK yields parts of a stream."""

    data = PART

    def model_dump(self) -> dict[str, object]:
        return {"data": self.data}


def test_an_event_of_mistral_is_refused_aloud_and_its_data_is_taken(
    node: Agent, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    monkeypatch.setenv("METER_SOCKET", node.socket)
    monkeypatch.setattr(usage_sender._Process, "senders", {})
    meter.usage(Event(), provider="mistral")
    assert marks.flush(60)
    assert len(heard.texts) == 1
    meter.usage(Event().data, provider="mistral")
    assert marks.flush(60)
    assert len(heard.texts) == 1
    rows = node.ask("GET", "/v1/usage")[1]["usage"]
    assert {row["meter"]: row["quantity"] for row in rows} == {"input": "1", "output": "2"}


@pytest.mark.parametrize("status", [400, 422])
def test_refused_marks_are_said_with_status_and_reason(tmp_path: Path, status: int) -> None:
    with fake_agent(tmp_path) as told:
        told.answers += [(status, {"detail": f"no\n'{CANARY}'"}), (202, {"invalid": []})]
        done = job(told.path, "meter.mark(step=1)\nmeter.marks.flush(60)")
    assert (done.returncode, done.stdout) == (0, "done\n")
    said = f"meter: the agent did not take marks (HTTP {status}): no '...'; told once"
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_mark_that_is_refused_alone_is_said(tmp_path: Path) -> None:
    with fake_agent(tmp_path) as told:
        told.answers.append((202, {"invalid": [{"place": 0, "reason": "before the run"}]}))
        done = job(told.path, "meter.mark(step=1)\nmeter.marks.flush(60)")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "did not take marks (invalid): before the run; told once" in done.stderr


def test_what_is_taken_is_not_spoken_of(told: FakeAgent) -> None:
    done = job(told.path, "meter.mark(step=1)\nmeter.marks.flush(60)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.fixture
def told(tmp_path: Path) -> Iterator[FakeAgent]:
    with fake_agent(tmp_path) as server:
        yield server


class Heard(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    logging.getLogger("meter").addHandler(handler)
    yield handler
    logging.getLogger("meter").removeHandler(handler)


def test_reasons_that_differ_in_numbers_alone_are_one(heard: Heard, capfd) -> None:
    for number in range(9):
        refusals.refused("usage", "invalid", f"{number} tokens are too many")
    assert len(heard.texts) == 1
    assert capfd.readouterr() == ("", "")  # who has a handler has it alone


def test_after_some_reasons_no_more_are_told(heard: Heard) -> None:
    for letter in "abcdefgh":
        refusals.refused("usage", "invalid", f"reason {letter}")
    assert len(heard.texts) == refusals.MOST
    assert [text.endswith("(no more reasons are told)") for text in heard.texts] == [
        *[False] * (refusals.MOST - 1), True,
    ]  # fmt: skip


def test_a_logger_that_is_set_higher_says_nothing(heard: Heard) -> None:
    logging.getLogger("meter").setLevel(logging.ERROR)
    try:
        refusals.refused(*ALL)
    finally:
        logging.getLogger("meter").setLevel(logging.NOTSET)
    assert heard.texts == []


def test_a_handler_that_fails_harms_nobody(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_record: logging.LogRecord) -> None:
        raise RuntimeError

    monkeypatch.setattr(heard, "handle", fail)
    refusals.refused(*ALL)
    assert heard.texts == []


def test_a_process_that_ends_is_told_nothing(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals._Process, "ends", True)
    refusals.refused(*ALL)
    assert heard.texts == []
