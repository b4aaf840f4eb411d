"""The few kernel calls that Python does not offer; each says whether it worked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes)
_PIDFD_INFO_EXIT = 1 << 3
_INFO_BYTES = 64
_EXIT_CODE_AT = 60
_START_FIELD = 22 - 3  # of /proc/PID/stat, counted behind the name


def prctl() -> Any:
    """The C function ``prctl(option, value)``, or None where there is no such library."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return None


def adopt_orphans(call: Any) -> bool:
    """Make descendants that lose their parent our children, so that their end is seen."""
    return call is not None and call(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def die_with_parent(call: Any, signal_number: int) -> bool:
    """Have the kernel end this process when its parent's thread ends."""
    return call is not None and call(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) == 0


def exit_status(pidfd: int) -> int | None:
    """Wait status of a process that is not our child, once it was reaped; None if unknown.

    Kernels before 6.15 do not tell.
    """
    info = bytearray(_INFO_BYTES)
    struct.pack_into("Q", info, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    told = struct.unpack_from("Q", info, 0)[0] & _PIDFD_INFO_EXIT
    return int(struct.unpack_from("i", info, _EXIT_CODE_AT)[0]) if told else None


def is_ancestor(pid: int, of: int | None = None) -> bool:
    """Whether a process is among the ancestors of another one, by default ours."""
    current = os.getppid() if of is None else of
    for _ in range(64):
        if current in (pid, 0):
            return current == pid
        try:
            with open(f"/proc/{current}/stat", "rb") as file:
                current = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return False


def started(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; None where it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[_START_FIELD])
    except (OSError, ValueError, IndexError):
        return None


def parents() -> dict[int, int]:
    """The parent of each living process that can be seen."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                if fields[0] not in (b"Z", b"X"):
                    found[int(entry)] = int(fields[1])
    return found


def children(pid: int) -> list[tuple[int, int]]:
    """(process, session) of each living child; found by a walk through /proc."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] not in (b"Z", b"X"):
            found.append((int(entry), int(fields[3])))
    return found
