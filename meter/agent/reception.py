"""Runs as clients ask for them: registered, joined, taken up again, ended, given up.

Runs on the metering thread. A run ends when its last launcher said so; a launcher that vanishes
without a word ends its part of the run at the moment it vanished.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from meter.agent import budgeting, clocks
from meter.agent.addresses import Addresses
from meter.agent.askers import Askers
from meter.agent.launchers import has_ended, ran, same_namespace, watched_pid
from meter.agent.mark_intake import MarkIntake
from meter.agent.patience import Patience
from meter.agent.requests import NewLink
from meter.agent.runs import Ending, LiveRun, Outcome, Wanted, attempt_id
from meter.errors import AgentError, ConflictError
from meter.limits import DEFAULT_PROJECT
from meter.links import SOURCE_OF_ORIGIN
from meter.model import Budget, Notice, Run, RunLink, RunStatus, Severity
from meter.snapshot import AS_SCRAPED, Reach
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from meter.agent.attendance import Relations
    from meter.agent.last_words import LastWords, Word
    from meter.agent.launchers import Launchers
    from meter.agent.metering import Metering
    from meter.agent.requests import NewRun, RunEnd
    from meter.ledger.recovery import Attempt

GRACE_NS = 3 * NS_PER_S
"""How long a vanished launcher's word may still be on its way."""
_NO_PAST: Mapping[str, Attempt] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class House:
    """What clients are told about the agent."""

    ledger: str
    project: str | None
    faults: tuple[Notice, ...] = ()  # what keeps it from metering as it should
    listens: tuple[str, ...] = ()  # TCP addresses, HOST:PORT
    reach: Reach = AS_SCRAPED
    keeps: bool = True  # False: the ledger is in memory, and nothing will ever be durable


class Reception:
    """Keeps the runs of a metering."""

    def __init__(
        self,
        metering: Metering,
        launchers: Launchers,
        house: House,
        relations: Relations | None = None,
        words: LastWords | None = None,
    ) -> None:
        self._metering = metering
        self._addresses = Addresses(metering, relations)
        self.intake = MarkIntake(metering, self._addresses)
        self._launchers = launchers
        self._words = words
        self.house = house
        self._vanished: dict[tuple[str, int], int] = {}
        self.askers = Askers()
        self.patience = Patience(metering, self.askers, keeps=house.keeps)

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
        past: Mapping[str, Attempt] = _NO_PAST,
    ) -> dict[str, Any]:
        """Begin, join or take up a run, or tell whether one could; the answer has its id.

        ``past`` is what the ledger has of the id: the run, and other attempts at it.
        Raises UsageError, ConflictError, AgentError.
        """
        offset_ns = clocks.offset_of(new, peer_pid, new.started_ns)
        new = self._attempted(_at_our_time(new, offset_ns), past)
        self.askers.add(watched_pid(new.launcher_pid, peer_pid))
        if new.gpus is not None and not self.listed:
            raise AgentError("the devices are not known yet", "try again in a moment")
        live = self._known(new, past)
        wanted = Wanted(
            new.gpus,
            new.cuda_visible_devices,
            new.cuda_device_order,
            new.nvidia_visible_devices,
        )
        fresh = LiveRun(
            self._run(new), wanted, budgets=_budgets(new), links=_links_of(new.id, new.links)
        )
        fresh.attached = new.attached is not None
        selection = self._metering.selection(fresh)  # refuses before anything is noted
        held = dict(selection.holds)
        over = live is None and new.resume and _is_over(past.get(new.id))
        if not new.check and not over:
            held = self._take(new, live, fresh, peer_pid, offset_ns).shares
        roll, now_ns = self._metering.roll, self._metering.clock.boot_ns()
        absent = [*roll.absences(), *(n for n in roll.unread(now_ns) if n.device_id in held)]
        notices = [*self._metering.place.notices, *selection.notices, *absent]
        taken = [roll.notice_of(d) for d, _ in selection.holds if roll.is_gpu_elsewhere(d)]
        faults = [*self.house.faults, *absent, *taken]
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
        offset_ns: int,
    ) -> LiveRun:
        if live is None:
            live = fresh
            self._metering.begin(live)
            self._tell_of_attachment(new)
        elif not new.resume:
            self._join(live, fresh)
        if abs(offset_ns) > clocks.TOLD_NS and not new.resume:
            self._metering.note(clocks.skew_notice(live.run.id, offset_ns))
        if live.ending is None:
            self._watch(new, peer_pid)
        return live

    def end(self, run_id: str, end: RunEnd, peer_pid: int | None) -> Future[None] | None:
        """End a run, or one launcher's part of it (None); raises NotFoundError."""
        live = self._addresses.exact(run_id)
        if end.linger_s is not None:
            self.patience.linger(end.linger_s)
        if live.ending is not None:
            return live.ending.done
        outcome = Outcome(RunStatus(end.status), end.exit_code)
        ended_ns = end.ended_ns
        if "ended_ns" in end.model_fields_set:
            ended_ns += clocks.offset_of(end, peer_pid, ended_ns)
        ended_ns = min(ended_ns, self._metering.clock.boot_ns())
        if peer_pid is not None and self._launchers.leave(run_id, peer_pid, outcome, ended_ns):
            return None
        return self._end(live, ended_ns, self._launchers.outcome(run_id, outcome))

    def end_as_left(self, words: Sequence[Word] | None = None) -> None:
        """End runs as their launchers wrote it while nobody listened; by what is left now."""
        if words is None:
            words = [] if self._words is None else self._words.all()
        over: dict[str, Word] = {}
        for word in words:
            live = self._metering.runs.get(word.run_id)
            if live is not None and live.ending is None and word.ended_ns >= live.run.started_ns:
                others = self._launchers.leave(word.run_id, word.pid, word.outcome, word.ended_ns)
                over.update({} if others else {word.run_id: word})
        for run_id, word in over.items():
            outcome = self._launchers.outcome(run_id, word.outcome)
            self._end(self._metering.runs[run_id], word.ended_ns, outcome)
        if self._words is not None and words:
            self._words.drop(words)

    def link(self, run_id: str, new: NewLink, peer_pid: int | None = None) -> tuple[str, bool]:
        """Add an id that somebody else gave a run; the run's own, and False if it is settled.

        To a settled one the caller adds it. Raises NotFoundError.
        """
        live = self._addresses.meant(run_id, peer_pid)
        if self._addresses.settled(live):
            return live.run.id, False
        self._metering.link(live, _links_of(live.run.id, [new]))
        return live.run.id, True

    def budgets(self, run_id: str) -> dict[str, Any]:
        """What a run has used of its budgets; raises NotFoundError."""
        live, books = self._addresses.exact(run_id), self._metering.books
        found = [use.plain() for use in budgeting.uses(live, books)]
        return {"run": run_id, "budgets": found, "stop": budgeting.stops(live, books)}

    def look_after(self, now_ns: int) -> None:
        """End what launchers left behind."""
        self.askers.forget_ended()
        if self._metering.runs:
            self.end_as_left()
        for run_id, pid in self._launchers.gone():
            self._vanish(run_id, pid, now_ns)
        for (run_id, pid), at_ns in list(self._vanished.items()):
            live = self._metering.runs.get(run_id)
            if live is None or live.ending is not None:
                del self._vanished[run_id, pid]
            elif now_ns - at_ns >= GRACE_NS:
                del self._vanished[run_id, pid]
                self._give_up(live, pid, at_ns)

    def close(self) -> None:
        """Watch nobody any more."""
        self.askers.close()

    def _attempted(self, new: NewRun, past: Mapping[str, Attempt]) -> NewRun:
        """What is registered for an id from outside, which may have been used up before.

        A run that lives is joined; else the job is another attempt, linked to the id: a restart
        must be metered, and not in a run that was told to have ended.
        """
        if new.origin not in SOURCE_OF_ORIGIN:
            return new
        metering = self._metering
        named = metering.runs.get(new.id)
        for live in (*([named] if named else []), *self._addresses.attempts(new.id)):
            same = live.run.project == self._project(new)
            if same and (live.ending is None or self._goes_on(new, live)):
                return new.model_copy(update={"id": live.run.id})
        known = {*metering.runs, *metering.ended, *past}
        if new.id not in known or (new.resume and not self._ended_before(new, past)):
            return new
        link = NewLink.model_validate({"source": SOURCE_OF_ORIGIN[new.origin], "id": new.id})
        fresh = attempt_id(new.id, known)
        update = {"id": fresh, "links": [link, *new.links], "resume": False}
        return new.model_copy(update=update)

    def _ended_before(self, new: NewRun, past: Mapping[str, Attempt]) -> bool:
        """Whether the run of an id was over when this job began: then it is not this job's."""
        live, _ = self._metering.ended.get(new.id, (None, 0))
        live = self._metering.runs.get(new.id, live)
        if live is not None:
            return live.ending is not None and not self._goes_on(new, live)
        known = past.get(new.id)
        began_us = self._metering.anchor.us(new.started_ns)
        return known is not None and known.ended_us is not None and began_us >= known.ended_us

    def _goes_on(self, new: NewRun, live: LiveRun) -> bool:
        """Whether a run that ends is the one that a launcher has registered before."""
        return new.resume and live.ending is not None and new.started_ns < live.ending.ended_ns

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

    def _known(self, new: NewRun, past: Mapping[str, Attempt]) -> LiveRun | None:
        """The run, if it lives or has just ended; raises ConflictError for a new one of that id.

        A launcher whose answer got lost asks again: it finds its run as it left it.
        """
        live = self._metering.runs.get(new.id)
        if live is None and new.id in self._metering.ended:
            live, _ = self._metering.ended[new.id]
            if live.ending is not None and live.ending.status is RunStatus.ABANDONED:
                live = None if new.resume else live
        over = live.ending is not None and not new.resume if live else self._used_up(new, past)
        if over:
            raise ConflictError(f"the run {new.id} has ended", "give another METER_RUN_ID")
        return live

    def _used_up(self, new: NewRun, past: Mapping[str, Attempt]) -> bool:
        """Whether an id that no run here has is one of a run that was over before."""
        known = past.get(new.id)
        if not new.resume:
            return known is not None and known.ended_us is not None
        return _is_over(known) and self._ended_before(new, past)

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
        self._metering.attach(live, max(fresh.run.started_ns, live.run.started_ns))
        live.wanted = wanted

    def _watch(self, new: NewRun, peer_pid: int | None) -> None:
        pid = watched_pid(new.launcher_pid, peer_pid)
        job_pid = new.attached.pid if new.attached else new.job_pid
        ours = peer_pid and (new.launcher_pid == peer_pid or same_namespace(peer_pid))
        if job_pid is not None and ours and ran(job_pid, new.started_ns):
            self._launchers.adopt(new.id, job_pid, pid)
        if pid is not None and self._launchers.watch(new.id, pid):
            return
        if pid is None or not has_ended(pid):
            self._launchers.note(new.id)
        else:  # it was gone before its word was read
            self._vanish(new.id, pid, self._metering.clock.boot_ns())

    def _vanish(self, run_id: str, pid: int, at_ns: int) -> None:
        """A launcher is gone: its job is watched instead, if that is known, or soon given up."""
        if not self._launchers.hand_over(run_id, pid):
            self._vanished[run_id, pid] = at_ns
        elif run_id in self._metering.runs:
            text = "The launcher vanished; the run goes on until its process ends."
            self._metering.note(Notice("launcher_vanished", text, Severity.WARNING, run_id=run_id))

    def _end(self, live: LiveRun, ended_ns: int, outcome: Outcome) -> Future[None]:
        now_ns = self._metering.clock.boot_ns()
        ended_ns = self._launchers.ended_ns(live.run.id, ended_ns)
        ended_ns = min(max(ended_ns, live.run.started_ns), now_ns)
        if live.attached and outcome.exit_code is None:
            text = (
                "No exit code is known: the process was left running, or only its parent was told."
            )
            self._metering.note(Notice("exit_code_unknown", text, run_id=live.run.id))
        self._launchers.forget(live.run.id)
        ending = Ending(ended_ns, now_ns, outcome.status, outcome.exit_code)
        return self._metering.end(live, ending)

    def _give_up(self, live: LiveRun, pid: int, at_ns: int) -> None:
        outcome = Outcome(RunStatus.ABANDONED)
        where = "its process" if self._launchers.outlived(live.run.id, pid) else "it"
        if self._launchers.leave(live.run.id, pid, outcome, at_ns):
            return
        text = f"The launcher vanished; the run ends where {where} did."
        self._metering.note(Notice("run_abandoned", text, Severity.WARNING, run_id=live.run.id))
        self._end(live, at_ns, outcome)


def _at_our_time(new: NewRun, offset_ns: int) -> NewRun:
    """A registration with its start by this node's clock: after its boot, and not to come."""
    if "started_ns" not in new.model_fields_set:
        return new
    started_ns = max(0, min(new.started_ns + offset_ns, new.received_ns))
    return new.model_copy(update={"started_ns": started_ns})


def _is_over(known: Attempt | None) -> bool:
    """Whether a run was told to have ended; an abandoned one may go on."""
    return known is not None and known.status in (RunStatus.COMPLETED, RunStatus.FAILED)


def _links_of(run_id: str, links: Iterable[NewLink]) -> set[RunLink]:
    return {RunLink(run_id, one.source, one.id) for one in links}


def _budgets(new: NewRun) -> dict[str, Budget]:
    return {
        one.unit: Budget(new.id, one.amount, one.unit, new.stop_over_budget) for one in new.budgets
    }
