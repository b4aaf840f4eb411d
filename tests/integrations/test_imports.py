"""Meter itself imports none of the libraries that it has hooks for."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "lightning", "pytorch_lightning", "codecarbon")


@pytest.mark.parametrize("module", ["meter", "meter.marks", "meter.integrations", "meter.cli.app"])
def test_none_of_the_libraries_is_imported(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
