from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys

import pytest
from launching import eventually

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("code", [0, 1, 2, 7, 75, 126, 127, 128, 137, 255])
def test_the_exit_code_is_the_jobs_own(place, code):
    done = place.run("--", "sh", "-c", f"exit {code}")
    assert done.returncode == code
    (end,) = place.events("PATCH")
    assert end["body"]["exit_code"] == code
    assert end["body"]["status"] == ("failed" if code else "completed")


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "INT", "HUP", "ABRT", "USR1", "PIPE"])
def test_a_signal_that_ends_the_job_ends_the_launcher_too(place, name):
    done = place.run("--", "sh", "-c", f"kill -{name} $$; sleep 9")
    number = getattr(signal, f"SIG{name}")
    assert done.returncode == -number
    assert place.events("PATCH")[0]["body"]["exit_code"] == -number


def test_a_shell_sees_128_plus_n(place):
    words = shlex.join(place.command("--", "sh", "-c", "kill -9 $$"))
    done = subprocess.run(
        ["bash", "-c", f"{words} 2>/dev/null; echo $?"], env=place.variables, capture_output=True
    )
    assert done.stdout.split()[-1:] == [b"137"]


def test_a_command_that_is_not_there_is_127_and_needs_no_agent(place):
    done = place.run("--", "no-such-command-here")
    assert done.returncode == 127
    assert done.stderr == b"meter run: no-such-command-here: not found\n"
    assert place.events() == []


def test_a_file_that_is_not_executable_is_126(place):
    file = place.folder / "data"
    file.write_text("text")
    done = place.run("--", str(file))
    assert done.returncode == 126
    assert b"permission denied" in done.stderr


def test_a_script_without_a_first_line_runs_as_in_a_shell(place):
    script = place.folder / "script"
    script.write_text("echo script $1; exit 3\n")
    script.chmod(0o755)
    done = place.run("--", "./script", "one")
    assert (done.returncode, done.stdout) == (3, b"script one\n")


def test_twenty_megabytes_of_output_arrive_unchanged(place):
    program = (
        "import sys, random; r = random.Random(1);"
        "[sys.stdout.buffer.write(r.randbytes(1 << 20)) for _ in range(20)]"
    )
    direct = subprocess.run([sys.executable, "-c", program], capture_output=True).stdout
    done = place.run("--", sys.executable, "-c", program)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(direct).digest()


def test_standard_input_is_the_jobs(place):
    done = place.run("--", "cat", stdin=None, input=b"a\0b\xff\n")
    assert done.stdout == b"a\0b\xff\n"


def test_the_job_finds_the_same_descriptors_as_without_us(place):
    read_end, write_end = os.pipe()
    listing = "import os; print(sorted(os.listdir('/proc/self/fd'), key=int))"
    more = {"pass_fds": (read_end, write_end)}
    direct = subprocess.run([sys.executable, "-c", listing], capture_output=True, **more)
    done = place.run("--", sys.executable, "-c", listing, **more)
    os.close(read_end)
    os.close(write_end)
    assert done.stdout == direct.stdout


def test_a_pipe_ends_when_the_job_closes_it_not_when_the_launcher_ends(place):
    read_end, write_end = os.pipe()
    running = place.start(
        "--", "sh", "-c", f"exec {write_end}>&- ; sleep 60", pass_fds=(write_end,)
    )
    os.close(write_end)
    assert os.read(read_end, 1) == b""
    os.close(read_end)
    assert running.poll() is None
    running.terminate()
    running.communicate()


def test_output_ends_when_the_job_closes_it(place):
    running = place.start("--", "sh", "-c", "echo x; exec >&- 2>&-; sleep 60")
    assert running.stdout.read() == b"x\n"
    assert running.poll() is None
    running.terminate()
    running.communicate()


def test_closed_standard_descriptors_stay_closed_for_the_job(place):
    look = "import os, sys; sys.stdout.write(' '.join(sorted(os.listdir('/proc/self/fd'))))"
    job = [sys.executable, "-c", look]
    shell = ["sh", "-c", 'exec <&- 2>&-; exec "$@"', "sh"]
    direct = subprocess.run([*shell, *job], env=place.variables, capture_output=True)
    under = subprocess.run(
        [*shell, *place.command("--", *job)], env=place.variables, capture_output=True
    )
    assert under.stdout == direct.stdout
    assert direct.stdout


def test_the_environment_gains_three_variables_and_nothing_else(place):
    variables = {"LANG": None, "LC_ALL": None, "WEIRD": "a\nb", "METER_FAKE": ""}
    done = place.run("--", "env", "-0", variables=variables)
    given = {name for name in {**place.variables, **variables} if name != "LANG"} - {"LC_ALL"}
    got = {entry.split(b"=")[0].decode() for entry in done.stdout.split(b"\0") if entry}
    assert got - given == {"METER_RUN_ID", "METER_SOCKET", "METER_LAUNCHER_PID"}
    assert given - got == set()


def test_ignored_signals_stay_ignored_and_the_others_default(place):
    look = "import re; print(re.findall('Sig(?:Blk|Ign|Cgt).*', open('/proc/self/status').read()))"
    sh = ["sh", "-c", 'trap "" HUP QUIT; exec "$@"', "sh"]
    job = ["grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    assert look
    direct = subprocess.run([*sh, *job], capture_output=True, env=place.variables)
    under = subprocess.run(
        [*sh, *place.command("--quiet", "--", *job)], capture_output=True, env=place.variables
    )
    assert under.stdout == direct.stdout


def test_an_ignored_sigchld_of_the_caller_costs_no_exit_code(place):
    program = (
        "import signal, os, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = place.command("--", "sh", "-c", "exit 9")
    done = subprocess.run(
        [sys.executable, "-c", program, *command], env=place.variables, capture_output=True
    )
    assert done.returncode == 9


def test_a_daemon_of_the_job_does_not_hold_up_the_end(place):
    with open(os.devnull, "w") as null:
        done = place.run(
            "--",
            "sh",
            "-c",
            "setsid sleep 30 >/dev/null 2>&1 & echo $!",
            stdout=subprocess.PIPE,
            stderr=null,
            capture_output=False,
            timeout=20,
        )
    daemon = int(done.stdout)
    assert done.returncode == 0
    os.kill(daemon, 0)  # still there, as without us
    os.kill(daemon, signal.SIGKILL)


def test_the_summary_goes_to_stderr_and_the_document_to_its_file(place):
    done = place.run("--summary-json", "out.json", "--tag", "a=1", "--", "echo", "hi")
    assert done.stdout == b"hi\n"
    assert b"kWh" in done.stderr
    document = json.loads((place.folder / "out.json").read_text())
    assert document["schema"] == "meter.run/1"
    assert document["run"]["tags"] == {"a": "1"}
    assert sorted(path.name for path in place.folder.glob("out.json*")) == ["out.json"]


def test_quiet_says_nothing(place):
    assert place.run("--quiet", "--", "true").stderr == b""


def test_a_summary_file_that_cannot_be_written_is_said_and_changes_no_code(place):
    done = place.run("--summary-json", "/no/such/folder/x.json", "--", "sh", "-c", "exit 4")
    assert done.returncode == 4
    assert b"--summary-json /no/such/folder/x.json: No such file" in done.stderr


def test_a_summary_can_go_to_a_descriptor(place):
    done = place.run("--quiet", "--summary-json", "/dev/stdout", "--", "echo", "job")
    first, _, rest = done.stdout.partition(b"\n")
    assert first == b"job"
    assert json.loads(rest)["schema"] == "meter.run/1"


def test_linger_reaches_the_agent(place):
    assert place.run("--linger", "0.5", "--", "true").returncode == 0
    assert place.events("PATCH")[0]["body"]["linger_s"] == 0.5
    assert eventually(lambda: place.events("exit"))


def test_a_run_inside_a_run_is_counted_once(place):
    inner = place.command("--debug", "--name", "inner", "--", "sh", "-c", "exit 6")
    done = place.run("--name", "outer", "--", *inner)
    assert done.returncode == 6
    assert [event["body"]["name"] for event in place.events("POST")] == ["outer"]
    assert b"inside run" in done.stderr


def test_what_a_run_inside_a_run_does_not_write_is_said_in_one_line(place):
    asked = ["--quiet", "--summary-json", "in.json", "--textfile", str(place.folder / "in.prom")]
    done = place.run("--quiet", "--", *place.command(*asked, "--", "sh", "-c", "exit 6"))
    assert done.returncode == 6
    (line,) = done.stderr.splitlines()
    assert b"--summary-json is not written here, --textfile is not written here" in line
    assert not list(place.folder.glob("in.*"))


def test_variables_that_the_outer_launcher_follows_are_not_told_of_by_an_inner_one(place):
    variables = {"METER_TEXTFILE": str(place.folder / "out.prom")}
    inner = place.command("--", "sh", "-c", "exit 6")
    done = place.run("--quiet", "--", *inner, variables=variables)
    assert done.returncode == 6
    assert b"inside run" not in done.stderr


def test_a_launcher_that_has_ended_makes_no_run_nested(place):
    gone = {"METER_RUN_ID": "01OLD", "METER_LAUNCHER_PID": "999999999"}
    assert place.run("--", "true", variables=gone).returncode == 0
    assert place.events("POST")[0]["body"]["id"] != "01OLD"


def test_a_run_id_of_the_user_is_taken_and_a_broken_one_is_not(place):
    place.run("--", "true", variables={"METER_RUN_ID": "tune-7"})
    broken = place.run("--", "true", variables={"METER_RUN_ID": "a/b"})
    first, second = place.events("POST")
    assert (first["body"]["id"], first["body"]["origin"]) == ("tune-7", "METER_RUN_ID")
    assert second["body"]["origin"] == "generated"
    assert b"METER_RUN_ID" in broken.stderr
