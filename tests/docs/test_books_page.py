"""The page about the books: each file in it is imported, each output is what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig

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
