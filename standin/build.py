"""Compiles the stand-in, once per content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from standin.models import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterable

SONAME = "libnvidia-ml.so.1"
SOURCES = Path(__file__).parent / "src"
FLAGS = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fPIC",
    "-fvisibility=hidden",
)


class BuildError(Exception):
    """The library could not be compiled; the text is the compiler's."""


def library(folder: Path | str, *, without: Iterable[str] = (), compiler: str = "gcc") -> Path:
    """Path of ``libnvidia-ml.so.1`` below ``folder``, compiled unless it is there already.

    ``without`` names functions that the library shall not have, as an older driver would not.
    Several processes may ask at once. Raises BuildError.
    """
    missing = tuple(sorted(set(without)))
    home = Path(folder) / f"nvml-{_digest(missing)}"
    target = home / SONAME
    if target.exists():
        return target
    home.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home))
    try:
        _compile(scratch, missing, compiler).replace(target)
    finally:
        shutil.rmtree(scratch)
    return target


def default_folder() -> Path:
    """Where libraries are kept when nobody names a folder: a temporary one, of this user alone.

    Raises BuildError if somebody else made it: a library from there would run as this user.
    """
    folder = Path(tempfile.gettempdir()) / f"nvml-standin-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise BuildError(f"{folder} belongs to somebody else; remove it or set TMPDIR")
    return folder


def _sources() -> list[Path]:
    return sorted(SOURCES.glob("*.[ch]"))


def _digest(missing: tuple[str, ...]) -> str:
    digest = hashlib.sha256(repr((FLAGS, missing, _presets())).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _presets() -> str:
    rows = []
    for name, model in PRESETS.items():
        lines = "".join(_quoted(f"{line}\n") for line in model.lines())
        rows.append(f"    {{{_quoted(name)}, {lines}}},\n")
    return (
        "static const struct { const char *name; char lines[2048]; } PRESETS[] = {\n"
        f"{''.join(rows)}    {{0}},\n}};\n"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _compile(scratch: Path, missing: tuple[str, ...], compiler: str) -> Path:
    (scratch / "presets.h").write_text(_presets())
    hidden = "".join(f" {name};" for name in missing)
    exports = scratch / "exports.map"
    exports.write_text(f"{{ global: nvml*; local:{hidden} *; }};\n")
    output = scratch / SONAME
    units = [str(path) for path in _sources() if path.suffix == ".c"]
    link = [
        "-shared",
        f"-Wl,-soname,{SONAME}",
        f"-Wl,--version-script={exports}",
        "-o",
        str(output),
    ]
    command = [compiler, *FLAGS, f"-I{scratch}", *units, *link, "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BuildError(f"{compiler} is not installed") from error
    if done.returncode:
        raise BuildError(done.stderr)
    return output
