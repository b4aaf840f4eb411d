"""``meter attach``: a process that runs already, metered until it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import eventually

from meter.environment import Environment
from meter.errors import UsageError
from meter.launch import target as targets
from meter.launch.attach import surroundings
from meter.launch.claim import Claim
from meter.launch.identity import Identity
from meter.launch.kernel import parents
from meter.launch.options import parse
from meter.launch.spec import registration
from meter.launch.target import Target, Tree, descendants

pytestmark = pytest.mark.timeout(120)
WAITS = "import sys; sys.stdin.read(); sys.exit({code})"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextmanager
def job(code=0, script=WAITS, **variables):
    """A process that ends when its input does."""
    command = [sys.executable, "-S", "-c", script.format(code=code)]
    environment = {"PATH": os.environ["PATH"], **variables}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as running:
        yield running
        if running.poll() is None:
            running.kill()


def attached(place, running, *words, **more):
    made = place.start("--pid", str(running.pid), *words, mode="attach", **more)
    eventually(lambda: place.events("POST") or made.poll() is not None)
    return made


def ended(running):
    running.stdin.close()
    running.wait(60)


def test_a_process_is_metered_from_now_until_it_ends(place):
    with job(WANDB_RUN_ID="w1", SLURM_JOB_ID="5", CUDA_VISIBLE_DEVICES="1") as running:
        made = attached(place, running, "--project", "p", "--summary-json", "out.json")
        ended(running)
        _, told = made.communicate(timeout=60)
    assert made.returncode == 0
    (begin,), (end,) = place.events("POST"), place.events("PATCH")
    body = begin["body"]
    assert (body["id"], body["origin"], body["project"]) == ("w1", "WANDB_RUN_ID", "p")
    assert body["links"] == [{"source": "slurm", "id": "5"}]
    assert body["cuda_visible_devices"] == "1"
    assert body["attached"] == {"pid": running.pid, "environment": True}
    assert body["launcher_pid"] == made.pid
    assert end["body"]["status"] == "completed"
    assert f"attached to process {running.pid}".encode() in told
    assert b"kWh" in told or b"Energy" in told
    assert json.loads((place.folder / "out.json").read_text())["run"]["id"] == "w1"


def test_our_own_variables_are_not_taken_for_those_of_the_process(place):
    ours = {"CUDA_VISIBLE_DEVICES": "7", "WANDB_RUN_ID": "ours", "SLURM_JOB_ID": "9"}
    with job() as running:
        made = attached(place, running, variables=ours)
        ended(running)
        made.communicate(timeout=60)
    body = place.events("POST")[0]["body"]
    assert body["origin"] == "generated"
    assert body["cuda_visible_devices"] is None
    assert "links" not in body


def test_the_devices_of_its_container_are_the_process_own_and_not_the_shells(place):
    ours = {"NVIDIA_VISIBLE_DEVICES": "GPU-ours", "SLURM_JOB_GPUS": "7"}
    theirs = [
        ({}, None),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-theirs"}, "GPU-theirs"),
        ({"NVIDIA_VISIBLE_DEVICES": "all", "SLURM_JOB_GPUS": "2"}, "2"),
        ({"NVIDIA_VISIBLE_DEVICES": "0", "SLURM_STEP_GPUS": "3", "SLURM_JOB_GPUS": "2,3"}, "3"),
    ]
    for variables, told in theirs:
        with job(**variables) as running:
            found = Target(running.pid)
            os.close(found.fd)
            around = surroundings(Environment(ours, os.getuid()), found)
        options = parse("attach", ["--pid", str(running.pid)])
        options.command = found.command
        body = registration(options, around, Identity("r", "generated", []), 1)
        assert body.get("nvidia_visible_devices") == told


def test_a_process_that_is_attached_to_already_is_refused_with_its_run(place):
    with job(WANDB_RUN_ID="w1") as running:
        first = attached(place, running)
        second = place.run("--pid", str(running.pid), mode="attach")
        assert second.returncode == 2
        assert b"metered already, in run 'w1'" in second.stderr
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
        third = attached(place, running)  # nobody is attached any more
        eventually(lambda: len(place.events("POST")) == 2 or third.poll() is not None)
        ended(running)
        third.communicate(timeout=60)
        assert third.returncode == 0
    assert list((place.folder / "run" / "meter").glob("attach-*")) == []


def test_the_exit_code_of_the_process_is_told_where_the_kernel_tells_it(place):
    with job(code=3) as running:
        made = attached(place, running)
        threading.Thread(target=ended, args=(running,)).start()
        _, told = made.communicate(timeout=60)
    assert made.returncode == 0  # our own
    body = place.events("PATCH")[0]["body"]
    known = (body["status"], body["exit_code"]) == ("failed", 3)
    unknown = (body["status"], body["exit_code"]) == ("completed", None)
    assert known or unknown
    assert (b"is not known" in told) == unknown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_metering_and_not_the_process(place, number):
    with job() as running:
        made = attached(place, running)
        made.send_signal(number)
        _, told = made.communicate(timeout=60)
        assert running.poll() is None
    assert made.returncode == 0
    assert b"detached" in told
    assert place.events("PATCH")[0]["body"]["exit_code"] is None


def test_a_signal_that_is_to_be_ignored_ends_nothing(place):
    def ignore():  # as nohup does
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with job() as running:
        made = attached(place, running, preexec_fn=ignore)
        made.send_signal(signal.SIGHUP)
        time.sleep(1.5)
        assert made.poll() is None
        assert place.events("PATCH") == []
        ended(running)
        made.communicate(timeout=60)
    assert made.returncode == 0
    assert place.events("PATCH")[0]["body"]["status"] == "completed"


def test_a_claim_on_a_file_that_was_removed_meanwhile_is_taken_on_another(place, monkeypatch):
    with job() as running:
        target = Target(running.pid)
        here = Environment({"XDG_RUNTIME_DIR": str(place.folder)}, os.getuid())
        opened = os.open

        def removed_once(path, *words, **more):
            fd = opened(path, *words, **more)
            if "attach-" in str(path):
                monkeypatch.setattr(os, "open", opened)
                os.unlink(path)
            return fd

        monkeypatch.setattr(os, "open", removed_once)
        first = Claim(here, target, "r1")
        with pytest.raises(UsageError, match="in run 'r1'"):
            Claim(here, target, "r2")
        first.drop()
        Claim(here, target, "r2").drop()
        os.close(target.fd)


CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"],
    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
print(child.pid, flush=True)
sys.stdin.readline()
import os
os._exit({code})
"""


@pytest.fixture
def family():
    """A process with a child that outlives it for as long as the child's input is open."""
    keep_read, keep_write = os.pipe()
    script = CHILD.replace("subprocess.PIPE", str(keep_read))
    command = [sys.executable, "-S", "-c", script.format(code=0)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, pass_fds=[keep_read], **pipes) as running:
        os.close(keep_read)
        child = int(running.stdout.readline())
        yield running, child, keep_write
        os.kill(child, signal.SIGKILL)


def test_without_tree_the_end_is_the_processs_own_and_who_stays_is_told(place, family):
    running, _, _ = family
    made = attached(place, running)
    running.communicate(b"\n", timeout=60)
    _, told = made.communicate(timeout=60)
    assert b"1 process that it started still run" in told


def test_with_tree_it_goes_on_until_the_last_child_has_ended(place, family):
    running, child, keep = family
    made = attached(place, running, "--tree")
    running.communicate(b"\n", timeout=60)
    assert place.events("PATCH") == []
    assert os.path.exists(f"/proc/{child}")
    os.close(keep)
    _, told = made.communicate(timeout=60)
    assert made.returncode == 0
    assert len(place.events("PATCH")) == 1
    assert b"still run" not in told


def refused(pid: int) -> str:
    with pytest.raises(UsageError) as found:
        Target(pid)
    assert found.value.remedy
    return str(found.value)


def test_what_is_no_process_of_a_job_is_refused_with_a_reason():
    assert "itself" in refused(os.getpid())
    assert "process 1" in refused(1)
    with job() as running:
        ended(running)
        assert "no process" in refused(running.pid)
    goes = threading.Event()
    thread = threading.Thread(target=goes.wait)
    thread.start()
    assert "thread of process" in refused(thread.native_id)
    goes.set()
    thread.join()


def test_a_thread_of_the_kernel_is_refused():
    kernel = [pid for pid, parent in parents().items() if parent == 2]
    if not kernel:
        pytest.skip("none can be seen in this PID namespace")
    assert "kernel" in refused(kernel[0])


def test_a_zombie_has_ended_already():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert "ended already" in refused(pid)
    finally:
        os.waitpid(pid, 0)


def test_a_number_that_was_given_to_another_process_meanwhile_is_noticed(monkeypatch):
    starts = iter([100, 200])
    monkeypatch.setattr(targets, "_running", lambda _: next(starts))
    before = len(os.listdir("/proc/self/fd"))
    with job() as running:
        assert "may mean another one" in refused(running.pid)
    assert len(os.listdir("/proc/self/fd")) == before  # nothing of it is kept


def test_a_process_inside_a_run_is_refused_and_so_is_its_launcher(place):
    with job() as waits:
        running = place.start("--", "sh", "-c", "echo $$; exec sleep 60", stdin=waits.stdout)
        inner = int(running.stdout.readline())
        for pid in (inner, running.pid):
            done = place.run("--pid", str(pid), mode="attach")
            assert done.returncode == 2
            assert done.stderr.count(b"\n") == 1
            assert b"metered already" in done.stderr or b"`meter run`" in done.stderr
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)


def test_a_launcher_that_has_ended_does_not_keep_a_process_from_being_metered():
    with job(METER_RUN_ID="old", METER_LAUNCHER_PID="999999999") as running:
        found = Target(running.pid)
        os.close(found.fd)
        around = surroundings(Environment({}, os.getuid()), found)
    assert around.run_id is None


@ROOT
def test_another_users_process_is_metered_and_its_unknown_devices_are_told(place):
    with job() as running:
        found = Target(running.pid)
        os.close(found.fd)
        found.variables = None  # as the kernel answers to whoever is not root
        around = surroundings(Environment({"CUDA_VISIBLE_DEVICES": "0"}, 1), found)
    assert around.cuda_visible_devices is None
    done = subprocess.run(
        [sys.executable, "-S", "-c", FOREIGN, str(os.getpid())],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "None\n", done.stderr


FOREIGN = """
import os, sys
sys.path[:0] = os.environ["PYTHONPATH"].split(":")
from meter.launch.target import Target
os.setgid(12345)
os.setuid(12345)
print(Target(int(sys.argv[1])).variables)
"""


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--pid", "0"],
        ["--pid", "-3"],
        ["--pid", "x"],
        ["--pid", "9" * 30],
        ["--pid", "5", "ls"],
    ],
)
def test_wrong_usage_ends_with_2_and_a_remedy(place, words):
    done = place.run(*words, mode="attach")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


def test_an_agent_that_refuses_the_devices_ends_it_with_2_and_leaves_the_process(place):
    with job() as running:
        done = place.run("--pid", str(running.pid), "--gpus", "7", mode="attach")
        assert done.returncode == 2
        assert b"known are 0 (GPU-aaaa)" in done.stderr
        assert running.poll() is None


def test_without_an_agent_it_fails_with_1_and_leaves_the_process(place):
    with job() as running:
        done = place.run("--pid", str(running.pid), mode="attach", ways="error")
        assert done.returncode == 1
        assert b"made to fail" in done.stderr
        assert running.poll() is None


def test_a_tree_sees_children_come_and_go():
    with job() as running:
        own = Target(running.pid)
        tree = Tree(own)
        tree.look()
        assert tree.left() == []
        ended(running)
        tree.look()
        assert tree.left() == []
        assert targets.has_ended(own.fd)
        os.close(own.fd)


@ROOT
def test_a_tree_follows_no_child_of_a_process_that_got_the_roots_number():
    with subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 0.3"]) as running:
        own = Target(running.pid)
        tree = Tree(own)
        (child,) = eventually(lambda: tree.look() or tree.left())
        running.wait(60)
    goes, holds = os.pipe()
    stranger = with_number(own.pid, goes)
    try:
        if stranger is None:
            pytest.skip("this kernel gives no number out on demand")
        eventually(lambda: own.pid in parents().values())
        time.sleep(0.05)  # far more than a tick
        tree.look()
        assert tree.left() == [child]
    finally:
        os.close(holds)
        os.kill(child, signal.SIGKILL)
        os.close(own.fd)
        if stranger is not None:
            os.waitpid(stranger, 0)


def with_number(number: int, goes: int) -> int | None:
    """A process of this very number that has a child, until the pipe's other end is closed."""
    for _ in range(200):
        try:
            with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                file.write(str(number - 1))
        except OSError:
            return None
        pid = os.fork()
        if pid == 0:
            closes = os.getpid() == number
            if closes:
                os.closerange(goes + 1, 256)
                os.fork()
                os.read(goes, 1)
            os._exit(0)
        if pid == number:
            return pid
        os.waitpid(pid, 0)
    return None


@given(st.dictionaries(st.integers(2, 30), st.integers(1, 30)), st.sets(st.integers(1, 30)))
def test_descendants_are_exactly_those_with_a_known_one_above_them(parents_of, known):
    def above(pid: int) -> set[int]:
        seen: set[int] = set()
        while pid in parents_of and parents_of[pid] not in seen:
            pid = parents_of[pid]
            seen.add(pid)
        return seen

    expected = {pid for pid in parents_of if above(pid) & known} - known
    assert descendants(known, parents_of) == expected
