"""Whether the socket that METER_SOCKET names may be used: what listens there learns of the job.

It may where it, and its folder, belong to this user or to root. A socket of another user counts
where it is shared on purpose: its group is one of ours and may use it, in a folder of ours or of
root's that is not for everybody's files, as /tmp is.
"""

from __future__ import annotations

import os
import stat

from meter.environment import Environment

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable

_GROUP = stat.S_IRGRP | stat.S_IWGRP


def trusted(environment: Environment, tell: Callable[[str], None]) -> Environment:
    """The environment, or one with a socket of our own where somebody has taken the place."""
    found = environment.socket_named and taken_by(environment.socket, environment.uid)
    if not found:
        return environment
    tell(f"meter: METER_SOCKET: {found}: not used; an agent of this user's own meters the job")
    left = {name: v for name, v in environment.variables.items() if name != "METER_SOCKET"}
    return Environment(left, environment.uid)


def taken_by(path: str, uid: int) -> str | None:
    """What is wrong with the place of a socket; None if it can be used, or is not there yet."""
    folder = os.path.dirname(path)
    try:
        around = os.stat(folder)
    except OSError:
        return None  # the one who makes it will tell
    if around.st_uid not in (uid, 0):
        return f"the folder {folder} belongs to another user ({around.st_uid})"
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if found.st_uid in (uid, 0) or _shared(found, around):
        return None
    return f"{path} belongs to another user ({found.st_uid})"


def _shared(found: os.stat_result, around: os.stat_result) -> bool:
    for_all = stat.S_ISVTX | stat.S_IWOTH
    if not stat.S_ISSOCK(found.st_mode) or around.st_mode & for_all == for_all:
        return False
    ours = {os.getegid(), *os.getgroups()}
    return found.st_mode & _GROUP == _GROUP and found.st_gid in ours
