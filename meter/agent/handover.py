# ruff: noqa: PTH120  paths are strings where a start is short
"""How a node's agent takes over from a private one that stands in for it.

Where the node's agent is killed under a job, the launcher starts a private one at the same socket,
with the same ledger, port and leases. The node's agent that comes back asks it to end: runs that
live go on in the one that comes, as after any restart, so nothing is lost or counted twice. Until
then it holds a lock beside the socket's: every launcher of the one that ends starts another, and
none of those may take the place first.
"""

from __future__ import annotations

import fcntl
import os
import signal

from meter.agent.boot import heir_name
from meter.errors import AgentError
from meter.launch.client import Exchange, NoAgentError, NoAnswerError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

HANDED_S = 20.0
"""How long a private agent may take to begin, to answer and to end: on a busy node some seconds."""
_ANSWER_S = 2.0


class Heir:
    """A node's agent before it has the socket; ``home`` is the folder of its ledger."""

    def __init__(self, home: str) -> None:
        self._home = os.path.realpath(home)
        self._asked: set[int] = set()
        self._claim = -1

    def is_kept(self, socket: str) -> bool:
        """Whether the agent that listens there stays; a private one of our ledger is asked to end.

        None listens while one begins or ends, and one that begins may not answer yet.
        """
        self._wait(socket)
        try:
            exchange = Exchange(socket, "GET", "/v1/status", timeout_s=_ANSWER_S)
            pid = exchange.agent_pid
            if pid not in self._asked:
                return not self._ends(pid, exchange.answer(_ANSWER_S)[1])
            exchange.close()
        except (NoAgentError, NoAnswerError):
            return False
        except AgentError:  # none of ours to end
            return True
        return False

    def arrive(self) -> None:
        """It has the place, and waits no more."""
        if self._claim >= 0:
            os.close(self._claim)
            self._claim = -1

    def _wait(self, socket: str) -> None:
        """Tell private agents of our ledger to leave the place to us; the lock ends with us."""
        if self._claim >= 0:
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(heir_name(socket), flags, 0o600)
        except OSError:  # a folder that is not ours to write in: then we only ask
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody looks, or another one waits; tried again
            os.close(fd)
            return
        os.ftruncate(fd, 0)
        os.write(fd, os.fsencode(self._home))
        self._claim = fd

    def _ends(self, pid: int, status: dict[str, Any]) -> bool:
        """Ask it, if it is one that may be asked; ``pid`` is its number as the kernel tells it."""
        agent, ledger = status.get("agent") or {}, status.get("ledger") or {}
        stands_in = agent.get("private") is True and agent.get("pid") == pid
        if not stands_in or ledger.get("keeps") is not True:
            return False
        if os.path.realpath(os.path.dirname(ledger["path"])) != self._home:
            return False
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return True
        except OSError:  # another user's
            return False
        self._asked.add(pid)
        return True
