"""The writing end of the pipe to the agent; never blocks, drops whole frames when it is full."""

from __future__ import annotations

import os
import stat
from collections import deque

MAX_BACKLOG_BYTES = 1 << 20


class PipeClosedError(Exception):
    """Nobody reads any more: the agent is gone."""


class Pipe:
    """Sends frames in order; what cannot be written at once waits, up to 1 MiB."""

    def __init__(self, fd: int, *, max_backlog_bytes: int = MAX_BACKLOG_BYTES) -> None:
        self._fd = fd
        self._max_backlog_bytes = max_backlog_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.dropped = 0
        """Frames dropped so far."""
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.set_blocking(fd, False)

    def send(self, frame: bytes) -> None:
        """Send a frame, or keep it for later; PipeClosedError when the reader is gone."""
        if self._waiting_bytes + len(frame) > self._max_backlog_bytes:
            self.dropped += 1
        else:
            self._waiting.append(frame)
            self._waiting_bytes += len(frame)
        self._write()

    def _write(self) -> None:
        while self._waiting:
            head = self._waiting.popleft()
            try:
                written = os.write(self._fd, head)
            except BlockingIOError:
                written = 0
            except BrokenPipeError as error:
                raise PipeClosedError from error
            self._waiting_bytes -= written
            if written < len(head):
                self._waiting.appendleft(head[written:])
                return
