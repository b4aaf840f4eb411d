"""Last counters of a job that is too short to be scraped: a textfile, a Pushgateway."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agent.agents import until
from dashboards.asked import BOARDS, targets
from dashboards.servers import free_port, prometheus
from meter.errors import UsageError
from meter.launch import counters, telling
from meter.launch.options import parse
from tests.exporters.documents import document
from tests.launch.test_counters import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)


def surroundings(folder: Path, **variables: str) -> dict[str, str]:
    """For a private agent on simulated GPUs."""
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder),
        "METER_HOME": str(folder / "home"), "METER_SOCKET": str(folder / "s"),
        "METER_LEASE_DIR": str(folder / "leases"), "METER_LISTEN": "127.0.0.1:0",
        "METER_SIMULATE": "1xH100", **variables,
    }  # fmt: skip


def run(
    folder: Path, *words: str, mode: str = "run", umask: int = -1, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`meter run`, or another way, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "meter", mode, *words],
        env=surroundings(folder, **variables),
        cwd=folder, capture_output=True, text=True, timeout=120, umask=umask,
    )  # fmt: skip


# -- textfile ---------------------------------------------------------------------------


def test_a_run_leaves_a_file_that_node_exporter_serves(
    tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    exporter = require_tool("prometheus-node-exporter")
    folder = tmp_path / "textfiles"
    folder.mkdir()
    file = folder / "train.prom"
    words = ("--textfile", str(file), "--project", "chat", "--", "sleep", "0.3")
    done = run(tmp_path, *words, umask=0o077)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert os.listdir(folder) == ["train.prom"]
    port = free_port()
    process = subprocess.Popen(
        [exporter, "--collector.disable-defaults", "--collector.textfile",
         f"--collector.textfile.directory={folder}", f"--web.listen-address=127.0.0.1:{port}"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:

        def page() -> str:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/metrics").text
            except httpx.TransportError:
                return ""

        shown = until(page, "node_exporter")
        assert "node_textfile_scrape_error 0" in shown
        assert 'project="chat"' in shown
        start = 'meter_run_energy_joules_total{component="gpu"'
        [joules] = [float(line.split()[-1]) for line in shown.splitlines()
                    if line.startswith(start)]  # fmt: skip
        assert joules > 0
    finally:
        process.kill()
        process.wait()


def test_in_a_folder_each_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    for name in ("one", "two"):
        done = run(tmp_path, "--", "true", METER_TEXTFILE=str(folder), METER_RUN_ID=name)
        assert done.returncode == 0
    assert sorted(os.listdir(folder)) == ["meter_one.prom", "meter_two.prom"]


def test_a_file_that_cannot_be_written_is_said_and_changes_no_exit_code(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "x.prom"
    done = run(tmp_path, "--textfile", str(gone), "--", "sh", "-c", "exit 7")
    assert done.returncode == 7
    assert f"meter: --textfile {gone}: No such file or directory" in done.stderr


def test_names_that_node_exporter_does_not_read_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--textfile", "x.txt", "--", "true")
    assert done.returncode == 2
    assert "node_exporter reads only those" in done.stderr
    done = run(tmp_path, "--", "sh", "-c", "exit 5", METER_TEXTFILE="x.txt", METER_PUSH="nonsense")
    assert done.returncode == 5
    assert "METER_TEXTFILE 'x.txt' is neither" in done.stderr
    assert "METER_PUSH is no URL" in done.stderr


def test_exec_leaves_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "exec.prom"
    done = run(tmp_path, "--", "sleep", "0.2", mode="exec", METER_TEXTFILE=str(file))
    assert done.returncode == 0
    until(file.exists, "the observer's file")
    assert samples(file.read_bytes())


@pytest.mark.parametrize("by", ["flag", "variable", "file"])
def test_a_textfile_is_named_by_flag_then_variable_then_file(tmp_path: Path, by: str) -> None:
    folders = {name: tmp_path / name for name in ("flag", "variable", "file")}
    for folder in folders.values():
        folder.mkdir()
    config = tmp_path / "meter.toml"
    config.write_text(f'project = "x"\ntextfile = "{folders["file"]}"\n')
    words = ("--textfile", str(folders["flag"])) if by == "flag" else ()
    variables = {} if by == "file" else {"METER_TEXTFILE": str(folders["variable"])}
    done = run(
        tmp_path, *words, "--", "true", METER_CONFIG=str(config), METER_RUN_ID="r", **variables
    )
    assert (done.returncode, "no textfile" in done.stderr) == (0, False)
    written = {name: os.listdir(folder) for name, folder in folders.items()}
    assert written == {name: ["meter_r.prom"] * (name == by) for name in folders}


def test_exec_leaves_a_file_by_the_configuration_too(tmp_path: Path) -> None:
    file, config = tmp_path / "exec.prom", tmp_path / "meter.toml"
    config.write_text(f'textfile = "{file}"\n')
    done = run(tmp_path, "--", "sleep", "0.2", mode="exec", METER_CONFIG=str(config))
    assert done.returncode == 0
    until(file.exists, "the observer's file")
    assert samples(file.read_bytes())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"x.prom"', "is no absolute path: begin it with /"),
        ('"/nowhere/x.txt"', "is neither a folder nor a name that ends in .prom"),
        ("7", "is no absolute path"),
    ],
)
def test_a_wrong_textfile_in_the_file_is_said_where_it_stands(
    tmp_path: Path, value: str, reason: str
) -> None:
    config = tmp_path / "meter.toml"
    config.write_text(f'project = "x"\ntextfile = {value}\n')
    done = run(tmp_path, "--", "sh", "-c", "exit 4", METER_CONFIG=str(config))
    assert done.returncode == 4
    [line] = [line for line in done.stderr.splitlines() if "no textfile" in line]
    assert line.startswith("meter: no textfile is written by the configuration file: textfile (")
    assert f"{config}, line 2)" in line
    assert reason in line


# -- push ---------------------------------------------------------------------------


@contextmanager
def gateway(answer: int = 200) -> Iterator[tuple[str, list[tuple[str, str, Any, bytes]]]]:
    """A gateway that notes what is put."""
    told: list[tuple[str, str, Any, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((self.command, self.path, self.headers, body))
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


def test_a_push_replaces_the_group_of_the_run(tmp_path: Path) -> None:
    with gateway() as (address, told):
        url = f"http://me:p%40ss@{address}/base/"
        done = run(tmp_path, "--push", url, "--", "true", METER_RUN_ID="r.1")
        assert done.returncode == 0
        assert "nothing was pushed" not in done.stderr
    [(method, path, headers, body)] = told
    assert (method, path) == ("PUT", "/base/metrics/job/meter-push/instance/pushed/run/r.1")
    assert headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert samples(body)["meter_run_info", "true,default,true"] == 1
    assert b'run="r.1"' in body


@pytest.mark.parametrize("by", ["flag", "variable", "file"])
def test_a_gateway_is_named_by_flag_then_variable_then_file(tmp_path: Path, by: str) -> None:
    with gateway() as (first, told), gateway() as (second, told_too), gateway() as (third, last):
        config = tmp_path / "meter.toml"
        config.write_text(f'project = "x"\npush = "http://{third}"\n')
        words = ("--push", f"http://{first}") if by == "flag" else ()
        variables = {} if by == "file" else {"METER_PUSH": f"http://{second}"}
        done = run(tmp_path, *words, "--", "true", METER_CONFIG=str(config), **variables)
        assert done.returncode == 0
        assert "push" not in done.stderr
    pushed = {"flag": len(told), "variable": len(told_too), "file": len(last)}
    assert pushed == {name: int(name == by) for name in pushed}


def test_exec_pushes_by_the_file_too(tmp_path: Path) -> None:
    with gateway() as (address, told):
        config = tmp_path / "meter.toml"
        config.write_text(f'push = "http://{address}"\n')
        done = run(tmp_path, "--", "sleep", "0.2", mode="exec", METER_CONFIG=str(config))
        assert done.returncode == 0
        until(lambda: told, "the observer's push")


@pytest.mark.parametrize("value", ['"nonsense"', "7", '"http://me:secret@"'])
def test_a_wrong_gateway_in_the_file_is_said_where_it_stands(tmp_path: Path, value: str) -> None:
    config = tmp_path / "meter.toml"
    config.write_text(f'project = "x"\npush = {value}\n')
    done = run(tmp_path, "--", "sh", "-c", "exit 4", METER_CONFIG=str(config))
    assert done.returncode == 4
    said = "nothing is pushed by the configuration file: push ({}, line 2) is no URL: write it like"
    assert said.format(config) in done.stderr
    assert "secret" not in done.stderr


SHOWN_ONCE = ("overview: Runs by energy A", "overview: Runs by money A", "run: Energy A",
              "run: Money A", "run: Carbon A")  # fmt: skip
"""Questions about a run that is over, told by nothing but its last counters."""


def test_a_real_pushgateway_keeps_the_run_once_and_dashboards_show_it(
    tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    server, port = require_tool("prometheus-pushgateway"), free_port()
    process = subprocess.Popen(
        [
            server,
            f"--web.listen-address=127.0.0.1:{port}",
            f"--persistence.file={tmp_path / 'kept'}",
        ],
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:

        def ready() -> bool:
            try:
                return httpx.get(f"{url}/-/ready").status_code == 200
            except httpx.TransportError:
                return False

        until(ready, "the gateway")
        made = document()
        for _ in range(2):
            assert telling._push(url, made["run"]["id"], counters.text(made)) is None
        page = httpx.get(f"{url}/metrics").text
        lines = [line for line in page.splitlines() if line.startswith("meter_run_info{")]
        assert len(lines) == 1
        assert 'instance="pushed",job="meter-push"' in lines[0]
        program, target = require_tool("prometheus"), f"127.0.0.1:{port}"
        with prometheus(program, tmp_path, target, (), honor_labels=True) as shown:
            asked = {one.where: one for path in BOARDS for one in targets(path)}
            run_id = made["run"]["id"]
            values = {"job": "meter-push", "instance": "pushed", "run": run_id}
            for where in SHOWN_ONCE:
                expression = asked[where].placed(**values, __range="5m")
                assert until(lambda e=expression: shown.now(e), where)
            [joules] = shown.now(asked["run: Energy A"].placed(**values, __range="5m"))
            kwh = made["energy"]["it"]["value"] / 3.6e6
            assert float(joules["value"][1]) == pytest.approx(kwh, rel=1e-9)
        assert httpx.delete(f"{url}/metrics/{telling.GROUP}/{run_id}").status_code == 202
        gone = lambda: "meter_run_info" not in httpx.get(f"{url}/metrics").text  # noqa: E731
        until(gone, "the group is gone")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("fault", ["refused", "500", "mute", "unresolved"])
def test_a_gateway_that_fails_changes_nothing_but_a_line(tmp_path: Path, fault: str) -> None:
    said = {
        "refused": "Connection refused", "500": "the gateway answered 500",
        "mute": ("no answer within", "timed out", "TimeoutError"), "unresolved": "",
    }[fault]  # fmt: skip
    with gateway(500) as (address, _), socket.create_server(("127.0.0.1", 0)) as mute:
        where = {
            "refused": f"127.0.0.1:{free_port()}", "500": address,
            "mute": f"127.0.0.1:{mute.getsockname()[1]}", "unresolved": "nowhere.invalid",
        }[fault]  # fmt: skip
        done = run(tmp_path, "--push", f"http://me:secret@{where}", "--", "sh", "-c", "exit 3")
    assert done.returncode == 3
    [line] = [line for line in done.stderr.splitlines() if "nothing was pushed" in line]
    assert any(text in line for text in ([said] if isinstance(said, str) else said))
    assert "secret" not in done.stderr


def test_what_hangs_for_ever_is_left_behind(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    """A resolver has no time limit: the end of the run does not wait for it."""
    held = threading.Event()
    monkeypatch.setattr(telling, "PUSH_S", 0.05)
    monkeypatch.setattr(telling, "_push", lambda *_: held.wait(60))
    options = parse("run", ["--push", "http://x", "--", "true"])
    telling.tell(document(), options)
    held.set()
    assert "no answer within 0.05 s" in capfd.readouterr().err


def test_nothing_is_sent_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(telling, "_push", lambda *told: sent.append(told))
    monkeypatch.setattr(telling, "_write", lambda *told: sent.append(told))
    telling.tell(document(), parse("run", ["--", "true"]))
    assert sent == []


@pytest.mark.parametrize("url", ["x", "ftp://x", "http://", "http://u:p@", "http://x\n", "http//x"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as error:
        parse("run", ["--push", url, "--", "true"])
    assert "u:p" not in str(error.value)


def test_attach_tells_too(tmp_path: Path) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    variables = surroundings(tmp_path, METER_TEXTFILE=str(folder))
    with subprocess.Popen(["sleep", "60"]) as job:
        command = [sys.executable, "-m", "meter", "attach", "--pid", str(job.pid)]
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE) as attached:
            assert b"attached" in attached.stderr.readline()
            time.sleep(0.2)
            job.terminate()
            attached.communicate(timeout=60)
    assert [name for name in os.listdir(folder) if name.endswith(".prom")]
