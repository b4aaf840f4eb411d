"""Every code block of the pages that people read first does what it shows.

The first words after the fence say how a block is tested:

``console make``     each command is a target of the Makefile
``console session``  the commands run, in this order; what they print is what is shown, but for
                     numbers, ids, methods and line breaks; a line ``...`` stands for anything
``toml config``      the configuration is read without a complaint
``python``           the code runs
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md")
LATE = "meter: the job started before the first reading was taken\n"  # of a slow machine
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    info: str
    body: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text()
    return [
        Block(page, text[: found.start()].count("\n") + 1, found["info"].strip(), found["body"])
        for found in FENCE.finditer(text)
    ]


def commands(body: str) -> list[tuple[str, str]]:
    """Commands of a session with the output shown for each; a backslash continues a command."""
    parts = re.split(r"^\$ ", body.replace("\\\n", " "), flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def shape(text: str) -> str:
    """An output without spaces and without what differs from one run or machine to the next."""
    text = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{12}(?:[0-9A-HJKMNP-TV-Z]{14})?\b", "ID", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r":[0-9a-f]{12}\b", ":ID", text)
    text = re.sub(r"\d+(?:[.,:-]\d+)*(?:e[+-]?\d+)?", "0", text)
    text = re.sub(r"0\s+[kMmµ]?(J|Wh|g)\b", r"0 \1", text)
    text = re.sub(r"\b(measured|modelled|assumed)\b", "METHOD", text)
    return "".join(re.sub(r"-{2,}", "--", text).split())


def fits(shown: str, printed: str) -> bool:
    """Whether the output is the one shown but for its shape; ``...`` stands for anything."""
    parts = [re.escape(shape(part)) for part in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)]
    return re.fullmatch(".*".join(parts), shape(printed)) is not None


def make(block: Block, folder: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command, _ in commands(block.body):
        program, target = command.split("#")[0].split()[:2]
        assert program == "make"
        assert target in targets


def assert_session_shows(block: Block, folder: Path) -> None:
    shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)
    environment = {
        "PATH": os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "METER_SOCKET": str(folder / "socket"),
        "METER_LEASE_DIR": str(folder / "leases"),
        "METER_LISTEN": "127.0.0.1:0",
    }
    for command, shown in commands(block.body):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder, env=environment, text=True, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed = done.stdout.replace(str(folder), "~").replace(LATE, "")
        assert done.returncode == 0, printed
        assert fits(shown, printed), f"$ {command}\n{printed}"


def config(block: Block, folder: Path) -> None:
    file = folder / "config.toml"
    file.write_text(block.body)
    done = subprocess.run(
        [sys.executable, "-m", "meter", "doctor"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "METER_CONFIG": str(file)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "config.toml" not in done.stderr, done.stderr


def python(block: Block, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.body], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


HANDLERS: dict[str, Callable[[Block, Path], None]] = {
    "console make": make,
    "console session": assert_session_shows,
    "toml config": config,
    "python": python,
}

ALL = [block for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_code_block_does_what_it_shows(block: Block) -> None:
    assert block.info in HANDLERS, f"{block}: say after the fence how it is tested"
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:  # short: it is in what is printed
        HANDLERS[block.info](block, Path(folder))


def test_the_two_commands_stand_on_the_first_screen() -> None:
    screen = (ROOT / "README.md").read_text().splitlines()[:15]
    assert any(line.startswith("$ make demo") for line in screen)
    assert any(line.startswith("$ make test") for line in screen)


def test_outputs_fit_where_only_numbers_ids_and_line_breaks_differ() -> None:
    shown = "run 01M84VSQFNFAH77EEDDYZ3DJG2 at 2026-11-01 10:00\n  12.3 kWh\n...\nend\n"
    printed = (
        "run 01K9ABCDEFGHJKMNPQRSTVWXYZ at 2027-01-01 09:59\n  1,234.5\nkWh more\nand more end\n"
    )
    assert fits(shown, printed)
    assert not fits(shown, printed.replace("kWh", "hours"))
    assert not fits(shown, printed + "one line more\n")
