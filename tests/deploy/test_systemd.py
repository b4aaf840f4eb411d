"""The systemd unit, checked by systemd's own tools and held against what the agent needs."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.agents import agent, until

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "meter-agent.service"
EXPOSURE_TENTHS = 20
"""The most that `systemd-analyze security` may find, on its scale from 0 to 100."""

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def service() -> dict[str, list[str]]:
    """Every value of each key of [Service]."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_understands_every_line(tmp_path: Path, require_tool) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/meter/bin/meter", sys.executable))
    done = subprocess.run(
        [require_tool("systemd-analyze"), "verify", "--recursive-errors=no", unit],
        capture_output=True, text=True,
    )  # fmt: skip
    about_ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert done.returncode == 0, done.stderr
    assert about_ours == []


def test_a_line_that_systemd_does_not_know_would_be_found(tmp_path: Path, require_tool) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/opt/meter/bin/meter", sys.executable)
    unit.write_text(text.replace("ProtectHome=yes", "ProtectHouse=yes"))
    done = subprocess.run(
        [require_tool("systemd-analyze"), "verify", "--recursive-errors=no", unit],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "ProtectHouse" in done.stderr


def test_systemd_finds_the_service_well_confined(require_tool) -> None:
    done = subprocess.run(
        [
            require_tool("systemd-analyze"), "security", "--offline=yes", "--no-pager",
            f"--threshold={EXPOSURE_TENTHS}", UNIT,
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_jobs_survive_the_agents_stop_and_a_restarted_agent_knows_them() -> None:
    unit = service()
    assert unit["KillMode"] == ["mixed"]
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2"]  # 75 and a taken port may pass
    assert "\nStartLimitIntervalSec=0\n" in UNIT.read_text()
    assert "RuntimeDirectory" not in unit  # systemd would remove it, with the .runs, at each stop
    assert int(unit["TimeoutStopSec"][0]) > 5  # an agent stops within 5 s


def test_what_the_agent_has_to_see_is_not_hidden_from_it() -> None:
    unit = service()
    for key in ("ProtectProc", "ProcSubset", "PrivateUsers", "PrivateDevices", "PrivateNetwork"):
        assert key not in unit
    assert unit["DeviceAllow"] == ["char-nvidia* rw"]


def test_everything_the_agent_writes_to_is_writable_for_it() -> None:
    unit = service()
    places = dict(word.split("=", 1) for line in unit["Environment"] for word in line.split())
    assert places["METER_HOME"] == f"/var/lib/{unit['StateDirectory'][0]}"
    writable = [word.lstrip("-") for word in unit["ReadWritePaths"][0].split()]
    assert places["METER_LEASE_DIR"] in writable
    words = unit["ExecStart"][0].split()
    folder = str(Path(words[words.index("--socket") + 1]).parent)
    assert folder in writable
    made = (FOLDER / "meter.tmpfiles.conf").read_text()
    assert f"d {places['METER_LEASE_DIR']} 1777 root root" in made
    assert f"d {folder} 1770 root {unit['Group'][0]}" in made


def test_the_user_of_the_unit_is_the_one_that_sysusers_makes() -> None:
    [line] = [x for x in (FOLDER / "meter.sysusers.conf").read_text().splitlines() if x[0] == "u"]
    assert line.split()[1] == service()["User"][0] == service()["Group"][0]


def test_the_agent_meters_where_memory_can_not_become_executable(tmp_path: Path) -> None:
    """MemoryDenyWriteExecute, by the kernel's own switch, which children inherit."""
    code = (
        "import ctypes, sys; libc = ctypes.CDLL(None, use_errno=True);"
        f"done = libc.prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0);"
        "sys.exit(77) if done else None;"
        "import runpy; sys.argv[0] = 'meter.agent';"
        "runpy.run_module('meter.agent', run_name='__main__', alter_sys=True)"
    )
    (tmp_path / "confined.py").write_text(code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(66, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel has no PR_SET_MDWE: it needs 6.3 or newer")
    with agent(tmp_path, module="confined", PYTHONPATH=f"{tmp_path}:{':'.join(sys.path)}") as it:
        assert "reading" in it.hear("reading")
        it.begin("run")
        until(lambda: it.ask("GET", "/v1/status")[1]["agent"]["fresh"], "fresh readings")
        document = it.end("run")
    assert document["energy"]["it"]["value"] > 0, json.dumps(document)
