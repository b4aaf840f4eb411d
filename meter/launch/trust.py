"""Whether the socket that METER_SOCKET names may be used: what listens there learns of the job.

It may where it, and its folder, belong to this user or to root. A socket of another user counts
where it is shared on purpose: its group is one of ours and may use it, in a folder of ours or of
root's that is not for everybody's files, as /tmp is. An agent of our own listens only in a folder
that is ours alone, and at no address of the node's: what it leaves in another folder, or holds,
would keep the node's own agent out.
"""

from __future__ import annotations

import os
import stat

from meter.environment import Environment

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable

FREE_PORT = "127.0.0.1:0"
"""Where an agent listens for Prometheus that stands in for one of several users."""
_GROUP = stat.S_IRGRP | stat.S_IWGRP


def trusted(environment: Environment, tell: Callable[[str], None]) -> Environment:
    """The environment, or one with a socket of our own where somebody has taken the place."""
    found = environment.socket_named and taken_by(environment.socket, environment.uid)
    if not found:
        return environment
    tell(f"meter: METER_SOCKET: {found}: not used; an agent of this user's own meters the job")
    return _elsewhere(environment)


def own_place(environment: Environment, tell: Callable[[str], None]) -> Environment:
    """The environment for an agent of our own, where nobody listens at the socket."""
    found = environment.socket_named and not_own(environment.socket, environment.uid)
    if not found:
        return environment
    tell(
        f"meter: nobody listens at METER_SOCKET, and {found}: an agent of this user's own meters"
        " the job at another socket"
    )
    own = _elsewhere(environment)
    # the node's agent has to find its address free when it comes back
    return Environment({**own.variables, "METER_LISTEN": FREE_PORT}, own.uid)


def not_own(path: str, uid: int) -> str | None:
    """Why no agent of our own may listen in the socket's folder; None if it may."""
    folder = os.path.dirname(path)
    try:
        around = os.stat(folder)
    except OSError:
        return None  # the one who makes it owns it
    if around.st_uid != uid:
        return f"the folder {folder} belongs to another user ({around.st_uid})"
    return f"the folder {folder} is for several users" if around.st_mode & stat.S_ISVTX else None


def peer_fault(path: str, peer_uid: int, uid: int) -> str | None:
    """Why the user who answers at a socket may not be asked; None if he may.

    Root may ask anybody's agent that is where only its user, or root, can put one.
    """
    if peer_uid in (uid, 0):
        return None
    foreign = f"who listens at {path} is another user ({peer_uid})"
    try:
        owner, around = os.lstat(path).st_uid, os.stat(os.path.dirname(path))
    except OSError:
        return foreign
    if owner not in (peer_uid, 0):
        return foreign
    if uid == 0 and around.st_uid in (peer_uid, 0) and not around.st_mode & stat.S_IWOTH:
        return None
    return taken_by(path, uid)


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
    if not stat.S_ISSOCK(found.st_mode) or around.st_mode & stat.S_IWOTH:
        return False
    ours = {os.getegid(), *os.getgroups()}
    return found.st_mode & _GROUP == _GROUP and found.st_gid in ours


def _elsewhere(environment: Environment) -> Environment:
    left = {name: v for name, v in environment.variables.items() if name != "METER_SOCKET"}
    return Environment(left, environment.uid)
