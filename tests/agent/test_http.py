from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from agent.asgi import Answer, ask
from meter.agent import http
from meter.agent.problems import ConflictError, NotFoundError
from meter.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

RUN = {"id": "01JB", "started_ns": 5, "started_us": 7}
CANARY = "sk-canary-4711"


class FakeDesk:
    """Answers from memory, or raises what it was given."""

    def __init__(self, error: Exception | None = None, *, durable: bool = True) -> None:
        self.error = error
        self.durable = durable
        self.unkept: str | None = None
        self.asked: list[Any] = []
        self.live = self

    def _note(self, *what: Any) -> dict[str, Any]:
        self.asked.append(what)
        if self.error:
            raise self.error
        return {"id": "01JB"}

    def register(self, run: Any, peer_pid: int | None) -> tuple[dict[str, Any], bool]:
        return self._note("register", run, peer_pid), self.durable

    def end(self, run_id: str, end: Any, peer_pid: int | None) -> dict[str, Any]:
        return self._note("end", run_id, end)

    def link(
        self, run_id: str, link: Any, peer_pid: int | None = None
    ) -> tuple[dict[str, Any], bool]:
        return self._note("link", run_id, link), self.durable

    def scraped(self, scraper: str) -> None:
        self.asked.append(("scraped",))

    def mark(self, run_id: str, mark: Any, peer_pid: int | None) -> dict[str, Any]:
        return self._note("mark", run_id, mark)

    def marks(self, run_id: str, marks: Any, peer_pid: int | None) -> dict[str, Any]:
        return self._note("marks", run_id, marks)

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        return [self._note("runs", limit, project)]

    def document(
        self, run_id: str, as_of_us: int | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        return self._note("document", run_id, as_of_us)

    def series(
        self, run_id: str, *, minutes: bool = False, as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        return [self._note("series", run_id)]

    def profile(self, run_id: str, as_of_us: int | None = None) -> dict[str, Any]:
        return self._note("profile", run_id, as_of_us)

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        return [self._note("factor_rows", scopes, span_us, as_of_us)]

    def status(self) -> dict[str, Any]:
        return self._note("status")

    def fresh(self) -> tuple[bool, str | None]:
        return (self.error is None, str(self.error) if self.error else None)

    def degraded(self) -> str | None:
        return self.unkept


class FakePage:
    def render(self, accept: str | None = None, names: Sequence[str] = ()) -> tuple[bytes, str]:
        return f"{accept} {list(names)}\n".encode(), "text/plain; version=0.0.4"


def client(desk: FakeDesk | None = None) -> Callable[..., Answer]:
    return partial(ask, http.build(desk or FakeDesk(), FakePage(), ["node1", "localhost"]))


def test_a_run_goes_through_its_life() -> None:
    desk = FakeDesk()
    call = client(desk)
    assert call("POST", "/v1/runs", body=RUN).status == 201
    mark = {"step": 3, "epoch": "0.5"}
    assert call("POST", "/v1/runs/01JB/marks", body=mark).status == 202
    assert call("GET", "/v1/runs/01JB").json() == {"id": "01JB"}
    assert call("GET", "/v1/runs?limit=3&project=p").json() == {"runs": [{"id": "01JB"}]}
    assert call("GET", "/v1/runs/01JB/series").json() == {"series": [{"id": "01JB"}]}
    end = {"status": "failed", "exit_code": -9, "ended_ns": 9}
    assert call("PATCH", "/v1/runs/01JB", body=end).status == 200
    assert [what[0] for what in desk.asked] == [
        "register", "mark", "document", "runs", "series", "end",
    ]  # fmt: skip


def test_marks_come_alone_as_a_list_or_as_a_numbered_batch() -> None:
    desk = FakeDesk()
    call = client(desk)
    batch = {"source": "job-1", "first": 7, "marks": [{"step": 1}, {"step": -1}]}
    for body in ({"step": 1}, [{"step": 1}], batch):
        assert call("POST", "/v1/runs/01JB/marks", body=body).status == 202
    assert [what[0] for what in desk.asked] == ["mark", "marks", "marks"]
    found = desk.asked[-1][2]
    assert (found.source, found.first, len(found.marks)) == ("job-1", 7, 1)
    assert found.invalid[0][0] == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"step": -1}, "step: "),
        ({"epoch": float("nan")}, "epoch: "),
        ({"phase": "a\nb"}, "phase: "),
        ({"nonsense": 1}, "not known"),
        ([{"step": -1}], "mark 0: step: "),
        ([[]], "mark 0: "),
        ([{"step": 1}] * 1_001, ""),
        ({"source": "a b", "first": 0, "marks": []}, "source: "),
        ({"source": "a", "first": 0, "marks": 3}, "marks: "),
        ({"source": "a", "first": 0, "marks": [], "dropped": {"Odd Reason": 1}}, "dropped: "),
        (3, ""),
    ],
)
def test_marks_that_are_wrong_as_a_whole_are_refused(body: Any, told: str) -> None:
    desk = FakeDesk()
    answer = client(desk)("POST", "/v1/runs/01JB/marks", body=body)
    assert answer.status == 422
    assert told in answer.json()["detail"]
    assert desk.asked == []


def test_what_a_comparison_needs_is_read() -> None:
    desk = FakeDesk()
    call = client(desk)
    assert call("GET", "/v1/runs/01JB/profile?as_of=1970-01-02").json() == {"id": "01JB"}
    span = "from=1970-01-01T00:00:01Z&to=1970-01-01T00:00:02Z"
    rates = call("GET", f"/v1/rates?scope=FRA&scope=lab&{span}")
    assert rates.json() == {"factors": [{"id": "01JB"}]}
    assert desk.asked == [
        ("profile", "01JB", 86_400_000_000),
        ("factor_rows", ["FRA", "lab"], (1_000_000, 2_000_000), None),
    ]
    assert call("GET", "/v1/rates?scope=FRA&from=noon&to=1970-01-02").status == 422
    assert call("GET", f"/v1/rates?{span}").status == 422


def test_created_means_durable() -> None:
    assert client(FakeDesk(durable=True))("POST", "/v1/runs", body=RUN).status == 201
    assert client(FakeDesk(durable=False))("POST", "/v1/runs", body=RUN).status == 202
    told = client()("GET", "/openapi.json").json()["paths"]["/v1/runs"]["post"]["responses"]
    assert "durable" in told["201"]["description"]
    assert "not durable" in told["202"]["description"]


@pytest.mark.parametrize(
    "body",
    [
        {**RUN, "evil" + CANARY: 1},
        {**RUN, "name": CANARY * 100},
        {**RUN, "project": CANARY + "\n"},
        {**RUN, "id": "../" + CANARY},
        {**RUN, "tags": {f"{CANARY}{n}": "v" for n in range(10_000)}},
        {**RUN, "tags": {CANARY: 5}},
        {**RUN, "started_ns": -1},
        {**RUN, "started_ns": 10**30},
        {**RUN, "name": None, "launcher_pid": 0},
        [CANARY],
        CANARY,
    ],
)
def test_a_wrong_run_is_refused_without_an_echo(body: Any) -> None:
    desk = FakeDesk()
    answer = client(desk)("POST", "/v1/runs", body=body)
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert CANARY not in answer.text
    assert desk.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": NaN}',
        b'{"id": "x", "started_ns": 1e400, "started_us": 1}',
        b'{"id": "\\ud800", "started_ns": 1, "started_us": 1}',
        b'{"id": "x", "name": "\\u0000", "started_ns": 1, "started_us": 1}',
        b"[" * 100_000,
        b"{" + b"\xff" * 10,
        b"",
    ],
)
def test_hostile_bodies_get_4xx_and_never_500(body: bytes) -> None:
    answer = client()("POST", "/v1/runs", chunks=[body])
    assert 400 <= answer.status < 500


def test_limits_are_named() -> None:
    answer = client()("POST", "/v1/runs", body={**RUN, "name": "x" * 1_000_000})
    assert answer.status == 422
    assert "limit is 200" in answer.json()["detail"]
    answer = client()(
        "POST", "/v1/runs", body={**RUN, "tags": {str(n): "v" for n in range(10_000)}}
    )
    assert "10,000 tags; the limit is 64" in answer.json()["detail"]


def test_a_body_above_one_mebibyte_is_refused_even_when_chunked() -> None:
    big = b"x" * (1 << 20)
    assert client()("POST", "/v1/runs", chunks=[big, b"x"]).status == 413
    said = {"content-length": str(len(big) + 1)}
    assert client()("POST", "/v1/runs", chunks=[b""], headers=said).status == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("no such device", "use one of these"), 422),
        (NotFoundError("no such run"), 404),
        (ConflictError("the id is taken"), 409),
        (LedgerError("the ledger is away"), 503),
        (RuntimeError(CANARY), 500),
    ],
)
def test_errors_become_problems(error: Exception, status: int) -> None:
    answer = client(FakeDesk(error))("GET", "/v1/runs/x")
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.nip.io", "localhost:9850/#@evil", "", "localhost@evil", "a b"],
)
def test_unknown_host_names_are_refused(host: str) -> None:
    assert client()("GET", "/metrics", headers={"host": host}).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]:9850", "localhost:1", "NODE1", "10.0.0.7"])
def test_addresses_and_own_names_are_answered(host: str) -> None:
    assert client()("GET", "/metrics", headers={"host": host}).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_requests_from_other_sites_are_refused(method: str) -> None:
    call = client()
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert call(method, "/v1/runs", headers=header).status == 403
    own = {"origin": "http://127.0.0.1:9850", "sec-fetch-site": "same-origin"}
    assert call("GET", "/v1/runs", headers=own).status == 200


def test_health_tells_when_nothing_is_kept() -> None:
    desk = FakeDesk()
    desk.unkept = "the disk is full"
    answer = client(desk)("GET", "/healthz")
    assert answer.status == 200
    assert {**answer.json(), "version": ""} == {
        "status": "degraded",
        "reason": "the disk is full",
        "version": "",
    }


def test_a_run_and_its_end_need_no_more_than_what_only_the_client_knows() -> None:
    desk = FakeDesk()
    ask, end = client(desk), {"status": "completed", "exit_code": 0}
    assert ask("POST", "/v1/runs", body={"name": "x", "project": "p"}).status == 201
    assert ask("PATCH", "/v1/runs/01JB", body=end).status == 200
    (_, new, _), (_, _, ended) = desk.asked
    assert len(new.id) == 26
    assert 0 < new.started_ns <= ended.ended_ns
    assert new.started_us > 0


def test_health_tells_the_reason() -> None:
    assert client()("GET", "/healthz").status == 200
    answer = client(FakeDesk(UsageError("the sampler hangs")))("GET", "/healthz")
    assert (answer.status, answer.json()["detail"]) == (503, "the sampler hangs")


def test_metrics_pass_on_accept_and_names() -> None:
    answer = client()("GET", "/metrics?name[]=a&name[]=b", headers={"accept": "text/plain"})
    assert answer.text == "text/plain ['a', 'b']\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"


def test_the_api_is_described_and_loads_nothing_from_elsewhere() -> None:
    document = client()("GET", "/openapi.json").json()
    assert {"/v1/runs", "/v1/runs/{run_id}", "/healthz", "/metrics"} <= set(document["paths"])
    assert client()("GET", "/docs").status == 404


SERVER = """
import socket, sys
from meter.agent import server
server.REQUEST_S = 0.3
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr(scope["client"]).encode()})
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen()
server.Server(app, "meter").serve_on([sock], started=lambda: print("up", flush=True))
"""


@pytest.fixture
def served(tmp_path: Path) -> Any:
    path = str(tmp_path / "s")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, path],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process, path
        process.kill()


def talk(path: str, data: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(path)
    sock.sendall(data)
    return sock


def test_slow_requests_are_cut_and_quick_ones_served(served: Any) -> None:
    _, path = served
    slow_head = talk(path, b"GET / HTTP/1.1\r\nHo")
    slow_body = talk(path, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    with talk(path, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as quick:
        answer = b""
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            answer += quick.recv(4096)
        assert b"200" in answer.split(b"\r\n")[0]
        assert f"('unix', {os.getpid()})".encode() in answer
    assert slow_head.recv(100) == b""
    assert slow_body.recv(100) == b""
    slow_head.close()
    slow_body.close()


def test_sigterm_ends_the_server_with_code_0_under_a_half_sent_request(served: Any) -> None:
    process, path = served
    with talk(path, b"GET / HTTP/1.1\r\nHo"):
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - started < 10
