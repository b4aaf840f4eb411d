"""The thermal design power of a CPU, from the list that codecarbon brings."""

from __future__ import annotations

import csv
import importlib.util
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MARKS = re.compile(r"\((?:r|tm|c)\)|®|™|@.*$|\b\d+-core\b|\b(?:cpu|processor)\b", re.IGNORECASE)


def list_path() -> Path | None:
    """Codecarbon's CPU list, found without importing the package; None if it is not there."""
    spec = importlib.util.find_spec("codecarbon")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        file = Path(folder) / "data" / "hardware" / "cpu_power.csv"
        if file.is_file():
            return file
    return None


def read_list(file: Path) -> dict[str, float]:
    """TDP in W by name; rows whose TDP is no number are left out."""
    found: dict[str, float] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            with suppress(ValueError):  # the list has a few such rows
                found[row["Name"]] = float(row["TDP"])
    return found


def tdp_watts(model: str, listed: Mapping[str, float]) -> tuple[str, float] | None:
    """The listed CPU that a model name of /proc/cpuinfo means, with its TDP in W.

    All words of the listed name must be in the model name, among them one with a digit; the
    longest such name wins. None for a CPU that is not listed.
    """
    words = frozenset(_words(model))
    fits = partial(_fits, words)
    found: Iterable[str] = (name for name in listed if fits(_words(name)))
    best = max(found, key=lambda name: (len(_words(name)), len(name)), default=None)
    return None if best is None else (best, listed[best])


def _words(name: str) -> tuple[str, ...]:
    return tuple(MARKS.sub(" ", name).lower().split())


def _fits(model: frozenset[str], words: tuple[str, ...]) -> bool:
    if len(words) < 2:  # a bare number means nothing
        return False
    return any(any(map(str.isdigit, word)) for word in words) and model.issuperset(words)
