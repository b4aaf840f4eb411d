"""docs/stand-in.md: its examples run, and it leaves nothing out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from standin import build
from standin.models import PRESETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/stand-in.md").read_text()
SOURCES = ROOT / "standin/src"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(arguments, folder, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "program", [block for block in blocks("python") if "from standin" in block]
)
def test_the_python_examples_run(program, tmp_path):
    done = run(["-c", program], tmp_path)
    assert done.stderr == ""
    if "print" in program:
        assert done.stdout.split() == ["2120000.0"]


def test_the_session_shows_what_it_says(tmp_path):
    (tmp_path / "gpus.txt").write_text(blocks("text")[0])
    program = next(block for block in blocks("python") if "time.sleep" in block)
    # A manual clock that the program itself moves on stands for the seconds that it would sleep.
    hastened = program.replace("time.sleep(1)", "clock.advance(10**9)")
    hastened = f"from standin.clock import ManualClock\nclock = ManualClock('clock')\n{hastened}"
    (tmp_path / "clock").write_bytes(bytes(8))
    command = ["-m", "standin", "run", "gpus.txt", "--", sys.executable, "-c", hastened]
    done = run(command, tmp_path, METER_STANDIN_CLOCK="clock", METER_STANDIN_ANCHOR="0")
    shown = re.search(r"-- python watch.py\n(.*?)```", PAGE, re.DOTALL)
    assert done.stdout == shown[1]


def test_every_fault_shape_and_line_is_described():
    faults = re.findall(
        r'^    {"(\w+)", FAULT', (SOURCES / "script_fault.c").read_text(), re.MULTILINE
    )
    shapes = re.findall(r'strcmp\(shape, "(\w+)"\)', (SOURCES / "script_shape.c").read_text())
    lines = re.findall(r'strcmp\(keyword, "(\w+)"\)', (SOURCES / "script.c").read_text())
    assert len(faults) == 20
    assert len(shapes) == 7
    assert len(lines) > 20
    for word in [*faults, *shapes, *lines, *PRESETS]:
        assert re.search(rf"`{word}\b|\b{word}\b.*`", PAGE), word


def test_every_group_of_calls_is_described():
    groups = set()
    for source in SOURCES.glob("nvml_*.c"):
        text = source.read_text()
        groups |= set(re.findall(r'BEGIN(?:_DEVICE)?\("(\w+)"', text))
        groups |= set(re.findall(r'GET_UNSIGNED\(\w+, "(\w+)"', text))
    assert {"energy", "power", "init"} <= groups
    for group in groups:
        assert re.search(rf"\b{group}\b", PAGE), group


def test_every_variable_is_described():
    sources = "".join(path.read_text() for path in SOURCES.glob("*.c"))
    for name in set(re.findall(r"METER_STANDIN_\w+", sources)):
        assert f"`{name}`" in PAGE


def test_the_presets_can_be_printed(tmp_path):
    done = run(["-m", "standin", "presets"], tmp_path)
    assert [line[2:] for line in done.stdout.splitlines() if line.startswith("# ")] == [*PRESETS]


def test_the_library_can_be_built_without_running_anything(tmp_path):
    done = run(["-m", "standin", "build", "here"], tmp_path)
    path = tmp_path / done.stdout.strip()
    assert path.name == build.SONAME
    assert path.stat().st_size > 10_000
