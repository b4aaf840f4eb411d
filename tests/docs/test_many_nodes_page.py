"""The page on runs of many nodes: its commands run, its notices are the code's."""

from __future__ import annotations

import glob
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import promql_parser

from meter.several_nodes_told import OWN_CODES
from tests.cli.places import Place
from tests.several_nodes import of_node

if TYPE_CHECKING:
    import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "many-nodes.md").read_text()


def test_each_command_of_the_page_writes_the_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for node in "ab":
        Path(f"part-{node}.json").write_text(json.dumps(of_node(node)))
    commands = re.findall(r"^\$ meter (.+)$", PAGE, re.MULTILINE)
    for command in commands:
        words = [found for word in command.split() for found in sorted(glob.glob(word)) or [word]]
        assert Place(tmp_path).call(*words) == 0, command
    assert len(commands) == 2
    assert json.loads(Path("run.json").read_text())["run"]["nodes"] == ["a", "b"]
    assert "nodes_summed" in Path("run.html").read_text()


def test_notices_of_the_page_are_those_of_the_code() -> None:
    assert set(re.findall(r"^\| `(nodes_\w+)` \|", PAGE, re.MULTILINE)) == OWN_CODES


def test_expressions_of_the_page_are_promql() -> None:
    asked = re.findall(r"^sum by .+$", PAGE, re.MULTILINE)
    assert len(asked) == 2
    for expression in asked:
        promql_parser.parse(expression)
