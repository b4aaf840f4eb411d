"""Tells the agent what was marked: a queue, a thread in the background, batches that are numbered.

The caller only puts into a queue that is safe in signal handlers too. The thread is not one of
``threading``'s: nothing waits for it, when it begins or when the process ends.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import queue
import sys
import time
from threading import Event

from meter.errors import AgentError
from meter.ids import new_id
from meter.launch.client import request

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOST_WAITING = 10_000
"""Marks that wait for the agent; beyond, new ones are dropped."""
BATCH = 500
PAUSE_S = 0.2
"""How long marks are gathered before they are told."""
EXIT_S = 0.5
"""How long the end of a process waits for what was not told yet."""
ANSWER_S = 2.0
AGAIN_S = (0.5, 1.0, 2.0, 5.0)
"""Waits after each failure in a row; the last goes on."""

INVALID = "invalid"
FULL = "full"
ENDED = "ended"
REFUSED = "refused"
FAILED = "failed"

_NOTED, _CONFLICT, _UNPROCESSABLE = 202, 409, 422


def now_ns() -> int:
    """CLOCK_BOOTTIME, which does not stand still in suspend and is the same in every process."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Sender:
    """One process's marks of one run."""

    def __init__(self, socket_path: str, run_id: str, phase: str = "") -> None:
        self.dropped: dict[str, int] = {}
        self.phase = phase
        self._socket_path = socket_path
        self._path = f"/v1/runs/{run_id}/marks"
        self._source = new_id()
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._batch: list[dict[str, Any]] = []
        self._first = 0  # number of the batch's first mark
        self._told: dict[str, int] = {}  # of the drops, what the agent knows
        self._hurry = Event()
        self._asked: list[Event] = []  # by those who wait for all to be told
        self._failures = 0
        self._over = False
        self._runs = False

    # -- the caller's side --------------------------------------------------------------------

    def put(self, mark: dict[str, Any]) -> None:
        """Queue a mark, or count it as dropped."""
        if self._over:
            self.drop(ENDED)
        elif self._queue.qsize() >= MOST_WAITING:
            self.drop(FULL)
        else:
            self._queue.put(mark)
            self._begin()

    def drop(self, reason: str, count: int = 1) -> None:
        """Count marks that are not told."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def flush(self, timeout_s: float) -> bool:
        """Tell what waits, for at most so long; whether the agent has it."""
        unsaid = self.dropped != self._told and not self._over
        if not (self._runs or unsaid):
            return True
        done = Event()
        self._asked.append(done)
        self._queue.put(None)
        self._begin()
        self._hurry.set()
        in_time = done.wait(max(0.0, timeout_s))
        return in_time and not self._batch and self._queue.empty() and not self._over

    def _begin(self) -> None:
        if not self._runs:
            self._runs = True
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:  # no thread can be had now: the next mark tries again
                self._runs = False

    # -- the thread's side --------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            if not self._batch:
                first = self._queue.get()
                self._batch = [] if first is None else [first]
                if not self._asked and self._queue.qsize() < BATCH:
                    self._hurry.wait(PAUSE_S)
            self._gather()
            self._hurry.clear()
            asked = len(self._asked)
            taken = True
            if self._over:
                self._give_up(ENDED)
            elif self._batch or self.dropped != self._told:
                taken = self._tried()
            if not taken or self._queue.empty():
                for done in self._asked[:asked]:
                    done.set()
                del self._asked[:asked]
            if not taken:
                self._hurry.wait(AGAIN_S[min(self._failures, len(AGAIN_S)) - 1])

    def _gather(self) -> None:
        with contextlib.suppress(queue.Empty):
            while len(self._batch) < BATCH:
                mark = self._queue.get_nowait()
                if mark is not None:
                    self._batch.append(mark)

    def _tried(self) -> bool:
        """Send the batch once; whether it is done with."""
        try:
            taken = self._sent()
        except Exception:  # noqa: BLE001  no traceback of ours in the job's output
            self._give_up(FAILED)
            taken = True
        self._failures = 0 if taken else self._failures + 1
        return taken

    def _sent(self) -> bool:
        """Send the batch once; whether the agent has taken it, or never will."""
        told = dict(self.dropped)
        body = {
            "source": self._source, "first": self._first, "marks": self._batch, "dropped": told,
            "sent_ns": now_ns(),
        }  # fmt: skip
        try:
            status, answer = request(self._socket_path, "POST", self._path, body, ANSWER_S)
        except AgentError:
            return False
        if status == _NOTED:
            self._told = told
            self._forget(answer)
        elif status == _CONFLICT:
            self._over = True
        elif status == _UNPROCESSABLE:
            self._give_up(REFUSED)
            self._told = dict(self.dropped)
        else:  # 404 too: a launcher may still be registering the run
            return False
        return True

    def _forget(self, answer: Mapping[str, Any]) -> None:
        self._first += len(self._batch)
        self._batch = []
        if refused := len(answer.get("invalid", ())):
            self.drop(REFUSED, refused)
            self._told[REFUSED] = self.dropped[REFUSED]  # the agent counted them itself

    def _give_up(self, reason: str) -> None:
        self.drop(reason, len(self._batch))
        self._first += len(self._batch)
        self._batch = []


class _Process:
    """What this process has; a child of a fork begins anew."""

    sender: Sender | None = None
    phase = ""  # that the parent was in
    registered = False


def current() -> Sender | None:
    """The process's sender; None without a run or where the socket is not named."""
    if _Process.sender is None:
        run_id, socket_path = os.environ.get("METER_RUN_ID"), os.environ.get("METER_SOCKET")
        if run_id and socket_path and run_id.isascii() and run_id.isprintable():
            _Process.sender = Sender(socket_path, run_id, _Process.phase)
            _flush_at_exit()
    return _Process.sender


def phase() -> str:
    """The phase that runs, as this process told it."""
    here = current()
    return "" if here is None else here.phase


def drop(reason: str) -> None:
    """Count a mark of this process that is not told."""
    if _Process.sender is not None:
        _Process.sender.drop(reason)


def flush(timeout_s: float) -> bool:
    """Tell what waits, for at most so long; whether the agent has it all."""
    here = _Process.sender
    return True if here is None else here.flush(timeout_s)


def _flush_at_exit() -> None:
    if not _Process.registered:
        _Process.registered = True
        atexit.register(_last_flush)
    workers = sys.modules.get("multiprocessing.util")  # its children do not come to atexit
    if workers is not None:
        workers.Finalize(None, _last_flush, exitpriority=0)


def _last_flush() -> None:
    with contextlib.suppress(Exception):
        flush(EXIT_S)


def _after_fork() -> None:
    if _Process.sender is not None:
        _Process.phase = _Process.sender.phase
    _Process.sender = None


os.register_at_fork(after_in_child=_after_fork)
