"""/metrics under what nobody should do: the page stays valid and bounded, the agent unharmed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from agent.agents import agent
from agent.asgi import ask
from meter.agent import booking, http, usage_books
from meter.agent.booking import Account, Books
from meter.agent.usage_books import UsageBooks, UsageSum
from meter.hosted_facts import Meter
from meter.model import Counter, Kind
from meter.snapshot import Snapshot
from meter_exporters.prometheus import MAX_SERIES, Exposition
from tests.agent.test_booking import GPU, Rates, part
from tests.agent.test_http import FakeDesk
from tests.agent.test_metering import World, durable
from tests.exporters.test_prometheus import OPEN, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOSTILE = (
    'quo"te', "back\\slash", "שלום", "emoji 🙂", "x" * 200, "'; DROP TABLE run;--",
    '{run="x"} 1', "# HELP meter_x", "\\n", "ﷺ" * 200, "0", " ", "%00",
)  # fmt: skip
REFUSED = ("new\nline", "\u202eevil", "x" * 10_240, "\0", "tab\t", "\x1b[31m")


def page_of(books: Books) -> bytes:
    """The page that these counters are on."""
    health = replace(snapshot().health, series_dropped=books.dropped)
    shown = Snapshot(at_ns=0, health=health, counters=books.all())
    return Exposition(lambda: shown).render()[0]


def values(page: bytes) -> dict[str, float]:
    lines = [line for line in page.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def assert_valid(page: bytes, promtool: str | None = None) -> None:
    """Both of the library's parsers take it, and promtool where it is given."""
    assert list(text_string_to_metric_families(page.decode()))
    if promtool is not None:
        done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
        assert done.returncode == 0, done.stderr + done.stdout


# -- names ----------------------------------------------------------------------------------------


def test_hostile_names_of_runs_and_projects_are_refused_or_shown_as_they_are(
    tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        taken = [name for name in HOSTILE if name.strip()]
        for number, name in enumerate(taken):
            tags = {"tag": name[:200]}
            node.begin(f"r{number}", name=name, project=name, gpus="0", tags=tags)
        for name in REFUSED:
            node.begin("no", name=name, expected=422)
            node.begin("no", project=name, expected=422)
        node.begin("no", name=" ", expected=422)
        node.end("r0")
        raw = fetch(node.socket, "text/plain")
        assert_valid(raw, require_tool("promtool"))
        for parse, page in (
            (text_string_to_metric_families, raw),
            (open_metrics, fetch(node.socket, OPEN)),
        ):
            shown = {
                sample.labels["name"]: sample.labels["project"]
                for family in parse(page.decode())
                for sample in family.samples
                if sample.name == "meter_run_info"
            }
            assert shown == {name: name for name in taken}
        assert not any("DROP" in line for line in raw.decode().splitlines() if line[0] == "#")


def fetch(path: str, accept: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        sock.sendall(
            f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
            .encode()
        )  # fmt: skip
        return b"".join(iter(lambda: sock.recv(65_536), b"")).partition(b"\r\n\r\n")[2]


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(blacklist_categories=("Cs",)), max_size=300), min_size=1,
                max_size=20, unique=True))  # fmt: skip
def test_any_text_in_a_label_comes_out_of_the_parsers_as_it_went_in(texts: list[str]) -> None:
    counters = tuple(
        Counter("meter_run_steps_total", (("run", text),), Decimal(number))
        for number, text in enumerate(texts)
    )
    shown = replace(snapshot(), counters=counters)
    for accept, parse in ((None, text_string_to_metric_families), (OPEN, open_metrics)):
        page = Exposition(lambda: shown).render(accept)[0].decode()
        found = {
            sample.labels["run"]: sample.value
            for family in parse(page)
            for sample in family.samples
            if sample.name == "meter_run_steps_total"
        }
        assert found == {text: float(number) for number, text in enumerate(texts)}


# -- many -----------------------------------------------------------------------------------------


def test_a_hundred_thousand_runs_of_as_many_projects_in_a_day(
    require_tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booking, "MAX_RUNS", 500)
    books, energy, at_once = Books(), 0, 600
    for number in range(100_000):
        account = Account(f"run-{number}", f"project-{number}")
        books.open(account, [GPU], Rates())
        books.book([part(1_000, account.run_id)], {GPU.id: GPU}, {account.run_id: account}, Rates())
        energy += 1
        if number >= at_once:
            books.forget(f"run-{number - at_once}")
        books.changed()
    page = page_of(books)
    assert_valid(page, require_tool("promtool"))
    shown = values(page)
    assert len(shown) <= MAX_SERIES
    projects = {name for name in shown if name.startswith("meter_energy_joules_total")}
    assert len(projects) == booking.MAX_PROJECTS + 1
    assert sum(shown[name] for name in projects) == energy
    assert shown["meter_series_dropped_total"] > booking.MAX_REFUSED - 1
    assert len(books._refused) == booking.MAX_REFUSED


def test_a_thousand_models(require_tool: Callable[[str], str]) -> None:
    books = Books()
    sums = [
        UsageSum(None, "p", "openai", f"ft:model:{number}", Meter.INPUT, "api_tokens", "USD",
                 Decimal(10), 1, Decimal("0.5"))
        for number in range(1_000)
    ]  # fmt: skip
    UsageBooks(books).book(sums, (), 1)
    page = page_of(books)
    assert_valid(page, require_tool("promtool"))
    tokens = {n: v for n, v in values(page).items() if n.startswith("meter_tokens_total")}
    assert len(tokens) == usage_books.MAX_MODELS + 1
    assert sum(tokens.values()) == 10_000
    [other] = [value for name, value in tokens.items() if 'model="(other)"' in name]
    assert other == 10 * (1_000 - usage_books.MAX_MODELS)
    assert values(page)["meter_series_dropped_total"] == 1_000 - usage_books.MAX_MODELS


def test_what_has_no_room_on_the_page_is_counted_and_never_counted_back() -> None:
    crowd = [
        tuple(Counter("meter_run_steps_total", (("run", f"{n}"),), Decimal(1)) for n in range(many))
        for many in (10, MAX_SERIES + 100, 10)
    ]
    exposition = Exposition(lambda: replace(snapshot(), counters=crowd.pop(0)))
    pages = [values(exposition.render()[0]) for _ in range(3)]
    dropped = [page["meter_series_dropped_total"] for page in pages]
    others = len(pages[0]) - 10
    assert dropped == [2, 2 + others + 100, 2 + others + 100]
    now = [page["meter_series_left_out"] for page in pages]
    assert now == [1, 1 + others + 100, 1]
    assert len(pages[1]) == MAX_SERIES


# -- clock ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_us", [-3_600_000_000, -86_400_000_000 * 400, 3_600_000_000])
def test_no_counter_goes_back_when_the_clock_does(tmp_path: Path, step_us: int) -> None:
    world = World(tmp_path)
    pages = []

    def page() -> None:
        shown = replace(snapshot(), counters=durable(world.metering), runs=())
        pages.append(Exposition(lambda: shown).render()[0])

    world.go(3)
    live = world.begin("r1")
    for _ in range(3):
        world.go(20)
        page()
    world.step_us = step_us
    for _ in range(3):
        world.go(20)
        page()
    world.end(live, world.now_ns)
    world.go(2)
    page()
    for before, after in pairwise(pages):
        assert_valid(after)
        one, two = values(before), values(after)
        for name, value in one.items():
            if name.startswith(("meter_energy", "meter_gpu_energy", "meter_run_energy")):
                assert two[name] >= value
    name = 'meter_run_energy_joules_total{component="gpu",method="measured",run="r1"}'
    assert values(pages[-1])[name] == pytest.approx(world.energy_mj(Kind.RUN, "r1") / 1e3)


# -- requests -------------------------------------------------------------------------------------


def client() -> Callable[..., Any]:
    return partial(ask, http.build(FakeDesk(), Exposition(snapshot), ["localhost"]))


def test_head_answers_what_get_would_without_the_page(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(node.socket)
            sock.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\ncontent-type: text/plain; version=0.0.4" in head.lower()
    assert b"\r\ncontent-length: " in head.lower()
    assert body == b""


def test_a_head_is_no_scrape() -> None:
    desk = FakeDesk()
    desk.scraped = lambda: pytest.fail("counted")
    app = http.build(desk, Exposition(snapshot), ["localhost"])
    assert ask(app, "HEAD", "/metrics").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_other_methods_are_refused(method: str) -> None:
    answer = client()(method, "/metrics")
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "accept",
    ["image/png", "*/*", "text/html,application/xhtml+xml;q=0.9", ";;;", ",", "a" * 4_000,
     "application/openmetrics-text;version=x", "text/plain;version=99", "application/json",
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
     "text/plain;version=1.0.0;escaping=nonsense", "text/plain;q=nan"],
)  # fmt: skip
def test_any_accept_gets_a_page_that_can_be_read(accept: str) -> None:
    answer = client()("GET", "/metrics", headers={"accept": accept})
    assert answer.status == 200
    assert "meter_build_info" in answer.text
    parse = open_metrics if "openmetrics" in answer.headers["content-type"] else (
        text_string_to_metric_families
    )  # fmt: skip
    assert list(parse(answer.text))


@pytest.mark.parametrize("query", ["name[]=", "name[]=nothing", "name[]=a&" * 200, "x=1", "%00"])
def test_any_query_gets_a_page(query: str) -> None:
    answer = client()("GET", f"/metrics?{query}")
    assert answer.status == 200


# -- who reads slowly -----------------------------------------------------------------------------

SERVER = """
import socket, sys
from meter.agent import server
server.DRAIN_S, server.MOST_STALLED = float(sys.argv[2]), 8
async def app(scope, receive, send):
    size = 20 if scope["path"] == "/small" else 8 << 20
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * size})
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen(100)
server.Server(app, "meter").serve_on([sock], started=lambda: print("up", flush=True))
"""


@contextlib.contextmanager
def served(folder: Path, drain_s: float) -> Iterator[tuple[str, int]]:
    path = str(folder / "s")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, path, str(drain_s)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield path, process.pid
        finally:
            process.kill()


def slow(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(path)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return sock


def length(sock: socket.socket) -> int:
    """How much comes until the other end has enough."""
    size = 0
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(1 << 20):
            size += len(piece)
    return size


def small(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        sock.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"200" in b"".join(iter(lambda: sock.recv(65_536), b""))[:20]


def test_of_many_who_do_not_read_most_are_let_go_at_once(tmp_path: Path) -> None:
    with served(tmp_path, 3_600) as (path, pid), contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(slow(path)) for _ in range(60)]
        for sock in waiting:
            assert sock.recv(1)
        assert small(path)
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGESIZE"
        )
        assert resident < 60 * (8 << 20)
        whole = [size for size in map(length, waiting) if size > 8 << 20]
        assert len(whole) == 8


def test_who_does_not_read_for_long_is_let_go(tmp_path: Path) -> None:
    with served(tmp_path, 0.2) as (path, _), slow(path) as sock, slow(path) as reader:
        assert length(reader) > 8 << 20
        assert sock.recv(1)
        time.sleep(0.6)
        assert length(sock) < 8 << 20
        assert small(path)


def test_an_agent_meters_on_while_scrapers_hang(tmp_path: Path) -> None:
    with agent(tmp_path) as node, contextlib.ExitStack() as stack:
        node.hear("reading")
        node.begin("r1", gpus="0")
        for _ in range(50):
            hanging = stack.enter_context(socket.socket(socket.AF_UNIX))
            hanging.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            hanging.connect(node.socket)
            hanging.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        time.sleep(1.5)
        document = node.end("r1")
        assert document["energy"]["it"]["value"] > 0
        assert document["coverage"] > 0.9
        assert node.page()['meter_samples_dropped_total{reason="sampler"}'] == 0
