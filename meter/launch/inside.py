"""Whether a process is inside a job that is metered already: METER_LAUNCHER_PID, as the job has it.

It names the launcher by PID and start, ``1234:567890``, because a PID comes again. Without a start,
as older versions wrote it, it counts only where the agent knows that the run lives.
"""

from __future__ import annotations

import os

from meter.errors import AgentError
from meter.launch.kernel import is_ancestor, started

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWER_S = 0.5


class Launcher:
    """A launcher as it was named; ``start`` in clock ticks since boot, None if not told."""

    __slots__ = ("pid", "start")

    def __init__(self, pid: int, start: int | None) -> None:
        self.pid = pid
        self.start = start

    @classmethod
    def read(cls, text: str | None) -> Launcher | None:
        """The launcher of a variable; None where it names none."""
        pid, colon, start = (text or "").partition(":")
        if not _is_number(pid) or (colon and not _is_number(start)):
            return None
        return cls(int(pid), int(start) if colon else None)

    def told(self) -> str:
        """As a variable."""
        return str(self.pid) if self.start is None else f"{self.pid}:{self.start}"

    def is_same(self) -> bool:
        """Whether who has the PID now can be the launcher."""
        return self.start is None or self.start == started(self.pid)


def launcher(pid: int) -> Launcher:
    """A launcher that runs."""
    return Launcher(pid, started(pid))


def is_inside(variables: Mapping[str, str], socket: str, of: int | None = None) -> bool:
    """Whether the launcher that variables name is an ancestor of a process, by default of ours."""
    named, run = Launcher.read(variables.get("METER_LAUNCHER_PID")), variables.get("METER_RUN_ID")
    if named is None or not run or not is_ancestor(named.pid, of) or not named.is_same():
        return False
    return named.start is not None or _lives(run, socket)


def _lives(run: str, socket: str) -> bool:
    """Whether the agent has a run that has not ended."""
    from urllib.parse import quote

    from meter.launch.client import request

    if not os.path.exists(socket):
        return False
    try:
        path = f"/v1/runs/{quote(run, safe='')}"
        status, document = request(socket, "GET", path, timeout_s=_ANSWER_S)
    except AgentError:
        return False
    return status == 200 and (document.get("run") or {}).get("status") == "running"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
