"""What commands write: JSON, plain tables of 80 columns, files that are never half there."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from meter.errors import ReportError
from meter.figures import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_GAP = "  "
_QUIET_S, _AGAIN_S = 2.0, 0.2
_LEAST = 12  # columns that a wrapped cell keeps


def width() -> int:
    """Columns of the terminal, 80 where there is none, at most 120."""
    return max(40, min(120, shutil.get_terminal_size((80, 24)).columns))


def print_json(value: object) -> None:
    """JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False))


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    wrap: int | Sequence[int] | None = None,
    columns: int | None = None,
    least: int = _LEAST,
) -> str:
    """A plain table; the columns ``wrap`` take the room that is left, the rest is as it is.

    Of several columns the first ones give way first, each down to a least width; those after the
    first down to ``least``.
    """
    wraps = () if wrap is None else (wrap,) if isinstance(wrap, int) else tuple(wrap)
    columns = columns or width()
    clean = [[printable(cell, 500) for cell in row] for row in rows]
    sizes = [max(len(row[i]) for row in [list(heads), *clean]) for i in range(len(heads))]
    for column in wraps:
        others = sum(sizes) - sizes[column] + len(_GAP) * (len(heads) - 1)
        floor = _LEAST if column == wraps[0] else min(least, sizes[column])
        sizes[column] = max(floor, min(sizes[column], columns - others))
    lines = [_row(heads, sizes, right), _GAP.join("-" * size for size in sizes)]
    for row in clean:
        cells = [_wrapped(cell, sizes[i]) if i in wraps else [cell] for i, cell in enumerate(row)]
        for level in range(max(map(len, cells))):
            parts = [cell[level] if level < len(cell) else "" for cell in cells]
            lines.append(_row(parts, sizes, right))
    return "\n".join(line.rstrip() for line in lines)


def wrapped(text: str, indent: str, *, hanging: str = "") -> list[str]:
    """Lines of a text that fit the terminal; later ones have ``hanging`` more in front."""
    return textwrap.wrap(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_on_hyphens=False,
    )


def _wrapped(cell: str, size: int) -> list[str]:
    return textwrap.wrap(cell, size, break_on_hyphens=False) or [""]


def _row(cells: Sequence[str], sizes: Sequence[int], right: Sequence[int]) -> str:
    padded = [
        cell.rjust(size) if index in right else cell.ljust(size)
        for index, (cell, size) in enumerate(zip(cells, sizes, strict=True))
    ]
    return _GAP.join(padded)


@contextmanager
def counting(
    what: str, share: Callable[[], float | None] = lambda: None
) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how many have been done, once it takes more than a moment.

    ``share`` is how much of the whole that is, None where the whole is not known.
    """
    began_s = shown_s = time.monotonic()
    shown = False

    def show(done: int) -> None:
        nonlocal shown_s, shown
        now_s = time.monotonic()
        if sys.stderr.isatty() and now_s - began_s >= _QUIET_S and now_s - shown_s >= _AGAIN_S:
            shown_s, shown = now_s, True
            part = share()
            of_all = "" if part is None else f", {min(1.0, part):4.0%}"
            click.echo(f"\r{done:,} {what}{of_all}", nl=False, err=True)

    try:
        yield show
    finally:
        if shown:
            click.echo("\r" + " " * (len(what) + 22) + "\r", nl=False, err=True)


def share_read(file: IO[bytes]) -> Callable[[], float | None]:
    """How much of a file was read, whoever reads it and however it is packed; None of a pipe."""

    def share() -> float | None:
        try:
            size = os.fstat(file.fileno()).st_size
            return os.lseek(file.fileno(), 0, os.SEEK_CUR) / size if size else None
        except OSError:
            return None

    return share


def write_file(path: Path, content: bytes) -> None:
    """Replace a file at once: readers see the old content or the new. Raises ReportError."""
    write_blocks(path, (content,))


def write_blocks(path: Path, blocks: Iterable[bytes]) -> None:
    """Like :func:`write_file`, with content that comes block by block."""
    folder = path.absolute().parent
    temporary: str | None = None
    try:
        if path.is_dir():
            raise ReportError(f"{path} is a folder", "name a file in it")
        fd, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=folder)
        with os.fdopen(fd, "wb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except (OSError, ValueError) as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        reason = getattr(error, "strerror", None) or str(error)
        raise ReportError(f"{path} cannot be written ({reason})", "name another place") from None


def require_folder(path: Path) -> None:
    """Raises ReportError where the folder of a file cannot take it."""
    folder = path.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise ReportError(f"{path} cannot be written", f"name another place than {folder}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
