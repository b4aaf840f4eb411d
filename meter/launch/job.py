"""Starts the job exactly as its caller would have: signals, descriptors, environment, errors."""

from __future__ import annotations

import errno
import os
import signal
import struct
import time

from meter.environment import locale_before_python

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import NoReturn

NOT_EXECUTABLE = 126
NOT_FOUND = 127
_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
_ERRNO = struct.Struct("i")


class Inherited:
    """Signal state that our caller gave us, to be given on to the job.

    Python ignores SIGPIPE and SIGXFSZ at its start and does not tell what they were before; the
    job gets their defaults, as from any program started by Python's subprocess.
    """

    __slots__ = ("_child_ignored", "_locale", "_mask")

    def __init__(self) -> None:
        """Take note, and make our own signals behave: an early ^C ends us as it would the job."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._child_ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
        self._locale = locale_before_python()
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would swallow exit codes

    def unblock(self) -> None:
        """Let signals act on us again, as they did before the job."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def restore(self) -> None:
        """In the process that becomes the job, right before its exec."""
        for number in _PYTHON_IGNORES:
            signal.signal(number, signal.SIG_DFL)
        if self._child_ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        changed, before = self._locale
        if changed and before is None:
            os.unsetenv("LC_CTYPE")
        elif changed and before is not None:
            os.putenv("LC_CTYPE", before)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


class StartError(Exception):
    """The command cannot be executed; ``code`` is what a shell would exit with."""

    def __init__(self, command: str, number: int) -> None:
        self.code = NOT_FOUND if number in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE
        reason = "not found" if number == errno.ENOENT else os.strerror(number).lower()
        super().__init__(f"{command}: {reason}")


class Job:
    """The running job: its process, and when it was started."""

    __slots__ = ("pid", "started_ns", "started_us")

    def __init__(self, pid: int, started_ns: int, started_us: int) -> None:
        self.pid = pid
        self.started_ns = started_ns
        self.started_us = started_us


def start(
    command: Sequence[str], search: Sequence[str], added: Mapping[str, str], inherited: Inherited
) -> Job:
    """Start the job as our child; raises StartError, or OSError where no process can be made.

    ``search`` is the path that commands are looked for in; ``added`` goes into its environment.
    """
    hears, tells = os.pipe()
    at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    at_us = time.time_ns() // 1_000
    try:
        pid = os.fork()
    except OSError:
        os.close(hears)
        os.close(tells)
        raise
    if pid == 0:
        _become(command, search, added, inherited, tells)
    os.close(tells)
    told = os.read(hears, _ERRNO.size)  # ends at the exec, by close-on-exec
    os.close(hears)
    if told:
        os.waitpid(pid, 0)
        raise StartError(command[0], _ERRNO.unpack(told)[0])
    return Job(pid, at_ns, at_us)


def _become(
    command: Sequence[str],
    search: Sequence[str],
    added: Mapping[str, str],
    inherited: Inherited,
    tells: int,
) -> NoReturn:
    try:
        number = replace(command, search, added, inherited)
        os.write(tells, _ERRNO.pack(number))
    finally:
        os._exit(NOT_FOUND)


def replace(
    command: Sequence[str], search: Sequence[str], added: Mapping[str, str], inherited: Inherited
) -> int:
    """Become the job in this process; returns only if that fails, with the errno."""
    for name, value in added.items():
        os.putenv(name, value)
    inherited.restore()
    failed = errno.ENOENT
    for path in candidates(command[0], search):
        number = _exec(path, command)
        if number not in (errno.ENOENT, errno.ENOTDIR) and failed == errno.ENOENT:
            failed = number
    return failed


def candidates(program: str, search: Sequence[str]) -> Iterable[str]:
    """The files that a command's name may mean, as execvp(3) tries them."""
    if "/" in program:
        return [program]
    return [f"{folder}/{program}" if folder else program for folder in search if program]


def _exec(path: str, command: Sequence[str]) -> int:
    try:
        os.execv(path, list(command))
    except OSError as error:
        number = error.errno or errno.EACCES
    except ValueError:  # an empty word, or a NUL inside one
        return errno.EINVAL
    if number == errno.ENOEXEC:  # a script without a first line, as execvp(3) does it
        try:
            os.execv("/bin/sh", ["sh", path, *command[1:]])
        except OSError:
            return number
    return number


def leave_descriptors(kept: Iterable[int]) -> None:
    """Close what we inherited, except ``kept``, once the job has its copies.

    Somebody may wait for the job to close a pipe; our copy would keep it open.
    """
    null = os.open(os.devnull, os.O_RDWR)
    kept = {*kept, null}
    for entry in os.listdir("/proc/self/fd"):
        fd = int(entry)
        try:
            inheritable = fd not in kept and os.get_inheritable(fd)
        except OSError:  # the listing's own, closed by now
            continue
        if not inheritable:
            continue
        if fd <= 2:
            os.dup2(null, fd, inheritable=False)
        else:
            os.close(fd)
    os.close(null)


def search_path(variables: Mapping[str, str]) -> list[str]:
    """The folders that commands are looked for in."""
    return variables.get("PATH", os.defpath).split(":")


def die_like(status: int) -> NoReturn:
    """End with a wait status of our own: the same code, or death by the same signal."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        os._exit(code)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the job's core is enough
    number = -code
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # process 1 of a container survives its own signals
