"""Leases of devices: a locked file per device, so that two agents never bill the same energy."""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_FILE_MODE = 0o666  # agents of different users must be able to lock the same file
_FOLDER_MODE = 0o1777


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """Whether a device may be metered here.

    ``holder`` is the PID of the agent that has it (None if unknown); ``reason`` says why leases
    do not work in this folder: the device is metered then, but nobody is kept from doing it too.
    """

    granted: bool
    holder: int | None = None
    reason: str | None = None


class Leases:
    """Devices leased by this process; the kernel frees them when it dies."""

    def __init__(self, folder: Path, pid: int) -> None:
        self._folder = folder
        self._pid = pid
        self._held: dict[str, int] = {}

    def take(self, device_id: str) -> LeaseAnswer:
        """Lease a device, or learn who has it; asking again for a held one is granted."""
        if device_id in self._held:
            return LeaseAnswer(granted=True)
        try:
            fd = self._open(device_id)
        except OSError as error:
            return LeaseAnswer(granted=True, reason=f"{self._folder}: {error.strerror}")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _pid_in(fd)
            os.close(fd)
            return LeaseAnswer(granted=False, holder=holder)
        except OSError as error:
            os.close(fd)
            return LeaseAnswer(granted=True, reason=f"{self._folder}: {error.strerror}")
        self._held[device_id] = fd
        self._sign(fd)
        return LeaseAnswer(granted=True)

    def release(self, device_id: str) -> None:
        """Give a device back, if it is ours."""
        fd = self._held.pop(device_id, None)
        if fd is not None:
            os.close(fd)

    def release_all(self) -> None:
        """Give every device back."""
        while self._held:
            _, fd = self._held.popitem()
            os.close(fd)

    def _open(self, device_id: str) -> int:
        path = self._folder / f"{_UNSAFE.sub('_', device_id)}.lease"
        flags = os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, os.O_RDWR | flags)
        except FileNotFoundError:
            _make_folder(self._folder)
        except PermissionError:
            return os.open(path, os.O_RDONLY | flags)  # enough for a lock
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, _FILE_MODE)
        except FileExistsError:
            return os.open(path, os.O_RDWR | flags)
        os.fchmod(fd, _FILE_MODE)  # whatever the umask said
        return fd

    def _sign(self, fd: int) -> None:
        """Write our PID for people and for the other agent's notice; the lock is what counts."""
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{self._pid}\n".encode(), 0)
        except OSError:
            return  # opened read-only: leased all the same, only unsigned


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(_FOLDER_MODE)


def _pid_in(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
