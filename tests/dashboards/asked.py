"""Dashboards and rules as they are committed: their expressions, ready to be parsed or asked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "grafana"
BOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
RULES = (FOLDER / "rules" / "recording.yml", FOLDER / "rules" / "alerts.yml")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([a-z_]\w*))")  # $1 is a group of label_replace
PLACED = {"__rate_interval": "1m", "__range": "1h", "__interval": "15s"}


@dataclass(frozen=True)
class Asked:
    """An expression, and where it stands."""

    where: str
    expression: str
    panel: str = ""

    def placed(self, **values: str) -> str:
        """With the variables replaced; those that are not given by anything."""
        known = {**PLACED, **values}
        return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], ".+"), self.expression)


def read(board: Path) -> dict[str, Any]:
    return json.loads(board.read_text())


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(path: Path) -> Iterator[Asked]:
    for panel in panels(read(path)):
        for target in panel["targets"]:
            where = f"{path.stem}: {panel['title']} {target['refId']}"
            yield Asked(where, target["expr"], panel["title"])


def notes(path: Path) -> Iterator[Asked]:
    for note in read(path)["annotations"]["list"]:
        yield Asked(f"{path.stem}: annotation {note['name']}", note["expr"])


def rules() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def ruled() -> Iterator[Asked]:
    for rule in rules():
        yield Asked(f"rule {rule.get('alert') or rule['record']}", rule["expr"])


def questions() -> list[Asked]:
    """Everything that is asked anywhere."""
    boards = [asked for path in BOARDS for asked in (*targets(path), *notes(path))]
    return [*boards, *ruled()]
