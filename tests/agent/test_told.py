"""Runs of codecarbon through an agent: the same as to a file, each once, or none of them."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from meter.cli import app
from meter.environment import Environment
from tests.agent.agents import Agent
from tests.agent.agents import agent as running
from tests.past.emissions import file, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "/v1/runs/import"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running(tmp_path_factory.mktemp("agent")) as started:
        assert "listening" in started.hear("reading")
        yield started


def told(*rows: dict[str, str], **more: object) -> dict:
    return {"source": "codecarbon", "rows": list(rows), **more}


def test_rows_are_booked_once_and_live_among_the_other_runs(agent: Agent) -> None:
    body = told(row(run_id="a", duration=7200), timezone="Europe/Paris", project="chat")
    status, answer = agent.ask("POST", PATH, body)
    assert (status, answer["new"], answer["ids"]) == (201, 1, ["codecarbon:a"])
    assert agent.ask("POST", PATH, body)[1]["known"] == 1
    document = agent.ask("GET", "/v1/runs/codecarbon:a")[1]
    assert document["energy"]["it"]["value"] == 5_655_600
    assert document["run"]["ended_at"] == "2026-03-01T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (told(row(run_id="new"), row(run_id="bad", cpu_energy="x")), "is no number"),
        (told(row(run_id="new"), {"timestamp": "2026-03-01"}), "is missing"),
        (told(row(run_id="new", pue=True)), "must be text or a number"),
        (told(row(run_id="new"), timezone="Mars"), "is no time zone"),
        (told(), "rows"),
        ({**told(row(run_id="new")), "source": "carbontracker"}, "source"),
        (told(row(run_id="new"), colour="red"), "a field that is not known"),
        (told(row(run_id="new"), project=" "), "project"),
    ],
)
def test_what_is_wrong_is_refused_whole(agent: Agent, body: dict, said: str) -> None:
    status, answer = agent.ask("POST", PATH, body)
    assert status == 422
    assert said in json.dumps(answer)
    assert agent.ask("GET", "/v1/runs/codecarbon:new")[0] == 404


def test_of_many_that_import_at_once_each_run_is_new_once(agent: Agent) -> None:
    body = told(*(row(run_id=f"m{n}") for n in range(3)))
    answers: list[dict] = []
    threads = [
        threading.Thread(target=lambda: answers.append(agent.ask("POST", PATH, body)[1]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["new"] for one in answers) == [0, 0, 0, 3]


def test_the_command_line_goes_through_the_agent_and_tells_faults_by_the_files_lines(
    agent: Agent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: str) -> int:
        return app.run(["runs", *words], Environment(agent.environment, os.getuid()))

    path = tmp_path / "emissions.csv"
    path.write_bytes(file(row(run_id="cli"), row(run_id="cli2", ram_energy="-1")))
    assert call("import", str(path)) == 1
    assert f"meter: {path}:3:ram_energy: '-1' is not from 0 to" in capsys.readouterr().err
    path.write_bytes(file(row(run_id="cli")))
    assert call("import", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["ids"] == ["codecarbon:cli"]
    assert call("--json") == 0
    assert "codecarbon:cli" in capsys.readouterr().out
