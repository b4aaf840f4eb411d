# ruff: noqa: PTH120  paths are strings where a start is short
"""How a node's agent takes over from a private one that stands in for it.

Where the node's agent is killed under a job, the launcher starts a private one at the same socket,
with the same ledger, port and leases. The node's agent that comes back asks it to end: runs that
live go on in the one that comes, as after any restart, so nothing is lost or counted twice.
"""

from __future__ import annotations

import os
import signal

from meter.errors import AgentError
from meter.launch.client import Exchange, NoAgentError, NoAnswerError

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from typing import Any

HANDED_S = 10.0
"""How long an agent that was asked to end may take; it gives itself half of that."""
_ANSWER_S = 2.0


class Heir:
    """A node's agent before it has the socket; ``home`` is the folder of its ledger."""

    def __init__(self, home: str) -> None:
        self._home = os.path.realpath(home)
        self._asked: set[int] = set()

    def is_kept(self, socket: str) -> bool:
        """Whether the agent that listens there stays; a private one of our ledger is asked to end.

        None listens while one begins or ends, and one that begins may not answer yet.
        """
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
