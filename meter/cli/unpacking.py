"""A gzip unpacked line by line, for as long as something comes of it."""

from __future__ import annotations

import gzip
from typing import IO

from meter.errors import LimitError

VAIN_BYTES = 64 << 20
"""So much may be unpacked in vain, whatever the size of the file."""
_VAIN_RATIO = 20  # and so many times what was read of the file, since faults of a file are told
_LINE_BYTES = 64  # that the look at a line costs beside its length


class Unpacked:
    """A gzip's lines. Whoever reads tells which were of no use; a file of those is given up.

    Lines of use are free, however well they are packed: a million events of one shape go into
    a thirtieth of their size. Not so a line that repeats the one before.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._packed = _Counted(file)
        self._file = gzip.GzipFile(fileobj=self._packed)  # type: ignore[call-overload]
        self._vain = 0
        self._last, self._repeats = b"", False

    def readline(self, most: int) -> bytes:
        """The next line, or as much of it. Raises LimitError where too much was of no use."""
        line: bytes = self._file.readline(most)
        weight = len(line) + _LINE_BYTES
        self._vain += weight
        if self._vain > VAIN_BYTES + _VAIN_RATIO * self._packed.count:
            raise LimitError(
                f"the gzip unpacks to {VAIN_BYTES >> 20} MiB and more of empty, wrong or repeated"
                " lines: it is read no further",
                "is it a file of usage? pack only that",
            )
        self._repeats = line == self._last
        self._last = line
        return line

    def used(self, size: int) -> None:
        """The line just read, of so many bytes, seems of use; not where it repeats another."""
        if not self._repeats:
            self._vain -= size + _LINE_BYTES

    def vain(self, size: int) -> None:
        """A line of so many bytes seemed of use and was of none."""
        self._vain += size + _LINE_BYTES


class _Counted:
    """A file of which is counted how much was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """As much as the file gives."""
        piece = self._file.read(size)
        self.count += len(piece)
        return piece
