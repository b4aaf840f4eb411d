"""Tells a signal sent to us alone from one that the whole process group got.

``timeout``, ``kill %1``, Slurm and systemd signal every process; the kernel does not say so.
A silent process beside the job gets what the group gets: what it saw too, the job has already.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import time

from meter.launch.kernel import die_with_parent

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import Any, NoReturn

_REPORT = struct.Struct("iiq")
_SAME_NS = 50_000_000
_PARENT_LOOKED_AT_S = 30.0


class Witness:
    """The process beside the job, as the launcher sees it."""

    __slots__ = ("_fd", "_reports", "pid")

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self._reports: list[tuple[int, int, int]] = []

    def saw(self, number: int, sender: int, wait_ms: int) -> bool:
        """Whether the group got this signal from this sender just now.

        Late or missing reports make this False: a signal twice is better than a signal lost.
        """
        deadline = time.monotonic_ns() + wait_ms * 1_000_000
        while True:
            self._read()
            oldest = time.monotonic_ns() - _SAME_NS
            self._reports = [report for report in self._reports if report[2] >= oldest]
            for report in self._reports:
                if report[:2] == (number, sender):
                    self._reports.remove(report)
                    return True
            left_ms = (deadline - time.monotonic_ns()) // 1_000_000
            if left_ms <= 0 or not _readable(self._fd, left_ms):
                return False

    def end(self) -> None:
        """Have the process end; it is reaped by whoever waits for our children."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _read(self) -> None:
        while _readable(self._fd, 0):
            told = os.read(self._fd, _REPORT.size)  # written whole: shorter than PIPE_BUF
            if len(told) < _REPORT.size:
                return
            self._reports.append(_REPORT.unpack(told))


def start(watched: AbstractSet[int], call: Any) -> Witness | None:
    """Start the witness; None where no process can be made. All signals must be blocked."""
    launcher = os.getpid()
    hears, tells = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(hears)
        os.close(tells)
        return None
    if pid == 0:
        _watch(watched, tells, launcher, call)
    os.close(tells)
    return Witness(pid, hears)


def _watch(watched: AbstractSet[int], tells: int, launcher: int, call: Any) -> NoReturn:
    try:
        die_with_parent(call, signal.SIGKILL)
        os.dup2(tells, 3)
        os.closerange(4, 64)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        while os.getppid() == launcher:
            info = signal.sigtimedwait(watched, _PARENT_LOOKED_AT_S)
            if info is not None and info.si_code <= 0:
                at_ns = time.monotonic_ns()
                os.write(3, _REPORT.pack(info.si_signo, info.si_pid, at_ns))
    finally:
        os._exit(0)


def _readable(fd: int, wait_ms: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    ready = poll.poll(wait_ms)
    return bool(ready) and bool(ready[0][1] & select.POLLIN)
