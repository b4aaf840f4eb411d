"""Launchers that have asked whether their run would be taken, and have not begun it yet."""

from __future__ import annotations

import contextlib
import os

from meter.agent.launchers import readable


class Askers:
    """Processes by pidfd: once all have gone, nobody is to be expected any more."""

    def __init__(self) -> None:
        self._fds: dict[int, int] = {}
        self._asked = False

    @property
    def gone(self) -> bool:
        """Whether somebody asked, and all that did have ended."""
        return self._asked and not self._fds

    def add(self, pid: int | None) -> None:
        """Somebody asked; without a PID, or a pidfd for it, nobody can be watched."""
        if pid is None or pid in self._fds:
            return
        with contextlib.suppress(OSError):
            self._fds[pid] = os.pidfd_open(pid)
            self._asked = True

    def filenos(self) -> list[int]:
        """Descriptors that become readable when an asker ends."""
        return list(self._fds.values())

    def forget_ended(self) -> None:
        """Let go of those that have ended."""
        ended = readable(self._fds.values())
        for pid in [pid for pid, fd in self._fds.items() if fd in ended]:
            os.close(self._fds.pop(pid))

    def close(self) -> None:
        """Let go of all."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
