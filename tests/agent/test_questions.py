"""Several ask at once: each has its turn, since the ledger has memory for one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from agent.agents import agent
from meter.hosted.wire import job_json
from meter.instants import parse_us
from meter.ledger import Ledger
from tests.hosted.jobs.recorded import job, job_names

if TYPE_CHECKING:
    from pathlib import Path

ASKED = (
    "/v1/costs",
    "/v1/usage",
    "/v1/inference",
    "/v1/gpu_time",
    "/v1/period?from=2025-12-01&to=2026-12-01",
    "/v1/bills?from=2026-01-01&to=2026-11-27",
    "/v1/runs",
)
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "mistral-large-latest")


def events(count: int) -> list[dict[str, object]]:
    start_us = parse_us("2026-03-01", "start")
    return [
        {
            "id": str(number), "at": start_us + number * 700_000_000,
            "provider": "openai", "model": MODELS[number % len(MODELS)],
            "project": f"p{number % 7}", "meter": ("input", "output")[number % 2],
            "quantity": 1_000 + number,
        }
        for number in range(count)
    ]  # fmt: skip


def test_questions_that_come_at_once_are_all_answered(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        jobs = [job_json(job(name)) for name in job_names()]
        copies = [{**one, "id": f"{one['id']}-{n}"} for n in range(3) for one in jobs]
        status, answer = node.ask("POST", "/v1/jobs", {"jobs": copies})
        assert status in {200, 201}, answer
        told = events(1_500)
        for start in range(0, len(told), 500):
            assert node.ask("POST", "/v1/usage", told[start : start + 500])[0] in {200, 201, 207}
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda path: (path, *node.ask("GET", path)), ASKED * 2))
    refused = {path: answer for path, status, answer in answers if status != 200}
    assert refused == {}
    first, *_ = (answer for path, _, answer in answers if path == "/v1/costs")
    assert len(first["costs"]) == 20


def test_one_question_at_a_time_has_the_ledger(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []
    barrier = threading.Barrier(4)

    def ask(number: int) -> None:
        barrier.wait()
        with ledger.question() as reader:
            inside.append(number)
            most.append(len(inside))
            assert reader.one("recovery/last_commit") is not None
            inside.remove(number)

    with Ledger.open(tmp_path / "ledger.duckdb") as ledger, ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert most == [1, 1, 1, 1]
