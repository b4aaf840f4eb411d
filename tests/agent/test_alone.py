"""Agents that keep nothing, or that nobody needs: they say so and go."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.agents import agent, boot_ns, until
from volumes import fill, volume

if TYPE_CHECKING:
    from pathlib import Path


def launch(folder: Path, *words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "METER_HOME": str(home or folder),
        "METER_SOCKET": str(folder / "s"),
        "METER_LEASE_DIR": str(folder / "leases"),
        "METER_LISTEN": "127.0.0.1:0",
        "METER_SIMULATE": "2xH100",
    }
    command = [sys.executable, "-m", "meter", "run", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_an_agent_that_was_started_to_keep_its_ledger_ends_without_it(tmp_path: Path) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        until(lambda: first.ask("GET", "/healthz")[0] == 200, "the first is up")
        other = tmp_path / "other"
        other.mkdir()
        with agent(other, home=tmp_path) as second:
            error = second.hear("error")
            assert second.process.wait(60) == 1
            assert f"held by process {first.process.pid}" in error
            assert "--socket" in error
            assert "held by process" in second.log.read_text()


def test_a_private_agent_without_a_ledger_says_so_and_is_found_by_no_later_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with agent(tmp_path, "--private", home=tmp_path / "file" / "home") as node:
        node.hear("reading")
        node.begin("r1", expected=202)
        assert node.ask("GET", "/v1/status")[1]["ledger"]["keeps"] is False
        status, health = node.ask("GET", "/healthz")
        assert (status, health["status"]) == (200, "degraded")
        status, refused = node.ask("POST", "/v1/statements", {"run": "r1"})
        assert (status, "nothing is kept" in refused["detail"]) == (503, True)
        node.end("r1", linger_s=60)
        assert not os.path.exists(node.socket)
        assert node.process.wait(60) == 0


def test_a_private_agent_ends_when_whoever_asked_it_has_gone(tmp_path: Path) -> None:
    with (
        subprocess.Popen(["sleep", "600"]) as asker,
        agent(tmp_path, "--private") as node,
    ):
        node.hear("reading")
        body = {"id": "r1", "started_ns": boot_ns(), "started_us": 1, "launcher_pid": asker.pid}
        assert node.ask("POST", "/v1/runs", {**body, "gpus": "7", "check": True})[0] == 422
        asker.kill()
        asker.wait()
        assert node.process.wait(20) == 0  # far less than it waits for a first run


def test_a_live_run_has_no_energy_in_the_list_until_some_is_written(tmp_path: Path) -> None:
    with agent(tmp_path, "--private") as node:
        node.hear("reading")
        status, made = node.ask("POST", "/v1/runs", {"name": "x", "project": "p"})
        assert status == 201
        (run,) = node.ask("GET", "/v1/runs")[1]["runs"]
        assert run["run_id"] == made["id"]
        assert [run[name] for name in ("energy_j", "low_j", "high_j")] == [None] * 3
        path = f"/v1/runs/{made['id']}"
        status, document = node.ask("PATCH", path, {"status": "completed", "exit_code": 0})
        assert (status, document["run"]["status"]) == (200, "completed")


@pytest.mark.parametrize("room", ["60k", "full"])
def test_on_a_full_disk_the_summary_is_written_and_strict_refuses(
    tmp_path: Path, room: str
) -> None:
    with volume(tmp_path / "home", "60k") as home:
        told = tmp_path / "told.json"
        for _ in range(2 if room == "60k" else 0):
            told.write_text("of a former run")
            done = launch(tmp_path, "--summary-json", str(told), "--", "sleep", "2", home=home)
            assert done.returncode == 0
            assert "no summary" not in done.stderr
            assert '"meter.run/1"' in told.read_text()
        fill(home / "ballast")
        done = launch(tmp_path, "--summary-json", str(told), "--", "sleep", "0.2", home=home)
        assert '"meter.run/1"' in told.read_text()
        assert "disk" in done.stderr or "space" in done.stderr
        done = launch(
            tmp_path, "--strict", "--summary-json", str(told), "--", "sleep", "0", home=home
        )
        assert done.returncode == 2, done.stderr
        assert not told.exists()
        until(lambda: not os.path.exists(tmp_path / "s"), "its agent has ended")
