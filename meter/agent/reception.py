"""Runs as clients ask for them: registered, joined, taken up again, ended, given up.

Runs on the metering thread. A run ends when its last launcher said so; a launcher that vanishes
without a word ends its part of the run at the moment it vanished.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from meter.agent import budgeting
from meter.agent.askers import Askers
from meter.agent.launchers import same_namespace, watched_pid
from meter.agent.problems import NotFoundError
from meter.agent.requests import NewLink
from meter.agent.runs import Ending, LiveRun, Wanted, attempt_id, status_of
from meter.errors import AgentError, ConflictError
from meter.links import SOURCE_OF_ORIGIN
from meter.model import Budget, Mark, Notice, Run, RunLink, RunStatus, Severity
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

    from meter.agent.launchers import Launchers
    from meter.agent.metering import Metering
    from meter.agent.requests import MarkList, NewMark, NewRun, RunEnd

GRACE_NS = 3 * NS_PER_S
"""How long a vanished launcher's word may still be on its way."""
SKEW_NS = NS_PER_S
"""A run that begins so much later than it is registered has another clock."""
SCRAPED_NS = 120 * NS_PER_S
"""How long after a scrape another one is expected: two of the longest usual intervals."""
SCRAPED_LINGER_NS = 60 * NS_PER_S
"""How long ended runs stay to be scraped where nobody said how long."""
DEFAULT_PROJECT = "default"
_NO_PAST: Mapping[str, RunStatus] = MappingProxyType({})


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
        self.linger_ns: int | None = None
        self.scraped_ns: int | None = None  # when /metrics was last asked for over TCP

    @property
    def listed(self) -> bool:
        """Whether the sampler has listed its devices."""
        return self._metering.roll.called

    def judged(self) -> bool:
        """Whether it is known of each listed sensor that it can be read, or that it cannot."""
        return self._metering.roll.judged(self._metering.clock.boot_ns())

    def register(
        self,
        new: NewRun,
        peer_pid: int | None,
        past: Mapping[str, RunStatus] = _NO_PAST,
    ) -> dict[str, Any]:
        """Begin, join or take up a run, or tell whether one could; the answer has its id.

        ``past`` is what the ledger has of the id: the run, and other attempts at it.
        Raises UsageError, ConflictError, AgentError.
        """
        new = self._attempted(new, past)
        ahead_ns = new.started_ns - self._metering.clock.boot_ns()
        if ahead_ns > 0:  # another clock than this node's
            new = new.model_copy(update={"started_ns": new.started_ns - ahead_ns})
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
        fresh = LiveRun(self._run(new), wanted, budgets=_budgets(new), links=_links(new))
        fresh.attached = new.attached is not None
        selection = self._metering.selection(fresh)  # refuses before anything is noted
        held = dict(selection.holds)
        if not new.check:
            held = self._take(new, live, fresh, peer_pid, ahead_ns).shares
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
        self,
        new: NewRun,
        live: LiveRun | None,
        fresh: LiveRun,
        peer_pid: int | None,
        ahead_ns: int,
    ) -> LiveRun:
        if live is None:
            live = fresh
            self._metering.begin(live)
            self._tell_of_attachment(new)
            if ahead_ns > SKEW_NS:
                self._tell_of_skew(new.id, ahead_ns)
        elif not new.resume:
            self._join(live, fresh)
        if live.ending is None:
            self._watch(new, peer_pid)
        return live

    def end(self, run_id: str, end: RunEnd, peer_pid: int | None) -> Future[None] | None:
        """End a run, or one launcher's part of it (None); raises NotFoundError."""
        live = self._live(run_id, ended=True)
        if end.linger_s is not None:
            self.linger_ns = max(self.linger_ns or 0, int(end.linger_s * NS_PER_S))
        if live.ending is not None:
            return live.ending.done
        if peer_pid is not None and self._launchers.leave(run_id, peer_pid):
            live.worst = status_of(end.status, live.worst)
            return None
        status = status_of(end.status, live.worst)
        return self._end(live, end.ended_ns, status, end.exit_code)

    def link(self, run_id: str, new: NewLink) -> str:
        """Add an id that somebody else gave a run, and tell the run's own; raises NotFoundError."""
        live = self._live(run_id)
        self._metering.link(live, _links_of(live.run.id, [new]))
        return live.run.id

    def mark(self, run_id: str, new: NewMark) -> dict[str, Any]:
        """Note an instant inside a run; raises NotFoundError, ConflictError."""
        live = self._open(run_id)
        return {"run": live.run.id, "at_us": self._mark(live, new).at_us}

    def marks(self, run_id: str, new: MarkList) -> dict[str, Any]:
        """Note several instants, those of a source once; raises NotFoundError, ConflictError."""
        live = self._open(run_id)
        source = None if new.source is None else live.marks.source(new.source)
        before = -1 if source is None else source.number
        fresh = [(new.first + place, mark) for place, mark in new.marks]
        if source is not None:
            fresh = [(number, mark) for number, mark in fresh if number > before]
            live.marks.hear(source, new.dropped)
        wrong = [new.first + place for place, _ in new.invalid]
        if source is not None:
            wrong = [number for number in wrong if number > before]
            source.number = max([before, *wrong, *(number for number, _ in fresh)])
        if wrong:
            live.marks.drop("invalid", len(wrong))
        for number, mark in fresh:
            self._mark(live, mark, new.source, number)
        known = len(new.marks) - len(fresh)
        return {"run": live.run.id, "noted": len(fresh), "known": known}

    def _mark(
        self, live: LiveRun, new: NewMark, source: str | None = None, number: int = 0
    ) -> Mark:
        now_ns = self._metering.clock.boot_ns()
        last_ns = now_ns if live.ending is None else live.ending.ended_ns
        at_ns = last_ns if new.at_ns is None else min(max(new.at_ns, live.run.started_ns), last_ns)
        mark = Mark(
            run_id=live.run.id,
            at_us=live.at_us(at_ns),
            energy_mj=0,  # filled in once the curves have come there
            step=new.step,
            epoch=new.epoch,
            phase=new.phase,
            tokens=new.tokens,
            fraction=new.fraction,
            source=source,
            number=None if source is None else number,
        )
        self._metering.mark(live, at_ns, mark)
        return mark

    def _open(self, run_id: str) -> LiveRun:
        """A run that can still be told something: it lives, or is not settled yet."""
        if run_id not in self._metering.runs and run_id in self._metering.ended:
            raise ended_error(run_id)
        return self._live(run_id)

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
            wait_ns = self._linger_ns(now_ns) if self.house.keeps else 0
        return now_ns - self._metering.idle_since_ns >= wait_ns

    def _linger_ns(self, now_ns: int) -> int:
        """How long it was asked to stay; where nobody said, long enough for who scrapes it."""
        if self.linger_ns is not None:
            return self.linger_ns
        scraped = self.scraped_ns is not None and now_ns - self.scraped_ns <= SCRAPED_NS
        return SCRAPED_LINGER_NS if scraped else 0

    def close(self) -> None:
        """Watch nobody any more."""
        self.askers.close()

    def _live(self, run_id: str, *, ended: bool = False) -> LiveRun:
        live = self._metering.runs.get(run_id)
        if live is None and not ended:  # its job may know it by the id that it was begun with
            live = next((run for run in self._attempts(run_id) if run.ending is None), None)
        if live is None and ended and run_id in self._metering.ended:
            live, _ = self._metering.ended[run_id]
        if live is None:
            raise NotFoundError(f"no run {run_id} lives here", "`meter runs` lists them")
        return live

    def _attempts(self, run_id: str) -> list[LiveRun]:
        return [run for run in self._metering.runs.values() if run.is_attempt_at(run_id)]

    def _attempted(self, new: NewRun, past: Mapping[str, RunStatus]) -> NewRun:
        """What is registered for an id from outside, which may have been used up before.

        A run that lives is joined; else the job is another attempt, linked to the id: a restart
        must be metered, and not in a run that was told to have ended.
        """
        if new.origin not in SOURCE_OF_ORIGIN:
            return new
        metering = self._metering
        named = metering.runs.get(new.id)
        for live in (*([named] if named else []), *self._attempts(new.id)):
            if live.run.project == self._project(new) and (live.ending is None or new.resume):
                return new.model_copy(update={"id": live.run.id})
        known = {*metering.runs, *metering.ended, *past}
        if new.resume or new.id not in known:
            return new
        link = NewLink.model_validate({"source": SOURCE_OF_ORIGIN[new.origin], "id": new.id})
        fresh = attempt_id(new.id, known)
        return new.model_copy(update={"id": fresh, "links": [link, *new.links]})

    def _project(self, new: NewRun) -> str:
        return new.project or self.house.project or DEFAULT_PROJECT

    def _tell_of_attachment(self, new: NewRun) -> None:
        """What is not in the figures of a run that began in the midst of its process."""
        if new.attached is None:
            return
        pid = new.attached.pid
        text = f"Attached to process {pid}, which ran before: what it used then is not in this run."
        self._metering.note(Notice("attached", text, run_id=new.id))
        if not new.attached.environment and new.gpus is None:
            text = (
                f"The environment of process {pid} cannot be read, so it is not known which GPUs"
                " it may use: all of them count; name them with --gpus."
            )
            notice = Notice("attached_gpus_unknown", text, Severity.WARNING, run_id=new.id)
            self._metering.note(notice)

    def _tell_of_skew(self, run_id: str, ahead_ns: int) -> None:
        text = (
            f"The run was said to begin {ahead_ns / NS_PER_S:.0f} s after it was registered: its"
            " launcher has another clock than this node. It begins at its registration."
        )
        self._metering.note(Notice("clock_skew", text, Severity.WARNING, run_id=run_id))

    def _run(self, new: NewRun) -> Run:
        anchor = self._metering.anchor
        return Run(
            id=new.id,
            name=new.name or new.command or new.id,
            project=self._project(new),
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
        self._metering.link(live, (replace(one, run_id=live.run.id) for one in fresh.links))
        wanted, live.wanted = live.wanted, fresh.wanted
        self._metering.attach(live)
        live.wanted = wanted

    def _watch(self, new: NewRun, peer_pid: int | None) -> None:
        pid = watched_pid(new.launcher_pid, peer_pid)
        if pid is None or not self._launchers.watch(new.id, pid):
            self._launchers.note(new.id)
        job_pid = new.attached.pid if new.attached else new.job_pid
        if job_pid is not None and peer_pid and same_namespace(peer_pid):
            self._launchers.adopt(new.id, job_pid)

    def _end(
        self, live: LiveRun, ended_ns: int, status: RunStatus, exit_code: int | None
    ) -> Future[None]:
        now_ns = self._metering.clock.boot_ns()
        ended_ns = min(max(ended_ns, live.run.started_ns), now_ns)
        if live.attached and exit_code is None:
            text = (
                "No exit code is known: the process was left running, or only its parent was told."
            )
            self._metering.note(Notice("exit_code_unknown", text, run_id=live.run.id))
        self._launchers.forget(live.run.id)
        return self._metering.end(live, Ending(ended_ns, now_ns, status, exit_code))

    def _give_up(self, live: LiveRun, pid: int, at_ns: int) -> None:
        if self._launchers.leave(live.run.id, pid):
            live.worst = RunStatus.ABANDONED
            return
        text = "The launcher vanished; the run ends where it did."
        self._metering.note(Notice("run_abandoned", text, Severity.WARNING, run_id=live.run.id))
        self._end(live, at_ns, RunStatus.ABANDONED, None)


def _links(new: NewRun) -> set[RunLink]:
    return _links_of(new.id, new.links)


def _links_of(run_id: str, links: Iterable[NewLink]) -> set[RunLink]:
    return {RunLink(run_id, one.source, one.id) for one in links}


def ended_error(run_id: str) -> ConflictError:
    """Of a mark that comes too late."""
    return ConflictError(f"the run {run_id} has ended", "mark it while it runs")


def _budgets(new: NewRun) -> dict[str, Budget]:
    return {
        one.unit: Budget(new.id, one.amount, one.unit, new.stop_over_budget) for one in new.budgets
    }
