"""One `meter attach` for a process: a second one would make what it uses nobody's."""

from __future__ import annotations

import contextlib
import fcntl
import os

from meter.environment import ensure_private_dir, runtime_dir
from meter.errors import AgentError, UsageError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from meter.environment import Environment
    from meter.launch.target import Target

_MOST_BYTES = 256


class Claim:
    """A locked file that names the run; gone with this process, whatever ends it.

    It tells of this user's attachments only. Where there is no place for it, nothing is told.
    """

    __slots__ = ("_fd", "_path")

    def __init__(self, environment: Environment, target: Target, run: str) -> None:
        """Take it; raises UsageError where the process is attached to already."""
        folder = runtime_dir(environment.variables, environment.uid)
        self._path = os.path.join(folder, f"attach-{target.pid}-{target.start}")
        self._fd = -1
        try:
            ensure_private_dir(folder, environment.uid)
            while self._fd < 0 and not self._locked(target.pid):
                pass  # whoever held it has just removed it: another is made
        except (OSError, AgentError):
            return
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, run.encode(errors="replace")[:_MOST_BYTES], 0)

    def _locked(self, pid: int) -> bool:
        """Take the lock of the file of this name; False where it has been removed meanwhile."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(fd, _MOST_BYTES, 0).decode(errors="replace")
            os.close(fd)
            text = f"process {pid} is metered already, in run {other!r}"
            raise UsageError(text, "see `meter show`; ^C ends that attachment") from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(self._path)):
                self._fd = fd
                return True
        os.close(fd)
        return False

    def drop(self) -> None:
        """Leave the process to others."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1
