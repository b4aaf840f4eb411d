"""Callbacks without their libraries: what they mark is heard, and base classes are stand-ins."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from meter import mark, marks  # meter's own `mark` is loaded before it is replaced
from meter.marks import sender

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Base:
    """In place of a library's callback: it has no hook of its own."""


@contextmanager
def imported(monkeypatch: pytest.MonkeyPatch, module: str, **classes: type) -> Iterator[ModuleType]:
    """A module of ours, imported anew where libraries have these classes (``a.b``: ``a__b``)."""
    for name in ("transformers", "lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)  # imports of it fail
    for path, base in classes.items():
        name, _, attribute = path.replace("__", ".").rpartition(".")
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            made = ModuleType(".".join(parts[:end]))
            made.__path__ = []
            monkeypatch.setitem(sys.modules, made.__name__, made)
        setattr(sys.modules[name], attribute, base)
    monkeypatch.delitem(sys.modules, module, raising=False)
    try:
        yield importlib.import_module(module)
    finally:
        sys.modules.pop(module, None)


def heard(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is marked from now on; the phase that runs is the last one."""
    told: list[dict[str, Any]] = []

    def phase() -> str:
        return next((one["phase"] for one in reversed(told) if "phase" in one), "")

    assert marks.mark is mark
    monkeypatch.setattr(marks, "mark", lambda **what: told.append(what))
    monkeypatch.setattr(sender, "phase", phase)
    return told
