"""`meter export openmetrics`: from the file or through the agent, the same bytes."""

from __future__ import annotations

import re
import socket
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from agent.agents import agent
from cli import places
from cli.places import Place
from history.day import make
from history.few_runs import FEW
from meter.agent import history_file
from meter.errors import LedgerError
from meter.ledger import QUESTION_S, history

if TYPE_CHECKING:
    from pathlib import Path

SPAN = ("--from", "2026-03-01", "--to", "2026-03-02")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.home.mkdir()
    make(place.home / "ledger.duckdb")
    return place


def test_the_agent_gives_what_the_file_gives(place: Place, tmp_path: Path) -> None:
    """What the agent writes of its own by then is of another day, but names this host's devices."""
    words = ("export", "openmetrics", *SPAN, "--instance", "here:1", "-o")
    (tmp_path / "agent.toml").write_text("retention_days = 3_650\n")  # the day is long ago
    with agent(tmp_path, home=place.home, METER_CONFIG=str(tmp_path / "agent.toml")) as node:
        node.hear("reading")
        node.begin("meanwhile", gpus="0")
        assert node.end("meanwhile")["run"]["id"] == "meanwhile"
        assert place.call(*words, str(tmp_path / "agent.om")) == 0
    assert place.call(*words, str(tmp_path / "file.om")) == 0
    whole = (tmp_path / "file.om").read_bytes()
    assert (tmp_path / "agent.om").read_bytes() == whole
    assert whole.endswith(b"# EOF\n")
    assert b'instance="here:1",job="meter-history"' in whole


def test_history_is_labelled_with_the_address_of_the_agent_that_is_asked(
    place: Place, tmp_path: Path
) -> None:
    """Dashboards build links to reports from it; the caller's configuration may name another."""
    words = ("export", "openmetrics", *SPAN, "-o", str(tmp_path / "history.om"))
    with agent(tmp_path, home=place.home) as node:
        node.hear("reading")
        (where,) = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
        place.variables["METER_LISTEN"] = "127.0.0.1:9850"
        assert place.call(*words) == 0
    assert _instances(tmp_path) == {where}
    assert place.call(*words) == 0
    assert _instances(tmp_path) == {"127.0.0.1:9850"}


def test_history_of_an_agent_at_its_socket_alone_names_no_instance(tmp_path: Path, capsys) -> None:
    place = Place(tmp_path)
    told = {"/healthz": (200, {}), "/v1/status": (200, {"agent": {"listens": []}})}
    with places.agent(place.variables["METER_SOCKET"], told) as asked:
        assert place.call("export", "openmetrics", *SPAN) == 1
    assert "Not Found" in capsys.readouterr().err
    assert [path for path in asked if "/v1/history" in path and "&instance=&" in path]


def _instances(folder: Path) -> set[str]:
    text = (folder / "history.om").read_text()
    assert text.count("instance=") == text.count("job=") > 0
    return set(re.findall(r'instance="([^"]*)"', text))


@pytest.mark.parametrize("through", ["file", "agent"])
def test_a_history_of_nothing_says_so(
    place: Place, tmp_path: Path, capfdbinary, through: str
) -> None:
    target = tmp_path / "history.om"
    words = ("export", "openmetrics", "--from", "2020-03-01", "--to", "2020-03-02")
    with agent(tmp_path, home=place.home) if through == "agent" else nullcontext() as node:
        if node is not None:
            node.hear("reading")
        assert place.call(*words, "-o", str(target)) == 0
        told = capfdbinary.readouterr().err
        assert f"meter: wrote {target}, which is empty: nothing is known from".encode() in told
        assert b"from 2020-03-01T00:00:00" in told
        assert target.read_bytes() == b"# EOF\n"
        assert place.call(*words) == 0
        told_too = capfdbinary.readouterr()
        assert told_too.out == b"# EOF\n"
        assert b"meter: the history is empty: nothing is known from" in told_too.err


def test_an_agent_whose_reader_does_not_read_answers_others(place: Place, tmp_path: Path) -> None:
    """History is written whole before it is sent, so nobody waits for who reads slowly."""
    with agent(tmp_path, home=place.home) as node:
        node.hear("reading")
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(node.socket)
            path = "/v1/history?from=2026-03-01&to=2026-03-02"
            slow.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert slow.recv(20).startswith(b"HTTP/1.1 200")
            status, found = node.ask("GET", "/v1/runs")
            assert status == 200
            assert {"long", "noon"} <= {run["run_id"] for run in found["runs"]}
            assert node.begin("meanwhile", gpus="0")


def test_an_agent_writes_no_history_without_end() -> None:
    with pytest.raises(LedgerError, match="took more than 60 s and was given up: ask for"):
        history_file._require_bounds(time.monotonic() - 1, QUESTION_S, 1)
    too_long = history_file.HISTORY_BYTES + 1
    with pytest.raises(LedgerError, match="longer than 1024 MiB: ask for a shorter time"):
        history_file._require_bounds(time.monotonic() + 60, QUESTION_S, too_long)


@pytest.mark.parametrize("through", ["file", "agent"])
def test_runs_that_are_left_out_are_counted_on_stderr(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, through: str
) -> None:
    words = ("export", "openmetrics", *SPAN, "-o", str(tmp_path / "history.om"))
    if through == "agent":
        with agent(tmp_path, home=place.home, module="history.few_runs") as node:
            node.hear("reading")
            assert place.call(*words) == 0
    else:
        monkeypatch.setattr(history, "MOST_RUNS", FEW)
        assert place.call(*words) == 0
    told = capsys.readouterr().err
    assert re.search(r"meter: \d runs have no series of their own: the [\d,]+ that began", told)
    text = (tmp_path / "history.om").read_text()
    assert text.count("\nmeter_run_start_timestamp_seconds{") > 0
    assert len(set(re.findall(r'meter_run_start_timestamp_seconds{.*run="([^"]*)"', text))) == FEW


def test_stdout_gets_the_text_and_nothing_else(place: Place, capfdbinary) -> None:
    assert place.call("export", "openmetrics", *SPAN, "--job", "", "--instance", "") == 0
    told = capfdbinary.readouterr()
    assert told.err == b""
    assert told.out.startswith(b"# HELP meter_gpu_energy_joules ")
    assert b"job=" not in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2026-03-02", "--to", "2026-03-01"), "before it begins: give a later --to"),
        ((*SPAN, "--step", "7m"), "a step of 7 minutes is not possible: give one of 1m, 2m"),
        ((*SPAN, "--step", "x"), "'x' is no step: write it like 1m"),
        (("--from", "soon"), "--from 'soon' is no date or instant"),
    ],
)
@pytest.mark.parametrize("through", ["file", "agent"])
def test_what_cannot_be_is_said(
    place: Place, tmp_path: Path, capsys, words: tuple[str, ...], said: str, through: str
) -> None:
    target = tmp_path / "history.om"
    call = ("export", "openmetrics", *words, "-o", str(target))
    if through == "agent":
        with agent(tmp_path, home=place.home) as node:
            node.hear("reading")
            assert place.call(*call) == 2
    else:
        assert place.call(*call) == 2
    assert said in capsys.readouterr().err
    assert not target.exists()


def test_a_file_is_not_replaced_by_half_a_history(place: Place, tmp_path: Path, capsys) -> None:
    target = tmp_path / "history.om"
    target.write_text("before")
    assert place.call("export", "openmetrics", "--from", "2026-03-02", "--to", "2026-03-01",
                      "-o", str(target)) == 2  # fmt: skip
    assert target.read_text() == "before"
    assert place.call("export", "openmetrics", *SPAN, "-o", str(tmp_path / "no" / "file")) == 1
    assert "cannot be written" in capsys.readouterr().err
