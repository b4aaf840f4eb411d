from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from launching import eventually, joinable

from meter.environment import Environment
from meter.launch.link import Link
from meter.launch.spec import end_of

pytestmark = pytest.mark.timeout(120)


def runs(pid):
    """Whether a process lives; one that only waits to be reaped has no words."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_a_private_agent_gets_nothing_of_the_jobs(place):
    read_end, write_end = os.pipe()
    place.run("--", "true", pass_fds=(read_end, write_end))
    os.close(read_end)
    os.close(write_end)
    (start,) = place.events("start")
    assert sorted(start["fds"]) == ["0", "1", "2", "3"]
    assert start["stdin"] == start["stdout"] == os.devnull
    assert start["sid"] == start["pid"]
    assert start["cwd"] == "/"
    assert start["run"] is None
    assert "true" not in " ".join(start["words"])


def test_a_running_agent_is_joined(place):
    agent = joinable(place)
    assert place.run("--", "sh", "-c", "exit 3").returncode == 3
    assert place.events("start") == []
    assert [event["event"] for event in place.events()] == ["CHECK", "POST", "PATCH"]
    agent.server.close()


def test_an_agent_in_a_container_is_not_watched_by_the_number_that_it_has_there(place, monkeypatch):
    here = (0, os.getuid())  # as the kernel says
    monkeypatch.setattr("meter.launch.client._peer", lambda connected: here)
    agent = joinable(place)
    environment = Environment(place.variables, os.getuid())
    spec = {"id": "r1", "gpus": None, "resume": False}
    link = Link(environment, spec, tell=print, debug=print)
    link.reach(time.monotonic() + 10)
    assert link.await_answer(10)["agent_pid"] == os.getpid()
    assert link._watched() == []
    agent.server.close()


@pytest.mark.parametrize("words", [[], ["--gpus", "0"], ["--strict"]])
@pytest.mark.parametrize("runs", [False, True])
def test_a_run_begins_when_its_job_does_not_when_the_agent_is_asked(place, words, runs):
    agent = joinable(place) if runs else None
    tell = "import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))"
    done = place.run(*words, "--", sys.executable, "-S", "-c", tell)
    (begin,) = place.events("POST")
    asked_ns = [event["boot_ns"] for event in place.events("CHECK")]
    assert len(asked_ns) == (1 if words or runs else 0)
    assert max(asked_ns, default=0) <= begin["body"]["started_ns"] <= int(done.stdout)
    if agent is not None:
        agent.server.close()


def test_many_launchers_at_once_make_one_agent(place):
    barrier = place.folder / "go"
    script = f"while [ ! -e {barrier} ]; do sleep 0.02; done"
    running = [place.start("--", "sh", "-c", script) for _ in range(4)]
    eventually(lambda: len(place.events("POST")) == 4)
    barrier.touch()
    assert [each.wait(30) for each in running] == [0, 0, 0, 0]
    for each in running:
        each.communicate()
    assert len({event["pid"] for event in place.events("POST")}) == 1


@pytest.mark.parametrize("way", ["crash", "error", "mute_end", "late", "unread", "die", "refuse"])
def test_whatever_the_agent_does_the_job_runs_with_its_own_code(place, way):
    done = place.run("--", "sh", "-c", "echo ran; exit 5", ways=way)
    assert (done.returncode, done.stdout) == (5, b"ran\n")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("mode", ["run", "exec"])
@pytest.mark.parametrize("status", [403, 404, 409, 422, 429, 500])
def test_an_agent_that_is_there_already_and_refuses_does_not_keep_the_job_from_running(
    place, mode, status
):
    agent = joinable(place, f"refuse_{status}")
    for words in ([], ["--gpus", "0"]):
        done = place.run(*words, "--", "sh", "-c", "echo ran; exit 5", mode=mode)
        assert (done.returncode, done.stdout) == (5, b"ran\n")
        assert b"not for you" in done.stderr
    agent.server.close()


def test_an_agent_that_cannot_run_is_said_in_one_line(place):
    done = place.run("--", "true", ways="error")
    assert done.stderr.count(b"\n") == 1
    assert b"made to fail" in done.stderr


def test_strict_ends_with_2_before_the_job_starts(place):
    for way in ("crash", "error", "faulty"):
        done = place.run("--strict", "--", "touch", "started", ways=way)
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1
    assert not (place.folder / "started").exists()


def test_an_unknown_device_ends_with_2_and_names_the_known_ones(place):
    done = place.run("--gpus", "7", "--", "touch", "started")
    assert done.returncode == 2
    assert b"known are 0 (GPU-aaaa), 1 (GPU-bbbb)" in done.stderr
    assert not (place.folder / "started").exists()


def test_an_agent_that_does_not_know_its_devices_yet_is_asked_again(place):
    done = place.run("--gpus", "0", "--", "sh", "-c", "exit 5", ways="unready")
    assert done.returncode == 5
    assert len(place.events("CHECK")) == 3
    assert len(place.events("POST")) == 1
    assert len(place.events("PATCH")) == 1


def test_an_agent_that_died_is_replaced_and_resumes_the_run(place):
    running = place.start(
        "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.02; done", ways="die_once"
    )
    eventually(lambda: len(place.events("POST")) == 2)
    (place.folder / "go").touch()
    _, told = running.communicate(timeout=30)
    assert running.returncode == 0
    first, second = place.events("POST")
    assert not first["body"]["resume"]
    assert second["body"]["resume"]
    assert first["body"]["id"] == second["body"]["id"]
    assert b"kWh" in told


def test_an_agent_that_keeps_dying_is_given_up_after_three_more(place):
    done = place.run("--", "sleep", "1", ways="die")
    assert done.returncode == 0
    assert len(place.events("start")) == 4
    assert b"no summary" in done.stderr


def test_an_agent_that_listens_at_the_end_settles_a_run_that_was_given_up(place):
    running = place.start("--", "sh", "-c", "while [ ! -e go ]; do sleep 0.02; done", ways="die")
    eventually(lambda: len(place.events("POST")) == 4)
    eventually(lambda: not any(runs(event["pid"]) for event in place.events("start")))
    agent = joinable(place)
    (place.folder / "go").touch()
    _, told = running.communicate(timeout=30)
    assert running.returncode == 0
    assert len(place.events("start")) == 4
    assert place.events("POST")[-1]["body"]["resume"]
    assert len(place.events("PATCH")) == 1
    assert b"kWh" in told
    agent.server.close()


def test_a_joined_agent_that_vanishes_is_replaced_by_a_private_one(place):
    agent = joinable(place)
    running = place.start("--", "sh", "-c", "while [ ! -e go ]; do sleep 0.02; done")
    eventually(lambda: place.events("POST"))
    agent.server.close()
    os.unlink(agent.path)
    (place.folder / "go").touch()
    running.communicate(timeout=30)
    assert running.returncode == 0
    assert [event["body"]["resume"] for event in place.events("POST")] == [False, True]
    assert len(place.events("PATCH")) == 1


def linked(place, monkeypatch, ways, resume):
    """A link whose agent has the run, and whose job has ended with 7; and what was told."""
    monkeypatch.setattr("meter.launch.link.SETTLE_S", 0.5)
    monkeypatch.setattr("meter.launch.link.RETURNED_S", 3.0)
    agent, said = joinable(place, ways), []
    spec = {
        "id": "r1", "name": "r", "project": None, "tags": {}, "gpus": None, "resume": resume,
        "launcher_pid": os.getpid(),
    }  # fmt: skip
    link = Link(Environment(place.variables, os.getuid()), spec, tell=said.append, debug=print)
    link.begins(time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns() // 1_000)
    link.reach(time.monotonic() + 10)
    return link, agent, said


def ended(link):
    """Let a job end; the files that tell of it afterwards."""
    sleeps, wakes = os.pipe()
    os.write(wakes, b".")
    link.keep(sleeps, lambda: end_of(7 << 8, None), live=False)
    os.close(sleeps)
    os.close(wakes)
    return sorted(Path(link.socket).parent.glob("*.end"))


def test_where_an_agent_was_replaced_the_next_one_is_waited_for_longer(place, monkeypatch):
    link, agent, said = linked(place, monkeypatch, "slow_end", resume=True)
    assert ended(link) == []
    assert link.document is not None
    assert len(said) == 1
    assert "the summary waits for the next one" in said[0]
    agent.server.close()


@pytest.mark.parametrize("resume", [False, True])
def test_an_end_that_nobody_hears_is_left_beside_the_socket(place, monkeypatch, resume):
    link, agent, said = linked(place, monkeypatch, "mute_end", resume=resume)
    (file,) = ended(link)
    assert link.document is None
    assert len(said) == resume  # a second chance, but not a third
    word = json.loads(file.read_text())
    assert (word["run"], word["pid"]) == ("r1", os.getpid())
    assert (word["status"], word["exit_code"]) == ("failed", 7)
    assert file.stat().st_mode & 0o777 == 0o600
    agent.server.close()


def test_a_hung_agent_delays_neither_start_nor_exit_code(place):
    agent = joinable(place, "mute")
    began = time.monotonic()
    running = place.start("--", "touch", "started")
    eventually((place.folder / "started").exists, 10)
    running.communicate(timeout=40)
    assert running.returncode == 0
    assert time.monotonic() - began < 30  # the settling is bounded
    agent.server.close()


def test_ctrl_c_while_the_summary_is_awaited_gives_the_jobs_code(place):
    running = place.start("--", "sh", "-c", "exit 11", ways="mute_end")
    eventually(lambda: place.events("PATCH"))
    running.send_signal(2)
    _, told = running.communicate(timeout=8)
    assert running.returncode == 11
    assert b"was not waited for" in told


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": None, "XDG_RUNTIME_DIR": None, "METER_HOME": None},
        {"METER_HOME": "/proc/nowhere"},
        {"METER_HOME": "relative/home"},
        {"METER_SOCKET": "/proc/no/agent.sock"},
        {"METER_SOCKET": "/tmp/" + "x" * 200},
        {"XDG_RUNTIME_DIR": "/nonexistent"},
        {"PATH": None},
        {"METER_RUN_ID": "\udcff" * 3, "METER_PROJECT": "x" * 999},
        {"CUDA_VISIBLE_DEVICES": "\udcff,,-1," * 2000},
        {"LC_ALL": "C", "LANG": None},
    ],
    ids=str,
)
def test_hostile_surroundings_leave_the_job_alone(place, variables):
    if variables.get("METER_HOME", "") is None:  # the real default must stay out of this
        variables = {
            **variables,
            "METER_SOCKET": str(place.folder / "s"),
            "XDG_STATE_HOME": str(place.folder),
        }
    done = place.run("--", "/bin/sh", "-c", "echo ran; exit 5", variables=variables)
    assert (done.returncode, done.stdout) == (5, b"ran\n")
    assert b"Traceback" not in done.stderr


def test_closed_output_is_no_error(place):
    words = shlex.join(place.command("--", "sh", "-c", "exit 5"))
    done = subprocess.run(
        ["sh", "-c", f"{words} >&- 2>&- <&-; echo $?"], env=place.variables, capture_output=True
    )
    assert done.stdout == b"5\n"


def test_nobody_reading_stderr_does_not_hold_up_the_end(place):
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write_end, True)
    done = place.run(
        "--", "true", stderr=write_end, stdout=subprocess.DEVNULL, capture_output=False, timeout=30
    )
    assert done.returncode == 0
    os.close(read_end)
    os.close(write_end)


def test_no_process_of_ours_is_left_behind(place):
    place.run("--", "true")
    pids = {event["pid"] for event in place.events()}
    eventually(lambda: place.events("exit"))
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in pids))
    assert len(pids) == 1
