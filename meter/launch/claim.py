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
        try:
            ensure_private_dir(folder, environment.uid)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except (OSError, AgentError):
            self._fd = -1
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = os.pread(self._fd, _MOST_BYTES, 0).decode(errors="replace")
            os.close(self._fd)
            text = f"process {target.pid} is metered already, in run {other!r}"
            raise UsageError(text, "see `meter show`; ^C ends that attachment") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, run.encode(errors="replace")[:_MOST_BYTES], 0)

    def drop(self) -> None:
        """Leave the process to others."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1
