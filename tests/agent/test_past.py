"""Past runs through an agent: the same refusals, the same document, each booked once."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOLD = {"name": "old", "gpu_hours": 1000, "watts": "400:350:420", "start": "2026-03-01"}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    folder: Path = tmp_path_factory.mktemp("agent")
    config = folder / "meter.toml"
    config.write_text('[site]\nzone = "FRA"\npue = 1.3\n')
    with running(folder, METER_CONFIG=str(config)) as started:
        assert "listening" in started.hear("reading")
        yield started


def test_it_answers_with_the_document_and_tells_new_from_known(agent: Agent) -> None:
    status, made = agent.ask("POST", "/v1/runs/past", {**TOLD, "id": "a", "tags": {"k": "v"}})
    assert status == 201
    assert made["energy"]["it"]["value"] == 1_440_000_000
    assert made["run"]["tags"] == {"k": "v"}
    assert {row["kind"]: row["value"] for row in made["factors"]}["pue"] == 1.3
    status, again = agent.ask("POST", "/v1/runs/past", {**TOLD, "id": "a", "tags": {"k": "v"}})
    assert (status, again["energy"]) == (200, made["energy"])
    assert agent.ask("GET", "/v1/runs/a")[1]["energy"] == made["energy"]


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"count": 8}, 422, "gpu-hours and count are both given"),
        ({"gpu_hours": -1}, 422, "gpu-hours -1 cannot be"),
        ({"gpu_hours": True}, 422, "true and false are no amounts"),
        ({"watts": None}, 422, "the power of a GPU is not known"),
        ({"zone": "Francia"}, 422, "did you mean FRA"),
        ({"start": "2999-01-01"}, 422, "lies in the future"),
        ({"colour": "red"}, 422, "a field that is not known"),
        ({"pue": "1.2", "id": "b"}, 409, "there is a run b already, with other figures"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(
    agent: Agent, changes: dict, status: int, said: str
) -> None:
    agent.ask("POST", "/v1/runs/past", {**TOLD, "id": "b"})
    before = agent.ask("GET", "/v1/runs?limit=1000")[1]["runs"]
    answer = agent.ask("POST", "/v1/runs/past", {**TOLD, **changes})
    assert answer[0] == status
    assert said in answer[1]["detail"]
    assert agent.ask("GET", "/v1/runs?limit=1000")[1]["runs"] == before


def test_of_many_that_come_at_once_one_is_new_and_its_energy_counts_once(agent: Agent) -> None:
    answers: list[tuple[int, dict]] = []

    def book() -> None:
        answers.append(agent.ask("POST", "/v1/runs/past", {**TOLD, "id": "c"}))

    threads = [threading.Thread(target=book) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] * 5 + [201], answers
    assert {made["energy"]["it"]["value"] for _, made in answers} == {1_440_000_000}


def test_many_may_ask_for_documents_at_once(agent: Agent) -> None:
    agent.ask("POST", "/v1/runs/past", {**TOLD, "id": "e"})
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(agent.ask("GET", "/v1/runs/e")[0]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8


def test_the_command_line_books_through_the_agent(
    agent: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: str) -> tuple[int, str, str]:
        code = app.run(
            ["runs", "add", "--name", "cli", "--watts", "400", *words],
            Environment(agent.environment, os.getuid()),
        )
        return code, *capsys.readouterr()

    code, out, err = call("--gpu-hours", "10", "--id", "d", "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert agent.ask("GET", "/v1/runs/d")[1]["energy"] == made["energy"]
    code, out, err = call("--gpu-hours", "10", "--count", "3")
    assert (code, out) == (2, "")
    assert "gpu-hours and count are both given" in err
    code, out, err = call("--gpu-hours", "11", "--id", "d")
    assert (code, out) == (2, "")
    assert "there is a run d already" in err
