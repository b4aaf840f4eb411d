"""Who may talk to the agent over its Unix socket: the kernel tells who a client is.

The socket's mode says the same (0660, private: 0600), but others can be let in by mistake: a wider
mode, a descriptor handed on. Root, the agent's own user and members of the socket's group may,
the latter as far as its mode gives the group any right.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from dataclasses import dataclass

_UCRED = struct.Struct("3i")
_SO_PEERGROUPS = 59  # no name in Python's socket module
_GROUPS = 256  # as many as Python asks for; of a client in more the first one counts
_GID = struct.Struct("I")
_TOLD = 100  # users that are told of in the log


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the agent's kernel sees it (PID 0: of no such namespace)."""

    pid: int
    uid: int
    gids: frozenset[int]

    @classmethod
    def of(cls, connected: socket.socket) -> Peer:
        """The client of a connection."""
        pid, uid, gid = _UCRED.unpack(
            connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        return cls(pid, uid, frozenset({gid, *_groups(connected)}))


class Door:
    """Lets clients of a socket in or not, and tells of each user that is refused once."""

    def __init__(self, path: str, uid: int) -> None:
        self._path = path
        self._uid = uid
        self._refused: set[int] = set()

    def admits(self, peer: Peer) -> bool:
        """Whether a client may come in."""
        if peer.uid in (0, self._uid) or self._group() in peer.gids:
            return True
        if peer.uid not in self._refused and len(self._refused) < _TOLD:
            self._refused.add(peer.uid)
            text = f"refused user {peer.uid} (process {peer.pid}) at {self._path}"
            sys.stderr.write(f"meter: {text}: neither of this user nor of the socket's group\n")
            sys.stderr.flush()
        return False

    def _group(self) -> int | None:
        """The group that the socket is shared with, looked up anew: an administrator's to set."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  as cheap as can be: on each connection
        except OSError:
            return None
        return found.st_gid if found.st_mode & stat.S_IRWXG else None


def _groups(connected: socket.socket) -> list[int]:
    """Groups of the client beside its first; none where they are not told (before Linux 4.13)."""
    try:
        raw = connected.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS * _GID.size)
    except OSError:
        return []
    return [gid for (gid,) in _GID.iter_unpack(raw)]
