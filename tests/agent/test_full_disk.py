"""A disk that fills up in the middle of a run: the job does not notice, the summary says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import until
from meter.launch.client import request
from volumes import fill, remount, volume

if TYPE_CHECKING:
    from pathlib import Path

JOB = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.05)\nsys.exit(7)\n"


def status(socket: str) -> dict[str, Any]:
    return request(socket, "GET", "/v1/status", None, timeout_s=60)[1]


@pytest.mark.parametrize("enlarged", [True, False])
def test_a_job_survives_a_disk_that_fills_up(tmp_path: Path, *, enlarged: bool) -> None:
    with volume(tmp_path / "home", "6m") as home:
        socket, over, told = str(tmp_path / "s"), tmp_path / "over", tmp_path / "told.json"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "METER_HOME": str(home),
            "METER_SOCKET": socket,
            "METER_LEASE_DIR": str(tmp_path / "leases"),
            "METER_LISTEN": "127.0.0.1:0",
            "METER_SIMULATE": "2xH100",
        }
        command = [sys.executable, "-m", "meter", "run", "--summary-json", str(told), "--"]
        began = time.monotonic()
        with subprocess.Popen(
            [*command, sys.executable, "-c", JOB, str(over)],
            env=environment,
            stderr=subprocess.PIPE,
        ) as job:
            until(lambda: status(socket)["runs"], "the run is registered")
            until((home / "ledger.duckdb").exists, "the ledger is there")
            fill(home / "ballast")
            until(lambda: status(socket)["ledger"]["full"], "the disk is full")
            assert job.poll() is None
            if enlarged:
                remount(home, "size=64m")
                until(lambda: not status(socket)["ledger"]["full"], "the ledger goes on")
            over.touch()
            _, said = job.communicate(timeout=60)
        lasted_s = time.monotonic() - began
        assert job.returncode == 7, said
        assert told.exists(), said
        document = json.loads(told.read_text())
        codes = {notice["code"] for notice in document["notices"]}
        assert ("ledger_behind" in codes) is not enlarged
        if enlarged:  # else what was stored before is all that the document has
            run = document["run"]
            assert run["exit_code"] == 7
            assert document["coverage"] > 0.9
            watts = document["energy"]["by_component"]["gpu"]["value"] / run["duration_s"]
            assert 2 * 50 < watts < 2 * 700
            assert run["duration_s"] < lasted_s
        until(lambda: not os.path.exists(socket), "the agent has ended")
