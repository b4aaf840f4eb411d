"""The script language: what is wrong is told by line, and a new script takes over at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from standin.scenario import Constant, Gpu

ROOT = Path(__file__).parents[2]


def start_code(client):
    return client.code("nvmlInit")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("name x", "1: 'name' is unknown, or belongs after a gpu line"),
        ("gpu\n nonsense 7", "2: 'nonsense' is unknown"),
        ("gpu\n power constant level=300", "2: '300' lacks a unit of power"),
        ("gpu\n power constant level=many", "2: 'many' is not a power"),
        ("gpu\n power triangle level=3W", "2: 'triangle' is no shape"),
        ("gpu\n power square low=1W high=2W", "2: needs a period above zero"),
        ("gpu\n power spikes height=1W width=2s period=1s", "2: the width does not fit"),
        ("gpu\n power steps loop", "2: needs steps such as"),
        ("gpu\n power constant level=3W colour=red", "2: 'colour=red' means nothing in 'power'"),
        ("gpu\n preset H900", "2: 'H900' is no preset"),
        ("gpu\n fault explode", "2: 'explode' is no fault"),
        ("gpu\n fault fail from=1s", "2: needs code="),
        ("gpu\n fault fail code=NONE", "2: 'NONE' is no NVML error"),
        ("gpu\n fault order value=1,0", "2: 'order' belongs to the node"),
        ("gpu\n fault init", "2: 'init' belongs to the node"),
        ("fault stuck from=1s", "1: 'stuck' belongs to a GPU"),
        ("gpu\n fault reset", "2: 'reset' needs from="),
        ('gpu\n name "half', "2: a quote is not closed"),
        ("gpu\n sensor smell", "2: a sensor is power, instant, average or module"),
        ("gpu\n counter mode=guess", "2: mode is exact or sampled"),
        ("gpu\n process sm=3", "2: needs pid="),
        ("clock manual", "1: a manual clock needs file="),
        ("clock manual file=/none/here", "manual clock /none/here: No such file"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(lines, complaint, library, tmp_path):
    script = tmp_path / "wrong.txt"
    script.write_text(lines + "\n")
    program = (
        "import pynvml\n"
        "try: pynvml.nvmlInit()\n"
        "except pynvml.NVMLError as error: print(error.value)\n"
    )
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        "METER_STANDIN_SCRIPT": str(script),
    }
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "9\n"
    assert complaint in done.stderr


def test_without_a_script_there_is_no_driver(node):
    client = node(Gpu(power=Constant(1))).client(METER_STANDIN_SCRIPT="/none/here")
    assert start_code(client) == 9


def test_a_new_script_takes_over_and_handles_go_on(node):
    here = node(Gpu(power=Constant(100)))
    client = here.client().start()
    assert client.power() == 100_000
    replace(here.scenario, gpus=[Gpu(power=Constant(250)), Gpu(power=Constant(1))]).write(
        here.folder
    )
    assert client.power() == 250_000
    assert client.ask("nvmlDeviceGetCount") == 2


def test_a_broken_script_leaves_the_one_before_in_force(node):
    here = node(Gpu(power=Constant(100)))
    client = here.client().start()
    here.script.write_text("rubbish\n")
    assert client.power() == 100_000
    here.scenario.write(here.folder)
    assert client.power() == 100_000


def test_threads_may_call_while_scripts_change(node):
    here = node(*[Gpu(power=Constant(100))] * 4)
    program = (
        "import threading, pynvml as n\n"
        "n.nvmlInit()\n"
        "handles = [n.nvmlDeviceGetHandleByIndex(i) for i in range(4)]\n"
        "wrong = []\n"
        "def look(handle):\n"
        "    for _ in range(1500):\n"
        "        power = n.nvmlDeviceGetPowerUsage(handle)\n"
        "        if power not in (100_000, 200_000): wrong.append(power)\n"
        "threads = [threading.Thread(target=look, args=(h,)) for h in handles]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print(wrong)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **here.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )
    turn = 0
    while process.poll() is None:
        turn += 1
        gpus = [Gpu(power=Constant(100 + turn % 2 * 100))] * 4
        replace(here.scenario, gpus=gpus).write(here.folder)
    assert process.communicate()[0] == "[]\n"
    assert process.returncode == 0


def test_a_program_runs_on_a_script_with_one_command(tmp_path):
    script = tmp_path / "gpus.txt"
    script.write_text("gpu 0\n  preset A100\n  power constant level=123W  # idle\n")
    program = (
        "import pynvml as n; n.nvmlInit(); h = n.nvmlDeviceGetHandleByIndex(0);"
        "print(n.nvmlDeviceGetName(h), n.nvmlDeviceGetPowerUsage(h))"
    )
    counts = tmp_path / "calls.jsonl"
    command = [sys.executable, "-m", "standin", "run", "--calls", str(counts), str(script), "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout == "NVIDIA A100-SXM4-80GB 123000\n"
    assert "nvmlDeviceGetPowerUsage" in counts.read_text()


def test_the_command_says_what_is_missing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "standin", "run", str(tmp_path / "none"), "--", "true"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "none is not there" in done.stderr
