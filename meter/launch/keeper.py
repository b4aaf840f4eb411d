"""Runs a link beside the job, in a thread that never sees a signal."""

from __future__ import annotations

import _thread
import os
import signal

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

    from meter.launch.link import Link


class Keeper:
    """The thread, its wake-up and its end; the low-level module saves an import at the start."""

    __slots__ = ("_ended", "_is_done", "_link", "_live", "_main", "_sleeps", "_started", "_wakes")

    def __init__(self, link: Link, *, live: bool) -> None:
        self._link = link
        self._live = live
        self._main = _thread.get_ident()
        self._sleeps, self._wakes = os.pipe()
        self._ended: dict[str, Any] = {}
        self._is_done = False
        self._started = False

    def start(self) -> None:
        """Start; all signals must be blocked. Without a thread, all is done at the end."""
        try:
            _thread.start_new_thread(self.run, ())
            self._started = True
        except RuntimeError:
            self._started = False

    def end(self, ended: dict[str, Any]) -> None:
        """The job has ended: settle, and send the thread that made this SIGCHLD when done."""
        self._ended = ended
        os.write(self._wakes, b".")
        if not self._started:
            self.run()

    def is_done(self) -> bool:
        """Whether the link has been settled, or has failed."""
        return self._is_done

    def run(self) -> None:
        """The thread's work."""
        try:
            self._link.keep(self._sleeps, lambda: self._ended, live=self._live)
        except Exception as error:  # noqa: BLE001  a thread has nobody to raise to
            self._link.failure = f"{type(error).__name__}: {error}"
        self._is_done = True
        if self._started:
            signal.pthread_kill(self._main, signal.SIGCHLD)
