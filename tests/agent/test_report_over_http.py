"""The report of a run in a browser: what the command writes, and nothing that it may load."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import Agent, agent, until
from agent.asgi import ask
from meter.agent import http
from meter.agent.problems import NotFoundError
from meter_exporters.html_report import export
from tests.agent.test_http import FakeDesk, FakePage
from tests.exporters.documents import document, series

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Reports(FakeDesk):
    def document(self, run_id: str, *_: Any, **__: Any) -> dict[str, Any]:
        self._note("document", run_id)
        return document()

    def series(self, run_id: str, **_: Any) -> list[dict[str, Any]]:
        self._note("series", run_id)
        return series(document())


def client(desk: FakeDesk) -> Callable[..., Any]:
    return partial(ask, http.build(desk, FakePage(), ["node1"], report=lambda: export))


def test_it_is_the_exporters_page_of_the_runs_own_id() -> None:
    desk = Reports()
    answer = client(desk)("GET", "/v1/runs/last/report")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.encode() == export(document(), series(document()))
    assert desk.asked == [("document", "last"), ("series", document()["run"]["id"])]


def test_the_browser_is_told_to_load_nothing() -> None:
    headers = client(Reports())("GET", "/v1/runs/last/report").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


def test_a_run_that_is_not_there_is_a_problem_and_no_page() -> None:
    answer = client(Reports(NotFoundError("there is no run x", "list them")))(
        "GET", "/v1/runs/x/report"
    )
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_without_an_exporter_there_is_no_route() -> None:
    bare = http.build(Reports(), FakePage(), ["node1"])
    assert ask(bare, "GET", "/v1/runs/last/report").status == 404


def page_of(node: Agent, run: str) -> str:
    """Over the socket, as a browser gets it over TCP."""
    import http.client
    import socket

    class Local(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(node.socket)

    connection = Local("localhost", timeout=60)
    try:
        connection.request("GET", f"/v1/runs/{run}/report")
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()


def test_an_agent_shows_a_live_run_and_one_that_has_ended(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("listening")
        node.begin("r1", name="fine & tuned")
        until(lambda: node.ask("GET", "/v1/runs/r1")[1]["energy"]["it"]["value"] > 0, "energy")
        assert "fine &amp; tuned" in page_of(node, "r1")
        node.end("r1")
        page = page_of(node, "r1")
    assert "completed" in page
    assert "SIMULATED" in page.upper()
    assert "<script" not in page


@pytest.mark.parametrize("run", ["..%2f..%2fetc", "a" * 400])
def test_a_strange_id_is_refused_like_any_other(tmp_path: Path, run: str) -> None:
    answer = client(FakeDesk(NotFoundError("there is no such run", "list them")))(
        "GET", f"/v1/runs/{run}/report"
    )
    assert answer.status in {404, 422}
    assert json.loads(answer.text)
