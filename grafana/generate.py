"""Writes grafana/dashboards/ from grafana/boards/; with --check only compares.

python -m grafana.generate [--check]
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana.boards.parts import Board

FOLDER = Path(__file__).parent / "dashboards"
NAMES = ("overview", "run", "fleet", "hosted", "carbon", "health")


def boards() -> dict[str, Board]:
    """Every dashboard by the name of its file."""
    return {name: import_module(f"grafana.boards.{name}").BOARD for name in NAMES}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or compare them; 1 where one differs or is nobody's."""
    texts = {FOLDER / f"{name}.json": board.json() for name, board in boards().items()}
    there = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    stale = sorted(p for p in texts.keys() | there.keys() if texts.get(p) != there.get(p))
    for path in stale:
        if "--check" in arguments:
            print(
                f"grafana/dashboards/{path.name} is not what grafana/boards says: run `make docs`",
                file=sys.stderr,
            )
        elif path in texts:
            path.write_text(texts[path], encoding="utf-8")
            print(f"wrote grafana/dashboards/{path.name}")
        else:
            path.unlink()
            print(f"removed grafana/dashboards/{path.name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
