from __future__ import annotations

import contextlib
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from launching import HERE, eventually

pytestmark = pytest.mark.timeout(120)

COUNTER = [sys.executable, str(HERE / "signal_counter.py")]
NOT_COUNTED = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGTERM}


def counted(place, name="signals"):
    return [int(line) for line in (place.folder / name).read_text().split()]


def ready(place, name="signals"):
    file = place.folder / f"{name}.ready"
    return int(eventually(lambda: file.exists() and file.read_text()))


def start_counter(place, **more):
    running = place.start("--quiet", "--", *COUNTER, "signals", **more)
    return running, ready(place)


def finish(running, job):
    os.kill(job, signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 42  # the job's own trap decided


def test_every_signal_sent_to_the_launcher_reaches_the_job_exactly_once(place):
    running, job = start_counter(place)
    numbers = sorted(signal.valid_signals() - NOT_COUNTED)
    for number in numbers:
        before = len(counted(place))
        running.send_signal(number)
        eventually(lambda before=before: len(counted(place)) > before)
    finish(running, job)
    assert counted(place)[: len(numbers)] == numbers
    assert counted(place)[len(numbers) :] == [signal.SIGTERM]


def test_a_forwarded_sigterm_lets_the_job_choose_its_exit_code(place):
    running, _ = start_counter(place)
    running.terminate()
    running.communicate(timeout=30)
    assert running.returncode == 42
    assert counted(place) == [signal.SIGTERM]


def test_an_untrapped_signal_to_the_launcher_ends_job_and_launcher_alike(place):
    running = place.start("--", "sh", "-c", "touch on; exec sleep 60")
    eventually((place.folder / "on").exists)
    running.send_signal(signal.SIGUSR1)
    running.communicate(timeout=30)
    assert running.returncode == -signal.SIGUSR1


def test_a_signal_to_the_whole_group_reaches_the_job_once(place):
    running, job = start_counter(place, process_group=0)
    time.sleep(0.2)  # until the witness stands beside the job
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        os.killpg(running.pid, number)
        time.sleep(0.2)  # a second one would have come by now
    finish(running, job)
    assert counted(place) == [signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM]


def test_signals_during_the_start_end_the_launcher_like_any_program(place):
    running = place.start("--strict", "--", "touch", "started", ways="late")
    eventually(lambda: place.events("start"))
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == -signal.SIGINT
    assert not (place.folder / "started").exists()


def test_a_killed_launcher_leaves_the_job_alone(place):
    running, job = start_counter(place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running.kill()
    running.wait(30)
    os.kill(job, signal.SIGUSR2)
    eventually(lambda: counted(place))
    assert counted(place) == [signal.SIGUSR2]
    os.kill(job, signal.SIGKILL)


def test_a_job_that_is_stopped_and_continued_alone_is_waited_for(place):
    running, job = start_counter(place)
    os.kill(job, signal.SIGSTOP)
    eventually(lambda: state(job) == "T")
    time.sleep(0.1)
    assert state(running.pid) != "T"
    os.kill(job, signal.SIGCONT)
    finish(running, job)


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Terminal:
    """An interactive shell on a terminal of its own."""

    def __init__(self, place):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            variables = {**place.variables, "PS1": "", "METER_FAKE": "", "TERM": "dumb"}
            os.chdir(place.folder)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], variables)
        os.set_blocking(self.fd, False)
        self.seen = b""

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read(self):
        with contextlib.suppress(OSError):
            self.seen += os.read(self.fd, 65_536)
        return self.seen

    def expect(self, text):
        try:
            eventually(lambda: text.encode() in self.read())
        except AssertionError as error:
            raise AssertionError(f"{text!r} is not in {self.seen[-2_000:]!r}") from error

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(place):
    shell = Terminal(place)
    yield shell
    shell.close()


def command_line(place, *words):
    script = place.folder / "go"
    script.write_text(f"exec {shlex.join(place.command(*words))}\n")
    return "sh ./go"


def test_ctrl_c_reaches_the_job_once(place, terminal):
    terminal.type(command_line(place, "--quiet", "--", *COUNTER, "signals") + "; echo code=$?\n")
    job = ready(place)
    terminal.type("\x03")
    eventually(lambda: counted(place) == [signal.SIGINT])
    terminal.type("\x03")
    eventually(lambda: len(counted(place)) == 2)
    time.sleep(0.2)  # a doubled one would have come by now
    assert counted(place) == [signal.SIGINT] * 2
    os.kill(job, signal.SIGTERM)
    terminal.expect("code=42")


def test_ctrl_c_ends_an_ordinary_job_and_the_shell_sees_130(place, terminal):
    terminal.type("PROMPT_COMMAND='echo code=$?'\n")  # what is typed ahead is lost by a ^C
    terminal.expect("code=0")
    # Python, because a shell forgets a ^C that comes between its vfork and exec
    job = (sys.executable, "-c", "import time; open('on', 'w').close(); time.sleep(60)")
    terminal.type(command_line(place, "--quiet", "--", *job) + "\n")
    eventually((place.folder / "on").exists)
    terminal.type("\x03")
    terminal.expect("code=130")


def test_ctrl_z_stops_the_job_and_fg_continues_it(place, terminal):
    # Python, because a shell that is stopped between its vfork and exec never reports the stop.
    loop = """
import os, time
print('begun', flush=True)
while not os.path.exists('go-on'):
    time.sleep(0.05)
print('ended', flush=True)
"""
    (place.folder / "loop.py").write_text(loop)
    job = (sys.executable, "loop.py")
    terminal.type(command_line(place, "--quiet", "--", *job) + "\n")
    terminal.expect("begun")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    (place.folder / "go-on").touch()
    terminal.type("echo shell-$((40+2))\n")
    terminal.expect("shell-42")
    assert b"ended" not in terminal.read()
    terminal.type("fg; echo code=$?\n")
    terminal.expect("ended")
    terminal.expect("code=0")


def test_the_job_can_read_the_terminal(place, terminal):
    terminal.type(command_line(place, "--quiet", "--", "sh", "-c", "read x; echo got-$x") + "\n")
    eventually(lambda: place.events("POST"))
    terminal.type("words\n")
    terminal.expect("got-words")


def test_a_hang_up_reaches_the_job_when_the_launcher_leads_the_session(place):
    child, fd = pty.fork()
    if child == 0:
        os.chdir(place.folder)
        command = place.command("--quiet", "--", *COUNTER, "signals")
        os.execve(command[0], command, {**place.variables, "METER_FAKE": ""})
    job = ready(place)
    os.close(fd)
    eventually(lambda: signal.SIGHUP in counted(place))
    os.kill(job, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
