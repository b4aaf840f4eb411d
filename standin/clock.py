"""A clock that a test moves: eight bytes in a file, mapped by every process that uses it."""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path


def boottime_ns() -> int:
    """CLOCK_BOOTTIME, the stand-in's real clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class ManualClock:
    """The manual clock in ``path``, made with ``start_ns`` if it is not there; values are in ns."""

    def __init__(self, path: Path | str, start_ns: int = 0) -> None:
        self.path = Path(path)
        if not self.path.exists():
            self.path.write_bytes(struct.pack("=q", start_ns))
        descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._page = mmap.mmap(descriptor, 8)
        finally:
            os.close(descriptor)

    def now_ns(self) -> int:
        """What the clock shows."""
        value: int = struct.unpack("=q", self._page[:8])[0]
        return value

    def set(self, at_ns: int) -> None:
        """Sets it."""
        self._page[:8] = struct.pack("=q", at_ns)

    def advance(self, by_ns: int) -> int:
        """Moves it on and tells the new instant."""
        self.set(self.now_ns() + by_ns)
        return self.now_ns()

    def close(self) -> None:
        """Unmaps the file; the file stays."""
        self._page.close()
