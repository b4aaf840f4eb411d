"""A job's end as its launcher knows it, in a file beside the socket until an agent has it.

Where no agent listens when the job ends, the next one finds there when and how: the run ends
then, not when the launcher gave up. The file stands for a launcher by its PID; an agent takes
only files of its own user's, so that where a node's agent is another user's none is left.
"""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SUFFIX = ".end"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def name_of(socket: str, pid: int) -> str:
    """The file of a launcher's word."""
    return f"{socket}.{pid}{SUFFIX}"


def leave(socket: str, spec: Mapping[str, Any], end: Mapping[str, Any]) -> str | None:
    """Write how a run's job ended, by the bodies that register and end it; the file, if any.

    The clock of the end is that of this boot. Without a file the run ends as it did before: where
    its launcher vanishes.
    """
    import json

    pid = spec.get("launcher_pid")
    if pid is None:
        return None
    name = name_of(socket, pid)
    draft = f"{name}.new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file, open(_BOOT_ID, encoding="ascii") as boot:
            word = {
                "run": spec["id"],
                "pid": pid,
                "boot": boot.read().strip(),
                "status": end["status"],
                "exit_code": end["exit_code"],
                "ended_ns": end["ended_ns"],
            }
            file.write(json.dumps(word))
        os.replace(draft, name)
    except OSError:
        return None
    return name


def take_back(name: str | None) -> None:
    """The agent has it."""
    if name is not None:
        with suppress(OSError):
            os.unlink(name)
