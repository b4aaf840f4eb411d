"""Writes the run document where ``--summary-json`` says."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

_NAMED = {"/dev/stdout": 1, "/dev/stderr": 2}


class SummaryFile:
    """The place for the document; a descriptor named as /dev/fd/N is kept from the start."""

    __slots__ = ("_path", "fd")

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self.fd = _descriptor_in(path)

    def clear(self) -> None:
        """Remove a former run's document: it must not be taken for this one's."""
        if self.fd is None and not _is_special(self._path):
            with suppress(OSError):  # none there, or it will be told when ours is written
                os.unlink(os.path.realpath(self._path))

    def write(self, document: dict[str, Any]) -> None:
        """Write the document: a file whole or not at all. Raises OSError."""
        import json  # here, because the job's start waits for what stands above

        data = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
        if self.fd is not None:
            _write_all(self.fd, data)
        elif _is_special(self._path):
            with open(self._path, "wb") as file:
                file.write(data)
        else:
            self._replace(data)

    def _replace(self, data: bytes) -> None:
        path = os.path.realpath(self._path)
        draft = f"{path}.{os.getpid()}.tmp"
        try:
            with open(draft, "xb") as file:
                file.write(data)
            os.replace(draft, path)
        except OSError:
            if os.path.exists(draft):
                os.unlink(draft)
            raise


def _descriptor_in(path: str) -> int | None:
    number = _NAMED.get(path)
    if number is None and path.startswith("/dev/fd/") and path[8:].isdigit():
        number = int(path[8:])
    if number is None:
        return None
    try:
        return os.dup(number)
    except OSError:
        return None  # not open: the write will say so


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
