"""The metering thread: waits for the sampler, for commands and for the next second."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
import time
import traceback
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from meter.errors import AgentError, SourceError
from meter.model import Notice, Severity
from meter.sampling import frames
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meter.agent.metering import Metering
    from meter.agent.supervisor import SamplerEvent, Supervisor

T = TypeVar("T")

FLUSH_NS = NS_PER_S
_BEAT_S = 0.5
_FAULT_S = 0.2
_ENDING_S = 0.05  # a run that waits for its end is looked after so often
_SILENT_EVENTS = ("started",)


class Loop:
    """Owns the metering; everybody else asks it with ``ask``."""

    def __init__(
        self,
        metering: Metering,
        supervisor: Supervisor,
        *,
        on_reading: Callable[[], None],
        after_flush: Callable[[], None],
        watched: Callable[[], list[int]],
    ) -> None:
        self.metering = metering
        self.supervisor = supervisor
        self._on_reading = on_reading
        self._after_flush = after_flush
        self._watched = watched
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="meter-metering", daemon=True)
        self._next_flush_ns = 0
        self._poll = select.poll()
        self._fds: tuple[int, ...] = ()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, work: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Have something done by the metering thread; its result. AgentError if it is stuck."""
        future: Future[T] = Future()

        def done() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  it is the asker's
                future.set_exception(error)

        self._commands.put(done)
        self._wake()
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise AgentError("the meter is busy", "try again in a moment") from None

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False if it does not."""
        self._stopping = True
        self._wake()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # woken already
            os.write(self._wake_write, b"x")

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._step()
            except Exception:  # noqa: BLE001  one bad moment must not end the metering
                with contextlib.suppress(OSError):  # the log's disk may be full
                    traceback.print_exc()
                time.sleep(_FAULT_S)

    def _step(self) -> None:
        now_ns = self.metering.clock.boot_ns()
        left = self._wait(now_ns)
        self.hear(self.supervisor.read(self.metering.clock.boot_ns()))
        while not self._commands.empty():
            self._commands.get()()
        now_ns = self.metering.clock.boot_ns()
        for event in self.supervisor.tick(now_ns):
            self._note(event)
        due = now_ns >= self._next_flush_ns
        if due:
            self._next_flush_ns = max(self._next_flush_ns + FLUSH_NS, now_ns + FLUSH_NS // 2)
        flushes = due or self.metering.ending or self.metering.hurry
        if flushes:
            self.metering.flush(rows=due)
        if flushes or left:
            self._after_flush()

    def _wait(self, now_ns: int) -> bool:
        """Wait for something to do; whether a process that is watched has ended."""
        wait_s = min(_BEAT_S, max(0, self._next_flush_ns - now_ns) / NS_PER_S)
        if self.metering.ending:
            wait_s = min(wait_s, _ENDING_S)
        sampler = self.supervisor.fileno()
        watched = self._watched()
        ready = self._polled(
            (self._wake_read, *watched, *([] if sampler is None else [sampler]))
        ).poll(int(wait_s * 1_000) + 1)
        if any(fd == self._wake_read for fd, _ in ready):
            os.read(self._wake_read, 4_096)
        return any(fd in watched for fd, _ in ready)

    def _polled(self, fds: tuple[int, ...]) -> select.poll:
        """What waits on these descriptors; on 64 jobs and more they seldom change."""
        if fds != self._fds:
            self._poll, self._fds = select.poll(), fds
            for fd in fds:
                self._poll.register(fd, select.POLLIN)
        return self._poll

    def hear(self, lines: Iterable[bytes]) -> None:
        """Take what the sampler said."""
        now_ns = self.metering.clock.boot_ns()
        for line in lines:
            try:
                frame = frames.decode(line)
            except SourceError:
                self.metering.dropped += 1
                continue
            self.metering.take(frame, now_ns)
            if not isinstance(frame, frames.Hello) and frame.readings:
                self._on_reading()

    def _note(self, event: SamplerEvent) -> None:
        if event.what in _SILENT_EVENTS:
            return
        text = f"Metering was interrupted: {event.text}. The counters' differences bridge the gap."
        notice = Notice(f"sampler_{event.what}", text, Severity.WARNING)
        runs = list(self.metering.runs)
        for run_id in runs:
            self.metering.note(Notice(notice.code, notice.text, notice.severity, run_id=run_id))
        if not runs:
            self.metering.note(notice)
