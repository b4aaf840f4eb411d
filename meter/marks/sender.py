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
from collections import deque
from threading import Event

from meter import limits
from meter.errors import AgentError, UsageError
from meter.ids import new_id
from meter.launch.client import problem_text, request
from meter.marks import refusals

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

MOST_WAITING = 10_000
"""Marks that wait for the agent; beyond, new ones are dropped."""
MOST_LINKS = 20
"""Links that wait for the agent; beyond, new ones are dropped."""
BATCH = 500
"""Most marks of a request: the longest marks that there are keep it below ``limits.BODY_BYTES``."""
PAUSE_S = 0.2
"""How long marks are gathered before they are told."""
EXIT_S = 0.5
"""How long the end of a process waits, in all, for what was not told yet."""
ANSWER_S = 2.0
AGAIN_S = (0.5, 1.0, 2.0, 5.0)
"""Waits after each failure in a row; the last goes on."""

INVALID = "invalid"
FULL = "full"
ENDED = "ended"
REFUSED = "refused"
FAILED = "failed"

_NOTED, _CONFLICT, _TOO_LARGE = 202, 409, 413
_LINKED = (201, 202)
_PASSING = (404, 408, 429)
"""Refusals that may pass; 404 too, since a launcher may still be registering the run."""


def now_ns() -> int:
    """CLOCK_BOOTTIME, which does not stand still in suspend and is the same in every process."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Sender:
    """One process's marks of one run; ``closed`` is why nothing of it can be told."""

    def __init__(self, socket_path: str, run_id: str, phase: str = "", closed: str = "") -> None:
        self.dropped: dict[str, int] = {}
        self.links_dropped = 0
        self.phase = phase
        self._socket_path = socket_path
        self._run_path = f"/v1/runs/{run_id}"
        self._closed = closed
        self._source = new_id()
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._batch: list[dict[str, Any]] = []
        self._first = 0  # number of the batch's first mark
        self._most = BATCH  # marks of a request; fewer while one was too large
        self._links: deque[dict[str, str]] = deque()
        self._told: dict[str, int] = {}  # of the drops, what the agent knows
        self._hurry = Event()
        self._asked: list[Event] = []  # by those who wait for all to be told
        self._failures = 0
        self._runs = False
        self._begun = _thread.allocate_lock()  # taken once the thread was begun, for ever

    # -- the caller's side --------------------------------------------------------------------

    def put(self, mark: dict[str, Any]) -> None:
        """Queue a mark, or count it as dropped."""
        if self._closed:
            self.drop(self._closed)
        elif self._queue.qsize() >= MOST_WAITING:
            self.drop(FULL)
        else:
            self._queue.put(mark)
            if not self._runs:
                self._begin()

    def link(self, link: dict[str, str]) -> None:
        """Queue a link, or count it as dropped; a run that has ended may be linked too."""
        if self._closed not in {"", ENDED} or len(self._links) >= MOST_LINKS:
            self.links_dropped += 1
        else:
            self._links.append(link)
            self._queue.put(None)
            self._begin()

    def drop(self, reason: str, count: int = 1) -> None:
        """Count marks that are not told."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def flush(self, timeout_s: float) -> bool:
        """Tell what waits, for at most so long; whether the agent has it."""
        if not (self._runs or self._due()):
            return not self._closed
        lost = self._lost()
        done = Event()
        self._asked.append(done)
        self._queue.put(None)
        self._begin()
        self._hurry.set()
        in_time = done.wait(max(0.0, timeout_s))
        return in_time and not (self._waits() or self._closed) and self._lost() == lost

    def _begin(self) -> None:
        # only one gets the lock, whichever threads or signal handlers come here at once
        if self._begun.acquire(blocking=False):
            try:
                _thread.start_new_thread(self._run, ())
                self._runs = True
            except RuntimeError:  # no thread can be had now: the next mark tries again
                self._begun.release()

    def _lost(self) -> int:
        return sum(self.dropped.values()) + self.links_dropped

    def _due(self) -> bool:
        """Whether there is something to tell, beside what is queued."""
        untold = self.dropped != self._told and not self._closed
        return bool(self._batch or self._links or untold)

    def _waits(self) -> bool:
        return self._due() or not self._queue.empty()

    # -- the thread's side --------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            if not self._due():
                self._take(self._queue.get())
            if not self._asked and len(self._batch) + self._queue.qsize() < BATCH:
                self._hurry.wait(PAUSE_S)
            self._gather()
            self._hurry.clear()
            asked = len(self._asked)
            done = self._tried()
            if not (done and self._waits()):
                for waiting in self._asked[:asked]:
                    waiting.set()
                del self._asked[:asked]
            if not done:
                self._hurry.wait(AGAIN_S[min(self._failures, len(AGAIN_S)) - 1])

    def _gather(self) -> None:
        with contextlib.suppress(queue.Empty):
            while len(self._batch) < BATCH:
                self._take(self._queue.get_nowait())

    def _take(self, mark: dict[str, Any] | None) -> None:
        if mark is not None:  # None only wakes the thread
            self._batch.append(mark)

    def _tried(self) -> bool:
        """Send what is due once; False where the agent cannot take it now."""
        try:
            done = self._marks_told() and self._links_told()
        except Exception:  # noqa: BLE001  no traceback of ours in the job's output
            self._give_up(FAILED, len(self._batch))
            self.links_dropped += len(self._links)
            self._links.clear()
            done = True
        self._failures = 0 if done else self._failures + 1
        return done

    def _marks_told(self) -> bool:
        """Send the batch once; whether the agent has taken it, or never will."""
        if self._closed:
            self._give_up(self._closed, len(self._batch))
            return True
        told, marks = dict(self.dropped), self._batch[: self._most]
        if not marks and told == self._told:
            return True
        body = {
            "source": self._source, "first": self._first, "marks": marks, "dropped": told,
            "sent_ns": now_ns(),
        }  # fmt: skip
        status, answer = self._post("marks", body)
        if status == _NOTED:
            self._told = told
            self._forget(len(marks), answer)
        elif status == _CONFLICT:
            self._closed = ENDED
        elif status == _TOO_LARGE and len(marks) > 1:
            self._most = len(marks) // 2
        elif not _is_final(status):
            return False
        elif marks:  # the agent is told of it next, without them
            refusals.refused("marks", f"HTTP {status}", problem_text(status, answer))
            self._give_up(REFUSED, len(marks))
        else:
            self._told = told
        return True

    def _links_told(self) -> bool:
        """Send each link once; whether the agent has taken them, or never will."""
        while self._links:
            status, answer = self._post("links", self._links[0])
            if not (status in _LINKED or _is_final(status)):
                return False
            if status not in _LINKED:
                refusals.refused("a link", f"HTTP {status}", problem_text(status, answer))
            self.links_dropped += status not in _LINKED
            self._links.popleft()
        return True

    def _post(self, what: str, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Ask the agent; status 0 where none answers."""
        try:
            return request(self._socket_path, "POST", f"{self._run_path}/{what}", body, ANSWER_S)
        except AgentError:
            return 0, {}

    def _forget(self, count: int, answer: Mapping[str, Any]) -> None:
        for one in answer.get("invalid", ()):
            refusals.refused("marks", "invalid", one.get("reason"))
        self._done_with(count)
        if refused := len(answer.get("invalid", ())):
            self.drop(REFUSED, refused)
            self._told[REFUSED] = self.dropped[REFUSED]  # the agent counted them itself

    def _give_up(self, reason: str, count: int) -> None:
        if count:
            self.drop(reason, count)
        self._done_with(count)

    def _done_with(self, count: int) -> None:
        self._first += count
        del self._batch[:count]
        if not self._batch:
            self._most = BATCH


def _is_final(status: int) -> bool:
    """Whether the same would be refused again."""
    return 400 <= status < 500 and status not in _PASSING


class _Process:
    """What this process has; a child of a fork begins anew."""

    senders: ClassVar[dict[str, Sender]] = {}  # one, once something was marked
    phase = ""  # that the parent was in
    registered = False
    exit_s = EXIT_S  # how long its end may still wait


_OWN = "own"


def current() -> Sender | None:
    """The process's sender; None without a run or where the socket is not named."""
    return _Process.senders.get(_OWN) or _made()


def _made() -> Sender | None:
    run_id, socket_path = os.environ.get("METER_RUN_ID"), os.environ.get("METER_SOCKET")
    if not (run_id and socket_path):
        return None
    made = Sender(socket_path, run_id, _Process.phase, "" if _is_run_id(run_id) else REFUSED)
    # of threads and signal handlers that make one at once all get the first; unlike a lock, this
    # cannot be held by nobody after a fork
    own = _Process.senders.setdefault(_OWN, made)
    if own is made:
        _flush_at_exit()
    return own


def _is_run_id(value: str) -> bool:
    try:
        limits.check_run_id("METER_RUN_ID", value)
    except UsageError:
        return False
    return True


def phase() -> str:
    """The phase that runs, as this process told it."""
    here = current()
    return "" if here is None else here.phase


def drop(reason: str) -> None:
    """Count a mark of this process that is not told."""
    if here := _Process.senders.get(_OWN):
        here.drop(reason)


def flush(timeout_s: float) -> bool:
    """Tell what waits, for at most so long; whether the agent has it all."""
    here = _Process.senders.get(_OWN)
    return True if here is None else here.flush(timeout_s)


def _flush_at_exit() -> None:
    if not _Process.registered:
        _Process.registered = True
        atexit.register(_last_flush)
    workers = sys.modules.get("multiprocessing.util")  # its children do not come to atexit
    if workers is not None:
        workers.Finalize(None, _last_flush, exitpriority=0)


def _last_flush() -> None:
    began_s = time.monotonic()
    with contextlib.suppress(Exception):
        flush(_Process.exit_s)
    _Process.exit_s = max(0.0, _Process.exit_s - (time.monotonic() - began_s))


def _after_fork() -> None:
    if here := _Process.senders.get(_OWN):
        _Process.phase = here.phase
    _Process.senders.clear()
    _Process.exit_s = EXIT_S


os.register_at_fork(after_in_child=_after_fork)
