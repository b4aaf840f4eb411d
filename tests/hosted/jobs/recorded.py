"""Jobs as providers tell them, written from the documented fields."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from meter.hosted.jobs.registry import providers

SHAPES = Path(__file__).parent / "shapes"
DAY_US = 1_767_225_600_000_000
"""2026-01-01, when all recorded jobs were created."""
SEEN_US = DAY_US + 30 * 86_400_000_000
S = 1_000_000
KINDS = ("checkpoints", "events", "deployment")


def raw(name: str) -> Any:
    """A recorded answer as it is parsed."""
    return json.loads((SHAPES / f"{name}.json").read_text(), parse_float=Decimal)


def job(name: str, **changed: Any) -> Any:
    """A recorded job as its provider reads it, with fields changed."""
    return providers()[name.split("_", maxsplit=1)[0]].job({**raw(name), **changed}, SEEN_US)


def job_names() -> list[str]:
    """The recorded jobs, without lists that belong to them."""
    names = (path.stem for path in sorted(SHAPES.glob("*.json")))
    return [name for name in names if name.split("_")[1] not in KINDS]
