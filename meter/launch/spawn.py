"""Starts an agent of our own: a fresh interpreter, own session, nothing of the job's inherited.

The agent tells its state on a pipe, one line each: ``listening SOCKET``, ``reading`` (the first
reading arrived) and ``error TEXT``; the pipe ends when the agent does. An agent that finds the
socket's lock held exits with ``ALREADY_RUNNING``: whoever started it connects instead.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from meter.errors import AgentError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meter.environment import Environment

ALREADY_RUNNING = 75
"""Exit code of an agent that found another one holding ``SOCKET.lock``."""

AGENT_MODULE = "meter.agent.__main__"
"""Has ``main(arguments: list[str]) -> int``."""

_READY_FD = 3
_LOG_LIMIT_BYTES = 1 << 20

# sys.path is handed over instead of paying for `site` again; nothing keeps the job's folder busy
_BOOT = (
    "import os,sys;os.chdir('/');module,paths=sys.argv[1:3];sys.path[:]=paths.split('\\n');"
    "sys.argv[:3]=[module];import importlib;"
    "sys.exit(importlib.import_module(module).main(sys.argv[1:]))"
)


def python_command(
    module: str, arguments: Sequence[str] = (), *, python_home: bool = False
) -> list[str]:
    """Command line of a fresh, isolated interpreter that calls ``module.main(arguments)``.

    The job's words are not in it, so that a ``pkill -f`` for the job never hits us.
    ``python_home`` says that this interpreter was found by PYTHONHOME, which -I would ignore.
    Raises AgentError where Python does not know its own executable.
    """
    if not sys.executable:
        message = "Python does not know its own executable"
        raise AgentError(message, "run meter from an installed Python")
    isolated = ["-S", "-s", "-P"] if python_home else ["-I", "-S"]
    paths = "\n".join(os.path.abspath(entry) for entry in sys.path)
    return [sys.executable, *isolated, "-c", _BOOT, module, paths, *arguments]


def agent_command(environment: Environment, ready_fd: int = _READY_FD) -> list[str]:
    """Command line of a private agent."""
    arguments = ["--private", "--socket", environment.socket, "--ready-fd", str(ready_fd)]
    return python_command(AGENT_MODULE, arguments, python_home=environment.python_home)


class AgentProcess:
    """A private agent that was started here, and what it told so far."""

    __slots__ = ("_rest", "ended", "error", "listening", "pid", "reading", "ready_fd")

    def __init__(self, pid: int, ready_fd: int) -> None:
        self.pid = pid
        self.ready_fd = ready_fd
        self.listening = False
        self.reading = False
        self.ended = False
        self.error: str | None = None
        self._rest = b""

    def fileno(self) -> int:
        """The pipe on which the agent tells its state."""
        return self.ready_fd

    def hear(self) -> None:
        """Take in what the pipe holds; blocks if it holds nothing."""
        try:
            told = os.read(self.ready_fd, 4_096)
        except OSError:
            told = b""
        if not told:
            self.ended = True
            return
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in lines:
            word, _, text = line.decode(errors="replace").partition(" ")
            self.listening |= word in ("listening", "reading")
            self.reading |= word == "reading"
            if word == "error":
                self.error = text

    def exit_code(self) -> int | None:
        """Its exit code once it ended; where somebody else reaped it, what its words say."""
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            return ALREADY_RUNNING if self.error and "already" in self.error else None

    def wait_until(self, reached: Callable[[AgentProcess], bool], deadline: float) -> bool:
        """Listen until something is reached, the agent ends, or ``time.monotonic()`` says so."""
        import select

        poll = select.poll()
        poll.register(self.ready_fd, select.POLLIN)
        while not reached(self) and not self.ended:
            left_ms = (deadline - time.monotonic()) * 1_000
            if left_ms <= 0 or not poll.poll(left_ms):
                break
            self.hear()
        return reached(self)

    def close(self) -> None:
        """Stop listening; the agent goes on."""
        os.close(self.ready_fd)


def spawn_agent(
    environment: Environment, command: Callable[[Environment], list[str]] = agent_command
) -> AgentProcess:
    """Start a private agent; raises AgentError if it cannot even be started."""
    environment.ensure_socket_dir()
    told, telling = os.pipe()
    log = log_fd(environment.home)
    try:
        pid = spawn_detached(
            command(environment), environment.for_agent(), stderr=log, passed=telling
        )
    except OSError as error:
        os.close(told)
        message = f"no agent can be started ({error.strerror})"
        raise AgentError(message, "free processes or memory") from None
    finally:
        os.close(telling)
        os.close(log)
    return AgentProcess(pid, told)


def spawn_detached(
    command: Sequence[str], variables: dict[str, str], *, stderr: int, passed: int
) -> int:
    """Start a program in its own session and return its PID.

    Its descriptors are /dev/null twice, ``stderr``, and ``passed`` as number 3; its signals are
    as if fresh from boot. Raises OSError.
    """
    import fcntl

    clear_of_targets = fcntl.fcntl(passed, fcntl.F_DUPFD_CLOEXEC, 10)
    errors = fcntl.fcntl(stderr, fcntl.F_DUPFD_CLOEXEC, 10)
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, errors, 2),
        (os.POSIX_SPAWN_DUP2, clear_of_targets, _READY_FD),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable_fds() if fd > _READY_FD),
    ]
    try:
        return os.posix_spawn(
            command[0],
            list(command),
            variables,
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
    finally:
        os.close(clear_of_targets)
        os.close(errors)


def _inheritable_fds() -> list[int]:
    """Descriptors that an exec would keep: the job's, never ours."""
    found = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.get_inheritable(int(entry)):
                found.append(int(entry))
        except OSError:  # the listing's own descriptor is closed by now
            continue
    return found


def log_fd(home: str) -> int:
    """The agent's log, begun anew when it grew long; /dev/null where there is no room for it."""
    path = os.path.join(home, "agent.log")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    try:
        os.makedirs(home, 0o700, exist_ok=True)
        fd = os.open(path, flags, 0o600)
        if os.fstat(fd).st_size > _LOG_LIMIT_BYTES:
            os.ftruncate(fd, 0)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
    return fd
