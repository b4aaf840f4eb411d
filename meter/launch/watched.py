"""The end of a process that is not our child."""

from __future__ import annotations

import time

from meter.launch.kernel import exit_status
from meter.launch.spec import end_of

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

_REAPED_S = 0.2


def end_of_watched(pidfd: int, linger_s: float | None) -> dict[str, Any]:
    """Body of ``PATCH /v1/runs/ID``; with an exit code only where the kernel tells it to others."""
    ended = end_of(None, linger_s)
    until = time.monotonic() + _REAPED_S
    status = exit_status(pidfd)
    while status is None and time.monotonic() < until:
        time.sleep(0.01)  # until its parent has reaped it
        status = exit_status(pidfd)
    if status is None:
        return ended
    known = end_of(status, linger_s)
    return {**ended, "status": known["status"], "exit_code": known["exit_code"]}
