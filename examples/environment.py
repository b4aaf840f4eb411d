"""The environment that examples train in: made once, kept while its requirements stay."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-examples"
REQUIREMENTS = (
    ROOT / "examples" / "finetune_tiny" / "requirements.txt",
    ROOT / "tests" / "examples" / "requirements.txt",
)
INSTALL_S = 900


class NotMadeError(Exception):
    """It cannot be made, and why."""


def training_python(*, tell: bool = False) -> Path:
    """Its Python; makes it where it is not there yet, which takes minutes.

    Raises NotMadeError.
    """
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        return _made(tell=tell)


def _made(*, tell: bool) -> Path:
    python, stamp = FOLDER / "bin" / "python", FOLDER / ".installed"
    wanted = _digest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    if tell:
        print(
            "Installing torch and transformers into .venv-examples, once: about 1 GB.", flush=True
        )
    words = [str(word) for file in REQUIREMENTS for word in ("--requirement", file)]
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-compile"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(FOLDER)],
        [*pip, *([] if tell else ["--quiet"]), *words],
    ):
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, timeout=INSTALL_S)
        if done.returncode != 0:
            raise NotMadeError(done.stderr.decode(errors="replace")[-500:])
    stamp.write_text(wanted)
    return python


def _digest() -> str:
    made = hashlib.sha256(sys.version.encode())
    for file in REQUIREMENTS:
        made.update(file.read_bytes())
    return made.hexdigest()
