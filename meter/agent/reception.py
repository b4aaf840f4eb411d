"""Runs as clients ask for them: registered, joined, taken up again, ended, given up.

Runs on the metering thread. A run ends when its last launcher said so; a launcher that vanishes
without a word ends its part of the run at the moment it vanished.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.agent import budgeting
from meter.agent.askers import Askers
from meter.agent.launchers import watched_pid
from meter.agent.problems import NotFoundError
from meter.agent.runs import Ending, LiveRun, Wanted, status_of
from meter.errors import AgentError, ConflictError
from meter.model import Budget, Mark, Notice, Run, RunStatus, Severity
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from concurrent.futures import Future

    from meter.agent.launchers import Launchers
    from meter.agent.metering import Metering
    from meter.agent.requests import NewMark, NewRun, RunEnd

GRACE_NS = 3 * NS_PER_S
"""How long a vanished launcher's word may still be on its way."""
DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class House:
    """What clients are told about the agent."""

    ledger: str
    project: str | None
    faults: tuple[Notice, ...] = ()  # what keeps it from metering as it should
    listens: tuple[str, ...] = ()  # TCP addresses, HOST:PORT
    keeps: bool = True  # False: the ledger is in memory, and nothing will ever be durable


class Reception:
    """Keeps the runs of a metering."""

    def __init__(self, metering: Metering, launchers: Launchers, house: House) -> None:
        self._metering = metering
        self._launchers = launchers
        self.house = house
        self._vanished: dict[tuple[str, int], int] = {}
        self.askers = Askers()
        self.linger_ns = 0

    @property
    def listed(self) -> bool:
        """Whether the sampler has listed its devices."""
        return self._metering.roll.called

    def judged(self) -> bool:
        """Whether it is known of each listed sensor that it can be read, or that it cannot."""
        return self._metering.roll.judged(self._metering.clock.boot_ns())

    def register(self, new: NewRun, peer_pid: int | None) -> dict[str, Any]:
        """Begin, join or take up a run, or tell whether one could.

        Raises UsageError, ConflictError, AgentError.
        """
        self.askers.add(watched_pid(new.launcher_pid, peer_pid))
        if new.gpus is not None and not self.listed:
            raise AgentError("the devices are not known yet", "try again in a moment")
        live = self._known(new)
        wanted = Wanted(
            new.gpus,
            new.cuda_visible_devices,
            new.cuda_device_order,
            new.nvidia_visible_devices,
        )
        fresh = LiveRun(self._run(new), wanted, budgets=_budgets(new))
        selection = self._metering.selection(fresh)  # refuses before anything is noted
        held = dict(selection.holds)
        if not new.check:
            held = self._take(new, live, fresh, peer_pid).shares
        roll, now_ns = self._metering.roll, self._metering.clock.boot_ns()
        absent = [*roll.absences(), *(n for n in roll.unread(now_ns) if n.device_id in held)]
        notices = [*self._metering.place.notices, *selection.notices, *absent]
        faults = [*self.house.faults, *absent]
        return {
            "id": new.id,
            "notices": [{"code": n.code, "text": n.text} for n in notices],
            "faults": [{"code": n.code, "text": n.text} for n in faults],
            "devices": [
                {"id": d, "component": t.device.component.value, "name": t.device.name}
                for d, t in roll.tracks.items()
                if d in held
            ],
            "ledger": self.house.ledger,
            "agent_pid": os.getpid(),
        }

    def _take(
        self, new: NewRun, live: LiveRun | None, fresh: LiveRun, peer_pid: int | None
    ) -> LiveRun:
        if live is None:
            live = fresh
            self._metering.begin(live)
        elif not new.resume:
            self._join(live, fresh)
        if live.ending is None:
            self._watch(new, peer_pid)
        return live

    def end(self, run_id: str, end: RunEnd, peer_pid: int | None) -> Future[None] | None:
        """End a run, or one launcher's part of it (None); raises NotFoundError."""
        live = self._live(run_id, ended=True)
        if end.linger_s is not None:
            self.linger_ns = max(self.linger_ns, int(end.linger_s * NS_PER_S))
        if live.ending is not None:
            return live.ending.done
        if peer_pid is not None and self._launchers.leave(run_id, peer_pid):
            live.worst = status_of(end.status, live.worst)
            return None
        status = status_of(end.status, live.worst)
        return self._end(live, end.ended_ns, status, end.exit_code)

    def mark(self, run_id: str, new: NewMark) -> dict[str, Any]:
        """Note an instant inside a run; raises NotFoundError."""
        live = self._live(run_id)
        now_ns = self._metering.clock.boot_ns()
        at_ns = now_ns if new.at_ns is None else min(max(new.at_ns, live.run.started_ns), now_ns)
        mark = Mark(
            run_id=run_id,
            at_us=live.at_us(at_ns),
            energy_mj=0,  # filled in once the curves have come there
            step=new.step,
            epoch=new.epoch,
            phase=new.phase,
            tokens=new.tokens,
            fraction=new.fraction,
        )
        self._metering.mark(live, at_ns, mark)
        return {"run": run_id, "at_us": mark.at_us}

    def budgets(self, run_id: str) -> dict[str, Any]:
        """What a run has used of its budgets; raises NotFoundError."""
        live, books = self._live(run_id, ended=True), self._metering.books
        found = [use.plain() for use in budgeting.uses(live, books)]
        return {"run": run_id, "budgets": found, "stop": budgeting.stops(live, books)}

    def look_after(self, now_ns: int) -> None:
        """End what launchers left behind."""
        self.askers.forget_ended()
        for gone in self._launchers.gone():
            self._vanished[gone] = now_ns
        for (run_id, pid), at_ns in list(self._vanished.items()):
            live = self._metering.runs.get(run_id)
            if live is None or live.ending is not None:
                del self._vanished[run_id, pid]
            elif now_ns - at_ns >= GRACE_NS:
                del self._vanished[run_id, pid]
                self._give_up(live, pid, at_ns)

    def idle(self, now_ns: int, patience_ns: int) -> bool:
        """Whether nothing has lived here for so long, or for the linger that was asked for.

        Nobody waits where nothing is kept, or for a run whose launcher asked and has gone.
        """
        if self._metering.runs:
            return False
        if not self._metering.ended:
            wait_ns = 0 if self.askers.gone else patience_ns
        else:
            wait_ns = self.linger_ns if self.house.keeps else 0
        return now_ns - self._metering.idle_since_ns >= wait_ns

    def close(self) -> None:
        """Watch nobody any more."""
        self.askers.close()

    def _live(self, run_id: str, *, ended: bool = False) -> LiveRun:
        live = self._metering.runs.get(run_id)
        if live is None and ended and run_id in self._metering.ended:
            live, _ = self._metering.ended[run_id]
        if live is None:
            raise NotFoundError(f"no run {run_id} lives here", "`meter runs` lists them")
        return live

    def _run(self, new: NewRun) -> Run:
        anchor = self._metering.anchor
        return Run(
            id=new.id,
            name=new.name or new.command or new.id,
            project=new.project or self.house.project or DEFAULT_PROJECT,
            started_us=anchor.us(new.started_ns),
            started_ns=new.started_ns,
            node_id=self._metering.place.node.id,
            site_id=self._metering.site_id,
            tags=tuple(sorted(new.tags.items())),
            origin=new.origin,
            command=None if new.command is None else new.command.rpartition("/")[2],
            simulated=any(d.simulated for d in self._metering.roll.known.values()),
        )

    def _known(self, new: NewRun) -> LiveRun | None:
        """The run, if it lives or has just ended; raises ConflictError for a new one of that id.

        A launcher whose answer got lost asks again: it finds its run as it left it.
        """
        live = self._metering.runs.get(new.id)
        if live is None and new.id in self._metering.ended:
            live, _ = self._metering.ended[new.id]
            if live.ending is not None and live.ending.status is RunStatus.ABANDONED:
                live = None if new.resume else live
        if live is not None and live.ending is not None and not new.resume:
            raise ConflictError(f"the run {new.id} has ended", "give another METER_RUN_ID")
        return live

    def _join(self, live: LiveRun, fresh: LiveRun) -> None:
        """Another launcher of the same run: its devices are added."""
        if fresh.run.project != live.run.project:
            raise ConflictError(
                f"the run {live.run.id} lives already, in another project",
                "give another METER_RUN_ID",
            )
        self._metering.allow(live, fresh.budgets.values())
        wanted, live.wanted = live.wanted, fresh.wanted
        self._metering.attach(live)
        live.wanted = wanted

    def _watch(self, new: NewRun, peer_pid: int | None) -> None:
        pid = watched_pid(new.launcher_pid, peer_pid)
        if pid is None or not self._launchers.watch(new.id, pid):
            self._launchers.note(new.id)

    def _end(
        self, live: LiveRun, ended_ns: int, status: RunStatus, exit_code: int | None
    ) -> Future[None]:
        now_ns = self._metering.clock.boot_ns()
        ended_ns = min(max(ended_ns, live.run.started_ns), now_ns)
        self._launchers.forget(live.run.id)
        return self._metering.end(live, Ending(ended_ns, now_ns, status, exit_code))

    def _give_up(self, live: LiveRun, pid: int, at_ns: int) -> None:
        if self._launchers.leave(live.run.id, pid):
            live.worst = RunStatus.ABANDONED
            return
        text = "The launcher vanished; the run ends where it did."
        self._metering.note(Notice("run_abandoned", text, Severity.WARNING, run_id=live.run.id))
        self._end(live, at_ns, RunStatus.ABANDONED, None)


def _budgets(new: NewRun) -> dict[str, Budget]:
    return {
        one.unit: Budget(new.id, one.amount, one.unit, new.stop_over_budget) for one in new.budgets
    }
