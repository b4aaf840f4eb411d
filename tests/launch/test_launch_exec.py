from __future__ import annotations

import json
import os
import subprocess

import pytest
from launching import eventually

pytestmark = pytest.mark.timeout(120)


def test_exec_keeps_the_process_id(place):
    running = place.start("--", "sh", "-c", "echo $$; exit 9", mode="exec")
    told, _ = running.communicate(timeout=30)
    assert int(told) == running.pid
    assert running.returncode == 9


def test_exec_registers_the_run_and_ends_it_with_the_job(place):
    done = place.run("--project", "p", "--", "sleep", "0.2", mode="exec")
    assert done.returncode == 0
    (end,) = eventually(lambda: place.events("PATCH"))
    (begin,) = place.events("POST")
    assert begin["body"]["project"] == "p"
    assert end["body"]["ended_ns"] - begin["body"]["started_ns"] >= 200_000_000
    assert end["body"]["exit_code"] in (0, None)  # kernels before 6.15 do not tell


def test_exec_writes_the_document_to_its_file(place):
    place.run("--summary-json", "out.json", "--", "true", mode="exec")
    file = place.folder / "out.json"
    assert json.loads(eventually(lambda: file.exists() and file.read_text()))["schema"]


def test_exec_leaves_the_job_no_child_and_no_descriptor(place):
    look = (
        "import os; print(sorted(os.listdir('/proc/self/fd'), key=int));"
        "print([p for p in os.listdir('/proc') if p.isdigit() and"
        " open(f'/proc/{p}/stat').read().rpartition(')')[2].split()[1] == str(os.getpid())])"
    )
    direct = subprocess.run(
        [os.sys.executable, "-c", look], capture_output=True, stdin=subprocess.DEVNULL
    )
    done = place.run("--", os.sys.executable, "-c", look, mode="exec")
    assert done.stdout == direct.stdout
    assert done.stdout.endswith(b"[]\n")


def test_exec_lets_a_pipe_end_with_the_job(place):
    done = place.run("--", "sh", "-c", "echo out; echo err >&2", mode="exec", timeout=20)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_exec_without_a_working_agent_runs_the_job(place):
    done = place.run("--", "sh", "-c", "exit 3", mode="exec", ways="error")
    assert done.returncode == 3
    assert b"made to fail" in done.stderr


def test_exec_refuses_an_unknown_device(place):
    done = place.run("--gpus", "7", "--", "touch", "started", mode="exec")
    assert done.returncode == 2
    assert b"known are 0" in done.stderr
    assert not (place.folder / "started").exists()


def test_exec_inside_a_run_is_passed_through(place):
    inner = place.command("--", "sh", "-c", "exit 6", mode="exec")
    assert place.run("--", *inner).returncode == 6
    assert len(place.events("POST")) == 1
