"""Links that a job tells: in the background, once, and into the document of its run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import meter
from marks.fake_agent import FakeAgent, fake_agent
from meter import marks
from meter.agent.requests import NewLink
from meter.links import SOURCES
from meter.marks import checked, sender
from tests.examples.training import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAgent]:
    """The agent of this process's run."""
    with fake_agent(tmp_path) as server:
        monkeypatch.setenv("METER_RUN_ID", "r1")
        monkeypatch.setenv("METER_SOCKET", server.path)
        monkeypatch.setattr(sender._Process, "senders", {})
        monkeypatch.setattr(sender._Process, "registered", True)
        yield server


def test_a_job_links_its_run_and_the_document_has_it(tmp_path: Path) -> None:
    job = (
        "import time, meter\n"
        "meter.mark(step=1)\n"
        "while not meter.marks.flush(60):\n"  # the agent may just be starting
        "    time.sleep(0.05)\n"
        "meter.link('wandb', '3f9k2c')\n"
        "meter.link('slurm', 4711)\n"
    )
    _, document = Node.of(tmp_path).run(sys.executable, "-c", job)
    links = {(link["source"], link["id"]) for link in document["run"]["links"]}
    assert links == {("slurm", "4711"), ("wandb", "3f9k2c")}
    assert "marks_dropped" not in {notice["code"] for notice in document["notices"]}


def test_a_link_is_told_at_the_end_of_a_process_that_marks_nothing(tmp_path: Path) -> None:
    with fake_agent(tmp_path) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", "import meter; meter.link('custom', 'a b')"],
            env={
                "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path),
                "METER_RUN_ID": "r1", "METER_SOCKET": server.path,
            },
            capture_output=True,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert server.links == [("custom", "a b")]
        assert server.batches[0]["path"] == "/v1/runs/r1/links"


def test_a_link_is_told_again_until_the_agent_takes_it(told: FakeAgent) -> None:
    told.answers += [(404, {}), (201, {})]
    meter.link("wandb", "x")
    marks.flush(60)
    assert marks.flush(60)
    assert [batch["status"] for batch in told.batches] == [404, 201]
    assert marks.dropped() == {}


def test_a_link_that_the_agent_refuses_is_counted_and_keeps_nothing_back(told: FakeAgent) -> None:
    told.answers += [(202, {}), (422, {})]
    meter.mark(step=1)
    meter.link("wandb", "x")
    assert not marks.flush(60)
    meter.link("wandb", "y")
    assert marks.flush(60)
    assert told.links[-1] == ("wandb", "y")
    assert marks.dropped() == {"link": 1}


def test_a_run_that_has_ended_is_linked_all_the_same(told: FakeAgent) -> None:
    told.answers.append((409, {}))
    meter.mark(step=1)
    marks.flush(60)
    meter.link("wandb", "x")
    marks.flush(60)
    assert told.links == [("wandb", "x")]
    assert marks.dropped() == {"ended": 1}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("nobody", "x"), {}),
        (("wandb", ""), {}),
        (("wandb", "a\nb"), {}),
        (("wandb", "x" * 257), {}),
        (("wandb", None), {}),
        (("wandb", True), {}),
        ((["wandb"], "x"), {}),
        (("wandb",), {}),
        ((), {}),
        (("wandb", "x", "y"), {}),
        (("wandb", "x"), {"project": "y"}),
    ],
)
def test_a_wrong_link_is_counted_and_never_raised_or_told(told: FakeAgent, given, named) -> None:
    meter.link(*given, **named)
    assert marks.dropped() == {"link": 1}
    assert marks.flush(60)
    assert told.batches == []


@pytest.mark.parametrize("source", SOURCES)
def test_the_agent_takes_what_the_client_does(source: str) -> None:
    linked = checked.linked(source, "é" * 256)
    assert NewLink.model_validate(linked).model_dump() == linked


def test_no_more_links_wait_than_a_few(told: FakeAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender._thread, "start_new_thread", lambda *_: None)
    for number in range(sender.MOST_LINKS + 3):
        meter.link("custom", number)
    assert marks.dropped() == {"link": 3}


def test_without_a_run_nothing_is_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender._Process, "senders", {})
    monkeypatch.delenv("METER_RUN_ID", raising=False)
    meter.link("wandb", "x")
    meter.link("nobody")
    assert marks.dropped() == {}
