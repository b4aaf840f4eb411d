"""Watches the sampler process: starts it, reads its pipe, kills it when it hangs, starts it again.

Driven by whoever owns the loop: ``fileno()`` to wait on, ``read()`` when there is something,
``tick()`` now and then. It never waits for a process: one that the driver holds in the kernel
cannot be reaped, and a second of waiting would be a second without metering.
"""

from __future__ import annotations

import fcntl
import os
import signal

from meter.units import NS_PER_S

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    class Child(Protocol):
        """A started process."""

        def kill(self, signal_number: int) -> None:
            """Send a signal; a process that is gone is no error."""

        def reaped(self) -> bool:
            """True once the process has ended and its entry is gone; never blocks."""

    Spawner = Callable[[int], Child]
    """Starts a sampler that writes to the given descriptor; raises OSError if none can be."""

_PIPE_BYTES = 1 << 20  # holds some ten seconds of eight GPUs while the service starts
_CHUNK = 1 << 16
_STALL_NS = NS_PER_S  # our own loop stood still: what the sampler sent meanwhile is unread
_MAX_UNREAPED = 2
_FIRST_BACKOFF_NS = NS_PER_S // 2
_LAST_BACKOFF_NS = 30 * NS_PER_S


class Patience:
    """How long silence is borne, in ns; NVML's first call may take half a minute."""

    __slots__ = ("beat_ns", "init_ns", "term_ns")

    def __init__(
        self,
        init_ns: int = 30 * NS_PER_S,
        beat_ns: int = 3 * NS_PER_S,
        term_ns: int = NS_PER_S,
    ) -> None:
        self.init_ns = init_ns
        self.beat_ns = beat_ns
        self.term_ns = term_ns


class SamplerEvent:
    """What happened to the sampler: started, hung, died, refused or blocked."""

    __slots__ = ("at_ns", "text", "what")

    def __init__(self, what: str, at_ns: int, text: str) -> None:
        self.what = what
        self.at_ns = at_ns
        self.text = text


class _Live:
    """The running sampler."""

    __slots__ = ("child", "heard_ns", "read_fd", "spoke", "terminated_ns")

    def __init__(self, child: Child, read_fd: int, heard_ns: int) -> None:
        self.child = child
        self.read_fd = read_fd
        self.heard_ns = heard_ns
        self.spoke = False
        self.terminated_ns: int | None = None


class PosixChild:
    """A child process by its PID."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._gone = False

    def kill(self, signal_number: int) -> None:
        """Send a signal unless the process has been reaped."""
        if not self._gone:
            os.kill(self.pid, signal_number)

    def reaped(self) -> bool:
        """Reap it if it has ended."""
        if not self._gone:
            try:
                self._gone = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:
                self._gone = True
        return self._gone


def spawn(command: Sequence[str], environment: Mapping[str, str], write_fd: int) -> PosixChild:
    """Start a command in its own session with ``write_fd`` as descriptor 3 and no other.

    posix_spawn: safe with threads, and free of the subprocess module's import time.
    """
    actions: list[tuple[int, int, int] | tuple[int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, write_fd, 3),
    ]
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        file_actions=actions,
        setsid=True,
        setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD],
        setsigmask=[],
    )
    return PosixChild(pid)


class Supervisor:
    """One sampler at a time, and at most two that could not be reaped."""

    def __init__(self, spawner: Spawner, patience: Patience | None = None) -> None:
        self._spawner = spawner
        self._patience = patience or Patience()
        self._live: _Live | None = None
        self._unreaped: list[Child] = []
        self._next_start_ns = 0
        self._backoff_ns = _FIRST_BACKOFF_NS
        self._last_tick_ns: int | None = None
        self._blocked = False
        self._rest = b""
        self.restarts = 0

    def fileno(self) -> int | None:
        """Descriptor to wait on, None while no sampler runs."""
        return self._live.read_fd if self._live else None

    @property
    def heard_ns(self) -> int | None:
        """When the running sampler was last heard of; None while none runs."""
        return self._live.heard_ns if self._live and self._live.spoke else None

    def start(self, now_ns: int) -> list[SamplerEvent]:
        """Start a sampler if none runs and its time has come."""
        if self._live or now_ns < self._next_start_ns:
            return []
        self._unreaped = [child for child in self._unreaped if not child.reaped()]
        if len(self._unreaped) >= _MAX_UNREAPED:
            return self._block(now_ns)
        self._blocked = False
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_fd, False)
        _enlarge(read_fd)
        try:
            child = self._spawner(write_fd)
        except OSError as error:
            os.close(read_fd)
            self._wait_longer(now_ns)
            return [SamplerEvent("refused", now_ns, f"the sampler cannot be started: {error}")]
        finally:
            os.close(write_fd)
        self._live = _Live(child, read_fd, now_ns)
        self._rest = b""
        return [SamplerEvent("started", now_ns, "the sampler was started")]

    def read(self, now_ns: int) -> list[bytes]:
        """Every whole line that has come in; an end of file shows at the next tick."""
        live = self._live
        if live is None:
            return []
        chunks = [self._rest]
        while True:
            try:
                chunk = os.read(live.read_fd, _CHUNK)
            except BlockingIOError:
                break
            if not chunk:
                live.terminated_ns = live.terminated_ns or 0  # closed its pipe: as good as dead
                break
            live.heard_ns = now_ns
            live.spoke = True
            chunks.append(chunk)
            if len(chunk) < _CHUNK:
                break
        *lines, self._rest = b"".join(chunks).split(b"\n")
        if lines:
            self._backoff_ns = _FIRST_BACKOFF_NS
        return lines

    def tick(self, now_ns: int) -> list[SamplerEvent]:
        """Judge silence, follow up on kills, start again; call it after ``read``."""
        stalled = self._last_tick_ns is not None and now_ns - self._last_tick_ns > _STALL_NS
        self._last_tick_ns = now_ns
        if self._live is None:
            return self.start(now_ns)
        if stalled:
            self._live.heard_ns = now_ns
            return []
        return self._judge(self._live, now_ns)

    def stop(self) -> None:
        """Ask the sampler to end, and let go of it."""
        if self._live:
            self._live.child.kill(signal.SIGTERM)
            self._drop(self._live)

    def end(self) -> bool:
        """True once every sampler ever started is reaped; kills what is left."""
        self._unreaped = [child for child in self._unreaped if not child.reaped()]
        for child in self._unreaped:
            child.kill(signal.SIGKILL)
        return not self._unreaped

    def _judge(self, live: _Live, now_ns: int) -> list[SamplerEvent]:
        if live.terminated_ns == 0 or live.child.reaped():
            live.child.kill(signal.SIGKILL)
            self._drop(live)
            self._wait_longer(now_ns)
            return [SamplerEvent("died", now_ns, "the sampler ended unexpectedly")]
        if live.terminated_ns is not None:
            if now_ns - live.terminated_ns >= self._patience.term_ns:
                live.child.kill(signal.SIGKILL)
                self._drop(live)
                self._wait_longer(now_ns)
            return []
        bound_ns = self._patience.beat_ns if live.spoke else self._patience.init_ns
        if now_ns - live.heard_ns < bound_ns:
            return []
        live.child.kill(signal.SIGTERM)
        live.terminated_ns = now_ns
        text = f"the sampler was silent for {(now_ns - live.heard_ns) / NS_PER_S:.1f} s"
        return [SamplerEvent("hung", now_ns, text)]

    def _block(self, now_ns: int) -> list[SamplerEvent]:
        self._next_start_ns = now_ns + NS_PER_S
        if self._blocked:
            return []
        self._blocked = True
        text = f"{_MAX_UNREAPED} hung samplers cannot be ended: the driver holds them"
        return [SamplerEvent("blocked", now_ns, text)]

    def _drop(self, live: _Live) -> None:
        os.close(live.read_fd)
        self._live = None
        if not live.child.reaped():
            self._unreaped.append(live.child)

    def _wait_longer(self, now_ns: int) -> None:
        self.restarts += 1
        self._next_start_ns = now_ns + self._backoff_ns
        self._backoff_ns = min(2 * self._backoff_ns, _LAST_BACKOFF_NS)


def _enlarge(fd: int) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return  # the user's pipe quota is used up: the default size carries half a second
