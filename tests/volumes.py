"""Small file systems of their own, for tests of full and read-only disks."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def volume(folder: Path, size: str) -> Iterator[Path]:
    """A real file system of a size in a folder; needs root."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        unavailable("a small file system needs root and mount")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "meter-test", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        unavailable(f"cannot mount a tmpfs here ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def unavailable(reason: str) -> None:
    """Skip; with CI=true, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def remount(folder: Path, options: str) -> None:
    """Change the size of a volume, or make it read-only."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write a file until nothing more goes in."""
    free = True
    with path.open("wb", buffering=0) as file:
        while free:
            try:
                free = file.write(b"x" * 4096) == 4096
            except OSError:
                free = False
