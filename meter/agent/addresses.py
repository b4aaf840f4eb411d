"""Which run a client means by an id.

Several attempts may go by the id that their jobs were given, some at once: then it counts whose
process asks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meter.agent.launchers import began_ns
from meter.agent.problems import NotFoundError
from meter.errors import ConflictError
from meter.links import SOURCE_OF_ORIGIN

if TYPE_CHECKING:
    from meter.agent.attendance import Relations
    from meter.agent.metering import Metering
    from meter.agent.runs import LiveRun


class Addresses:
    """Finds runs that live here, or have just ended."""

    def __init__(self, metering: Metering, relations: Relations | None = None) -> None:
        self._metering = metering
        self._relations = relations

    def exact(self, run_id: str) -> LiveRun:
        """The run of this very id; raises NotFoundError."""
        live = self._metering.runs.get(run_id)
        if live is None and run_id in self._metering.ended:
            live, _ = self._metering.ended[run_id]
        if live is None:
            raise not_found(run_id)
        return live

    def attempts(self, run_id: str) -> list[LiveRun]:
        """Other attempts at a run that live or end."""
        return [run for run in self._metering.runs.values() if run.is_attempt_at(run_id)]

    def meant(self, run_id: str, peer_pid: int | None = None, source: str | None = None) -> LiveRun:
        """The run that a job means; it may be settled already. Raises NotFoundError.

        That of the asking process, else the one that heard of ``source`` before, else one that
        lives. A process that began after an attempt's end is of another one.
        """
        began = None if peer_pid is None else began_ns(peer_pid)
        found = [live for live in self._named(run_id) if not _was_over(live, began)]
        if not found:
            raise not_found(run_id)
        if len(found) > 1:
            whose = self._whose(peer_pid)
            own = [live for live in found if live.run.id == whose]
            heard = [live for live in found if source is not None and source in live.marks.sources]
            found = own or heard or found
        return min(found, key=self._over)  # the first of those that are equal

    def settled(self, live: LiveRun) -> bool:
        """Whether nothing can be added to a run any more."""
        return live.run.id not in self._metering.runs

    def _over(self, live: LiveRun) -> int:
        return 2 if self.settled(live) else int(live.ending is not None)

    def _named(self, run_id: str) -> list[LiveRun]:
        """The run and all attempts at it, those that have ended last."""
        metering = self._metering
        live = [metering.runs[run_id]] if run_id in metering.runs else []
        ended = [
            one
            for one, _ in metering.ended.values()
            if one.run.id == run_id or one.is_attempt_at(run_id)
        ]
        return [*live, *self.attempts(run_id), *reversed(ended)]

    def _whose(self, pid: int | None) -> object:
        """The run of a process, where /proc numbers processes as the kernel told us this one."""
        if not pid or self._relations is None or not _own_numbers():
            return None
        self._relations.refresh()
        return self._relations.of(pid)


def _was_over(live: LiveRun, began: int | None) -> bool:
    """Whether a run had ended when a process began that is perhaps of another attempt at it."""
    if began is None or live.ending is None or live.run.origin not in SOURCE_OF_ORIGIN:
        return False
    return began > live.ending.ended_ns


def _own_numbers() -> bool:
    try:
        return str(Path("/proc/self").readlink()) == str(os.getpid())
    except OSError:
        return False


def not_found(run_id: str) -> NotFoundError:
    """Of a run that does not live here."""
    return NotFoundError(f"no run {run_id} lives here", "`meter runs` lists them")


def ended_error(run_id: str) -> ConflictError:
    """Of a mark that comes too late."""
    return ConflictError(f"the run {run_id} has ended", "mark it while it runs")
