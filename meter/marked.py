"""Phases, epochs and steps of a document as a terminal shows them; pure, with light imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meter import figures

Document = Mapping[str, Any]

_MOST_PHASES = 5
_MOST_EPOCHS = 4
_NAME = 24


def phases(document: Document) -> str:
    """``train 12.3 Wh (83 %), eval 2.1 Wh (14 %)``; the smallest are counted only."""
    found = document.get("phases") or ()
    parts = [
        f"{figures.printable(one['phase'], _NAME)} {figures.figure(one['energy'])}"
        f" ({figures.percent(one['share'])})"
        for one in found[:_MOST_PHASES]
    ]
    return _listed(parts, len(found))


def epochs(document: Document) -> str:
    """``1: 3.21 Wh, 2: 3.05 Wh``; a part of one says so. Of many, the last ones."""
    found = document.get("epochs") or ()
    shown = [f"{epoch(one)}: {figures.figure(one['energy'])}" for one in found[-_MOST_EPOCHS:]]
    earlier = len(found) - len(shown)
    return ", ".join([*([f"{earlier} earlier"] if earlier else []), *shown])


def epoch(one: Mapping[str, Any]) -> str:
    """``2``, ``1.5`` of a part, ``1 of training 2`` where a process began anew."""
    done = str(figures.plain(one["to"]) if one["to"] < one["epoch"] else one["epoch"])
    training = one.get("training", 1)
    return f"{done} of training {training}" if training > 1 else done


def tail(document: Document) -> str:
    """What 95 % of the steps do not exceed."""
    steps = document.get("steps")
    if not steps:
        return ""
    most = {"value": steps["p95_j"], "unit": "J"}
    return f" (95 % up to {figures.figure(most)})"


def _listed(parts: list[str], count: int) -> str:
    left = count - len(parts)
    return ", ".join([*parts, *([f"{left} more"] if left else [])])
