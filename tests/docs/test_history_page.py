"""The page about history: its commands run, and say what it tells."""

from __future__ import annotations

import os
import subprocess
import sysconfig

from history.day import make
from meter.cli.app import app
from tests.docs.test_readme import blocks

PAGE = "docs/history.md"


def test_the_commands_of_the_page_make_blocks(tmp_path, require_tool) -> None:
    promtool = require_tool("promtool")
    make(tmp_path / "ledger.duckdb")
    environment = {
        "PATH": os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])),
        "HOME": str(tmp_path),
        "METER_HOME": str(tmp_path),
        "METER_SOCKET": str(tmp_path / "socket"),
    }
    [block] = [block for block in blocks(PAGE) if block.info == "sh"]
    done = subprocess.run(
        ["bash", "-ec", block.body], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [promtool, "tsdb", "list", tmp_path / "data"], capture_output=True, text=True
    )
    assert len(listed.stdout.splitlines()) > 10


def test_every_option_is_on_the_page() -> None:
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    export = app.get_command(None, "export").commands["openmetrics"]
    for option in export.params:
        if option.name not in {"target", "socket", "debug"}:
            assert f"`{option.opts[0]}`" in text, option.opts
