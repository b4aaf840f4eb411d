"""A process that runs already and is to be metered: what it is, and whether it may be.

Everything is looked at before and after the pidfd was opened, with the process's start time: a
PID that was given to another process in between is noticed.
"""

from __future__ import annotations

import os

from meter.errors import UsageError
from meter.launch.inside import Launcher, is_inside
from meter.launch.kernel import parents

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Iterable

_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD
_FLAGS_FIELD, _START_FIELD = 9 - 3, 22 - 3  # of /proc/PID/stat, counted behind the name
_EXEC_LOOKS, _EXEC_PAUSE_S = 20, 0.005
_CHOOSE = "name the process of a job, as `ps -ef` lists it"


class Target:
    """The process; ``variables`` is None where its environment belongs to another user.

    ``elsewhere`` says that it is in another PID namespace than we are: a container.
    """

    __slots__ = ("age_s", "command", "elsewhere", "fd", "pid", "start", "variables")

    def __init__(self, pid: int) -> None:
        """Look and take hold; raises UsageError where it cannot be metered."""
        _refuse_special(pid)
        self.pid = pid
        self.start = _running(pid)
        self.fd = _pidfd(pid)
        try:
            _await_program(pid)
            self.command = _command(pid)
            self.variables = _variables(pid)
            self.elsewhere = _namespace(pid) not in (None, _namespace(os.getpid()))
            self.age_s = (_ticks() - self.start) / os.sysconf("SC_CLK_TCK")
            _refuse_another(pid, self.start)
            _refuse_metered(pid, self.variables or {})
        except BaseException:
            os.close(self.fd)
            raise


class Tree:
    """A process and what it has started, as far as it was seen; each by its pidfd."""

    __slots__ = ("_fds", "root")

    def __init__(self, root: Target) -> None:
        self.root = root
        self._fds: dict[int, int] = {}

    def look(self) -> None:
        """Find new descendants, forget those that have ended.

        Numbers come again: one that is known counts while its process lives, a new one if that
        process is older than the look.
        """
        began = _ticks()
        parents_of = parents()
        self._forget_ended()
        known = set(self._fds)
        if not has_ended(self.root.fd):
            known.add(self.root.pid)
        for pid in descendants(known, parents_of):
            self._watch(pid, before=began)

    def left(self) -> list[int]:
        """Descendants that still run."""
        self._forget_ended()
        return sorted(self._fds)

    def filenos(self) -> list[int]:
        """Descriptors that become readable when a descendant ends."""
        return list(self._fds.values())

    def _watch(self, pid: int, *, before: int) -> None:
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return  # has just ended
        try:
            same = _running(pid) < before
        except UsageError:
            same = False
        if same:
            self._fds[pid] = fd
        else:
            os.close(fd)

    def _forget_ended(self) -> None:
        for pid, fd in list(self._fds.items()):
            if has_ended(fd):
                os.close(self._fds.pop(pid))


def descendants(known: Iterable[int], parents_of: dict[int, int]) -> set[int]:
    """Processes that were started by known ones, or by such; without the known; pure."""
    known = set(known)
    children: dict[int, list[int]] = {}
    for pid, parent in parents_of.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    left = list(known)
    while left:
        fresh = set(children.get(left.pop(), ())) - known - found
        found |= fresh
        left += fresh
    return found


def has_ended(pidfd: int) -> bool:
    """Whether the process of a pidfd has ended."""
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _refuse_special(pid: int) -> None:
    if not os.path.isdir("/proc/self") or os.readlink("/proc/self") != str(os.getpid()):
        raise UsageError(
            "/proc is not there, or tells of another PID namespace", "mount the right one"
        )
    if pid == os.getpid():
        raise UsageError(f"process {pid} is this `meter attach` itself", _CHOOSE)
    if pid == 1:
        text = "process 1 is the system's own, and of a container: its end would end this meter too"
        raise UsageError(text, _CHOOSE)


def _running(pid: int) -> int:
    """Start of a process in clock ticks since boot; raises UsageError where it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/status", "rb") as file:
            leader = next(line for line in file if line.startswith(b"Tgid:")).split()[1]
    except (OSError, StopIteration):
        remedy = "it has ended, or is in another PID namespace: see `ps -ef`"
        raise UsageError(f"there is no process {pid} here", remedy) from None
    if int(leader) != pid:
        raise UsageError(f"{pid} is a thread of process {int(leader)}", "name the process")
    if fields[0] in (b"Z", b"X"):
        raise UsageError(f"process {pid} has ended already", "name one that runs")
    if int(fields[_FLAGS_FIELD]) & _KERNEL_THREAD:
        raise UsageError(f"process {pid} is a thread of the kernel", _CHOOSE)
    return int(fields[_START_FIELD])


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise _reused(pid) from None
    except OSError as error:
        text = f"process {pid} cannot be watched ({error.strerror})"
        raise UsageError(text, "start the job with `meter run`") from None


def _refuse_another(pid: int, start: int) -> None:
    if _running(pid) != start:
        raise _reused(pid)


def _reused(pid: int) -> UsageError:
    return UsageError(
        f"process {pid} ended while it was looked at, and its number may mean another one now",
        "see `ps -ef`",
    )


def _await_program(pid: int) -> None:
    """A process in the middle of exec shows no words and no variables for a moment: wait for it."""
    import time

    for _ in range(_EXEC_LOOKS):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read(1):
                    return
        except OSError:
            return
        time.sleep(_EXEC_PAUSE_S)


def _command(pid: int) -> list[str]:
    """Its command line, which everybody may read; its short name where it has none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [os.fsdecode(word) for word in file.read().rstrip(b"\0").split(b"\0")]
        if words[0]:
            return words
        with open(f"/proc/{pid}/comm", "rb") as file:
            return [os.fsdecode(file.read().rstrip(b"\n"))]
    except OSError:
        return ["job"]


def _variables(pid: int) -> dict[str, str] | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            block = file.read()
    except OSError:
        return None
    pairs = (os.fsdecode(entry).partition("=") for entry in block.split(b"\0"))
    return {name: value for name, equals, value in pairs if equals}


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None  # another user's


def _refuse_metered(pid: int, variables: dict[str, str]) -> None:
    """A process inside a run of `meter run` is counted by it, and once is enough."""
    if is_inside(variables, variables.get("METER_SOCKET", ""), pid):
        text = f"process {pid} is metered already, in run {variables['METER_RUN_ID'][:128]!r}"
        raise UsageError(text, "see `meter show`")
    for child, parent in parents().items():
        of_child = (_variables(child) or {}) if parent == pid else {}
        named = Launcher.read(of_child.get("METER_LAUNCHER_PID"))
        if named is not None and named.pid == pid and named.is_same():
            raise UsageError(f"process {pid} is itself a `meter run`", "see `meter runs`")


def _ticks() -> int:
    """Now, as starts of processes are counted."""
    import time

    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
