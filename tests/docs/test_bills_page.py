"""The page about bills: each file in it is imported, each output is what is printed."""

from __future__ import annotations

from pathlib import Path

from meter.cli import app
from meter.reconciliation import Reason
from tests.docs.test_books_page import run
from tests.docs.test_readme import blocks, commands

PAGE = "docs/bills.md"
DATA = {"csv", "yaml", "json"}


def test_every_file_of_the_page_is_imported_as_it_is_shown(tmp_path) -> None:
    waiting = set()
    for block in blocks(PAGE):
        kind, _, name = block.info.partition(" ")
        if kind in DATA:
            (tmp_path / name).write_text(block.body)
            waiting.add(name)
        elif kind == "console":
            run(block, tmp_path)
            waiting -= {word for command, _ in commands(block.body) for word in command.split()}
    assert waiting == set()


def test_every_reason_is_told() -> None:
    told = {line.split("`")[1] for line in Path(PAGE).read_text().splitlines() if "| `" in line}
    assert {reason.value for reason in Reason} <= told


def test_the_page_fits_the_terminal() -> None:
    for block in blocks(PAGE):
        if block.info == "console session":
            shown = [line for line in block.body.splitlines() if not line.startswith("$")]
            assert max(map(len, shown)) <= 80


def test_the_command_is_in_the_list() -> None:
    assert "bill" in app.COMMANDS
