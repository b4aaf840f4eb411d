"""The page about the books: each file in it is imported, each output is what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path

from meter.factors.factor_rows import Known, factors_of_rows
from meter.factors.rows import Row
from meter.factors.units import QUANTITIES
from meter.model import FactorKind
from tests.docs.test_readme import Block, blocks, commands, fits

PAGE = "docs/books.md"
DATA = {"csv", "yaml", "json"}
EXIT = {"console session": 0, "console refused": 1}
SHORT_ID = re.compile(r"\b[0-9a-f]{12}\b")


def run(block: Block, folder) -> None:
    """Commands with what they print, in a home of their own; ids differ each time."""
    environment = {
        "PATH": os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "METER_SOCKET": str(folder / "socket"),
    }
    for command, shown in commands(block.body):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, text=True, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == EXIT[block.info], done.stdout
        assert fits(SHORT_ID.sub("ID", shown), SHORT_ID.sub("ID", done.stdout)), done.stdout


def test_every_kind_has_its_units_and_an_example_that_is_taken():
    lines = [line.split(" | ") for line in Path(PAGE).read_text().splitlines()]
    found = {cells[0].strip("| `"): cells for cells in lines if len(cells) == 5}
    known = Known(frozenset({"default"}), 0, 1_795_000_000_000_000)
    for kind in FactorKind:
        cells = found[kind.value]
        units = found["grid_intensity"][2] if cells[2] == "as above" else cells[2]
        assert {f"`{unit}`" for unit in QUANTITIES[kind].units if unit} <= set(
            re.findall(r"`[^`]+`", units)
        )
        names = ("kind", "scope", "item", "value", "unit", "currency")
        row = dict(zip(names, cells[4].strip("` |").split(","), strict=True))
        row |= {"source": "page", "source_date": "2026", "licence": "own data"}
        (taken,) = factors_of_rows([Row({n: v for n, v in row.items() if v})], known)
        assert taken.kind is kind


def test_every_file_of_the_page_is_imported_as_it_is_shown(tmp_path):
    waiting = set()
    for block in blocks(PAGE):
        kind, _, name = block.info.partition(" ")
        if kind in DATA:
            (tmp_path / name).write_text(block.body)
            waiting.add(name)
        else:
            run(block, tmp_path)
            waiting -= {word for command, _ in commands(block.body) for word in command.split()}
    assert waiting == set()
