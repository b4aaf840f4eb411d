"""The meter itself: readings in; intervals, counters and run states out; one thread, no waiting.

Driven by the loop with frames, commands and the time. A part is booked a second late, so that
the end of a run, which is told when it is over, still finds its last second unbooked.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, replace
from typing import TYPE_CHECKING

from meter.agent.attendance import Attendance
from meter.agent.booking import Books
from meter.agent.budgeting import BudgetWatch
from meter.agent.draft import Draft
from meter.agent.known_runs import KnownRuns
from meter.agent.marking import Marks
from meter.agent.noticing import Notices
from meter.agent.outbox import Outbox
from meter.agent.recovery import Recovered
from meter.agent.roll import Roll
from meter.agent.settling import RETURN_NS, Settling
from meter.agent.tally import Tally
from meter.agent.wall_clock import WallClock
from meter.agent.wishes import selection_of
from meter.factors.bundled import embodied_for
from meter.metering.intervals import IntervalBuilder
from meter.metering.splits import notice_of
from meter.metering.wall import WallAnchor
from meter.model import Component, DeviceUse, Hold, Notice, RunState, RunStatus, Severity
from meter.sampling.frames import Hello
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future
    from fractions import Fraction

    from meter.agent.booking import Pricing
    from meter.agent.leases import Leases
    from meter.agent.outbox import Store
    from meter.agent.place import Clock, Place
    from meter.agent.runs import Ending, LiveRun
    from meter.metering.activity import Use
    from meter.model import Budget, Device, Mark, RawReading, RunLink, SamplerBatch
    from meter.sampling.identity import Selection

LATE_NS = NS_PER_S
"""How late parts are booked."""
LEFT_OUT_NS = 600 * NS_PER_S
"""Who has no series is left out for this time after it was there, and twice as long at most."""
FIRST_RUN_NS = 10 * NS_PER_S
"""How long a private agent waits with booking for the run that it was started for."""


class Metering:
    """All that is live: devices, runs, open intervals, totals."""

    def __init__(
        self,
        place: Place,
        store: Store,
        leases: Leases,
        pricing: Callable[[int], Pricing],
        clock: Clock,
        recovered: Recovered | None = None,
        attendance: Attendance | None = None,
    ) -> None:
        recovered = recovered or Recovered()
        self._attendance = attendance or Attendance()
        self.place = place
        self.clock = clock
        self.started_ns = clock.boot_ns()
        self.roll = Roll(
            leases,
            recovered.starts,
            private=place.private,
            held={device_id for live in recovered.runs for device_id in live.shares},
        )
        self._known = KnownRuns(recovered.shown, self.started_ns)
        self.runs, self.ended = self._known.living, self._known.ended
        self.builder = IntervalBuilder(
            WallAnchor(self.started_ns, clock.wall_us()), idle=place.idle
        )
        self._wall = WallClock(clock, self.builder)
        self.books = Books(recovered.counters, self._wall.us)
        self.budgets = BudgetWatch(recovered.told)
        self._tally = Tally(
            self.builder, self.books, lambda: pricing(self._wall.us()), self.roll.known, self._known
        )
        draft = Draft(nodes=[place.node], sites=[place.site], factors=list(place.factors))
        self.outbox = Outbox(store, draft, place.site.id)
        self._notices = Notices(self.outbox, self._known, self.roll.known, self._wall.us)
        self._settling = Settling(self.roll, self._known, self._tally, self._notices, self.outbox)
        self.heard_ns: int | None = None
        self.dropped = 0
        self._turned_ns = self.started_ns  # when the present span of what is left out began
        self._had_run = not place.private
        self._take_up(recovered)

    @property
    def anchor(self) -> WallAnchor:
        """What instants are called now."""
        return self._wall.anchor

    @property
    def hurry(self) -> bool:
        """Whether something waits to become durable at once."""
        return self.outbox.hurry

    @property
    def on_page(self) -> dict[str, LiveRun]:
        """Runs that have series: those that live, then those that ended a short while ago."""
        return self._known.on_page

    @property
    def idle_since_ns(self) -> int:
        """When the last run was settled."""
        return self._known.idle_since_ns

    @property
    def dropped_marks(self) -> int:
        """Marks that were made and are not kept, since the agent's start."""
        return self._known.dropped_marks

    @property
    def ending(self) -> bool:
        """Whether a run waits for its end."""
        return bool(self._known.ending)

    @property
    def has_gpus(self) -> bool:
        """Whether GPUs are to be metered here: one is there, or was in this ledger's time."""
        seen = any(one.component is Component.GPU for one in self.roll.known.values())
        return seen or self.place.board or self.books.has_gpus

    @property
    def site_id(self) -> str:
        """Where is metered."""
        return self.place.site.id

    # -- what the sampler says ----------------------------------------------------------------

    def take(self, frame: Hello | SamplerBatch, now_ns: int) -> None:
        """Take a frame of the sampler."""
        if isinstance(frame, Hello):
            self._admit(*self.roll.call(frame))
            return
        self.heard_ns = now_ns
        self.dropped += frame.dropped
        for reading in frame.readings:
            taker = self.roll.at(reading.device_id)
            if taker is not None:
                taker.take(reading)
        for fault in frame.faults:
            taker = self.roll.at(fault.device_id)
            if taker is not None:
                taker.fault(fault)
        tracks = self.roll.looked_at()
        for status in frame.statuses:
            track = tracks.get(status.device_id)
            if track is not None:
                track.status = status
        for lock in frame.locks:
            self.roll.locks[lock.device_id] = lock
        uses, notices = self._attendance.take(frame, tracks, self.runs)
        self._weigh(uses)
        self._notices.note_all(notices)

    def note(self, notice: Notice) -> None:
        """Keep a notice: of a device for the runs that hold it, else for its run or the node."""
        self._notices.note(notice)

    def _weigh(self, uses: Iterable[tuple[str, Use]]) -> None:
        """Take looks at who used devices; those at shared ones are kept for the next agent."""
        shared = self._known.shared() if uses else set()
        for device_id, use in uses:
            if device_id in self.roll.spares:
                continue
            self._tally.weigh(device_id, use)
            if device_id in shared:
                at_us = self.anchor.us(use.at_ns)
                self.outbox.draft.uses.append(DeviceUse(device_id, at_us, **asdict(use)))

    def _list(self, devices: list[Device]) -> None:
        draft = self.outbox.draft
        draft.devices += devices
        for device in devices:
            self.books.gap(device.id, 0)
        now_us = self.clock.wall_us()
        for name in sorted({one.name for one in devices if one.component is Component.GPU}):
            draft.factors += embodied_for(name, now_us)

    def _admit(self, devices: list[Device], notices: list[Notice]) -> None:
        self._list(devices)
        for run in self.runs.values():
            if run.ending is None:
                self.attach(run)
        self._notices.note_all(notices)

    # -- runs ---------------------------------------------------------------------------------

    def begin(self, live: LiveRun) -> None:
        """Meter a run from its start on, as far back as nothing is closed."""
        self._had_run = self.outbox.hurry = True
        self._known.begin(live)
        draft = self.outbox.draft
        draft.runs.append(live.run)
        draft.budgets += live.budgets.values()
        draft.links += sorted(live.links, key=astuple)
        draft.states.append(RunState(live.run.id, RunStatus.RUNNING, live.run.started_us))
        self.attach(live)
        for notice in (*self.place.notices, *self.roll.absences()):
            self._notices.say(replace(notice, run_id=live.run.id, at_us=live.run.started_us))

    def allow(self, live: LiveRun, more: Iterable[Budget]) -> None:
        """Give a run the budgets of units that it has none of; the first one of a unit stands."""
        fresh = {budget.unit: budget for budget in more if budget.unit not in live.budgets}
        live.budgets.update(fresh)
        self.outbox.draft.budgets += fresh.values()

    def link(self, live: LiveRun, more: Iterable[RunLink]) -> None:
        """Add ids that others gave a run; a known one is not written again."""
        fresh = set(more) - live.links
        live.links |= fresh
        self.outbox.draft.links += sorted(fresh, key=astuple)

    def attach(self, live: LiveRun, start_ns: int | None = None) -> None:
        """Give a run the devices that it asked for and does not hold yet; from its start on."""
        selection = self.selection(live)
        begins_ns = live.run.started_ns if start_ns is None else start_ns
        devices, notices = self.roll.claim((d for d, _ in selection.holds), begins_ns)
        self._list(devices)
        metered = self.roll.tracks
        fresh = {
            device_id: share
            for device_id, share in selection.holds
            if device_id in metered and device_id not in live.shares
        }
        self.hold(live, fresh, begins_ns)
        self._notices.note_all(notices)
        leased = [d for d, _ in selection.holds if d in self.roll.elsewhere]
        for notice in (*selection.notices, *map(self.roll.notice_of, leased)):
            self.note(replace(notice, run_id=live.run.id))

    def hold(self, live: LiveRun, shares: Mapping[str, Fraction], start_ns: int) -> None:
        """Give a run devices from an instant on."""
        holds = [Hold(live.run.id, device_id, start_ns, None, s) for device_id, s in shares.items()]
        live.shares.update(shares)
        live.held_ns.update(dict.fromkeys(shares, start_ns))
        for device_id in shares:
            self.roll.tracks[device_id].held_from(start_ns)
        self.outbox.draft.holds += holds
        self._tally.hold(live, holds)
        self.outbox.announce(self.books.opened(live.account))

    def selection(self, live: LiveRun) -> Selection:
        """The devices that a run asked for, leased for it; all of the host's. Raises UsageError."""
        found = selection_of(live, tuple(self.roll.known.values()), self.place.job_map)
        self.roll.reserve((device_id for device_id, _ in found.holds), self.clock.boot_ns())
        return found

    def end(self, live: LiveRun, ending: Ending) -> Future[None]:
        """End a run; the future is done when its figures are settled and durable."""
        live.ending = ending
        self._tally.release(live, ending.ended_ns)
        self.outbox.draft.holds += live.holds(ending.ended_ns)
        return ending.done

    def mark(self, live: LiveRun, at_ns: int, mark: Mark) -> None:
        """Note an instant; its energy is filled in once the curves have come there."""
        live.marks.add(at_ns, mark)
        if mark.tokens is not None:
            self.books.tokens(live.account, mark.tokens)
        if mark.step is not None:
            self.books.steps(live.account, mark.step)

    # -- once a second ------------------------------------------------------------------------

    def flush(
        self, *, rows: bool = True, cut: str | None = None, urgent: bool = False
    ) -> Future[None]:
        """Settle and write what is due; done when durable.

        ``rows``: with a row of the 1 Hz table for every device, also those that stand still.
        ``cut``: write the open minute of this run too.
        """
        now_ns = self.clock.boot_ns()
        devices, notices = self.roll.retry(now_ns)
        if devices or notices:
            self._admit(devices, notices)
        for track in self.roll.tracks.values():
            track.advance(now_ns)
            self._notices.note_all(track.notices())
        for spare in self.roll.spares.values():
            spare.advance(now_ns)
        self._notices.note_all(self.roll.unread(now_ns))
        self._settle(now_ns)
        self._settling.mark_all(now_ns)
        self.outbox.draft.intervals += self._tally.close(now_ns)
        finished = self._settling.end_all(now_ns)
        at_us = self.anchor.us(now_ns)
        self.outbox.draft.notices += self.budgets.look(
            [*self.runs.values(), *finished], self.books, at_us
        )
        if cut is not None:
            self.outbox.draft.intervals += self._tally.close(now_ns, run_id=cut)
        self._follow_wall(now_ns)
        for run_id in self._known.forget_old(now_ns):
            self._tally.forget(run_id)
        if now_ns - self._turned_ns > LEFT_OUT_NS:
            self._turned_ns = now_ns
            self.books.turn()
        urgent = urgent or self.hurry or bool(finished)
        if not (rows or urgent):
            return self.outbox.written
        self.outbox.draft.readings += self._rows(now_ns, every=rows)
        self.roll.free(self._known.held(), now_ns)
        return self._write(finished, urgent=urgent)

    def stop(self) -> Future[None]:
        """Close everything; runs that live stay running, for the next agent to take up."""
        now_ns = self.clock.boot_ns()
        for track in self.roll.tracks.values():
            track.finish(now_ns)
            self._notices.note_all(track.notices())
            self._tally.add(track.due(now_ns))
        self._settling.mark_all(now_ns)
        finished = self._settling.end_all(now_ns + RETURN_NS)
        self.outbox.draft.intervals += self._tally.close_all()
        self.outbox.draft.readings += self._rows(now_ns)
        return self._write(finished, urgent=True)

    def _settle(self, now_ns: int) -> None:
        if not self._had_run and now_ns - self.started_ns < FIRST_RUN_NS:
            return  # the run that we were started for began before us: it must find its time free
        tracks = self.roll.tracks.values()
        self._tally.add(segment for track in tracks for segment in track.due(now_ns - LATE_NS))

    def _follow_wall(self, now_ns: int) -> None:
        """Follow a stepped clock."""
        step = self._wall.stepped(now_ns)
        if step is not None:
            self.outbox.draft.intervals += self._tally.reanchor(step.anchor)
            self.outbox.draft.notices += step.notices([None, *self.runs])

    def _rows(self, now_ns: int, *, every: bool = True) -> list[RawReading]:
        """Where each device stands, or each that has moved on.

        No counter is written without: an agent that comes back would book the difference again.
        """
        now_us = self.anchor.us(now_ns)
        tracks = [track for track in self.roll.tracks.values() if every or track.untold]
        return [row for track in tracks for row in track.rows(now_ns, now_us)]

    def _write(self, finished: list[LiveRun], *, urgent: bool) -> Future[None]:
        for split in self._tally.drain_splits():
            self._notices.say(notice_of(split, self.roll.known.get(split.device_id)))
        for track in self.roll.tracks.values():  # in one batch with the row that is beyond it
            if gap_ns := track.new_gap_ns():
                self.books.gap(track.device.id, gap_ns)
        endings = [live.ending for live in finished if live.ending is not None]
        return self.outbox.send(self.books, endings, urgent=urgent)

    # -- after a restart ----------------------------------------------------------------------

    def _take_up(self, recovered: Recovered) -> None:
        """Go on where the last agent was killed: the open minute from its rows, runs, totals."""
        for live in recovered.runs:
            self._had_run = True
            self.runs[live.run.id] = live
            if (known := recovered.marks.get(live.run.id)) is not None:
                live.marks = Marks.known(*known, self.books.phased_mj(live.run.id))
        self.outbox.draft.intervals += recovered.intervals
        for live, last_ns in recovered.abandoned:
            self._abandon(live, last_ns)
        self._tally.resume(recovered, self.started_ns)
        for counter in recovered.counters:
            of_run = dict(counter.labels).get("run", "")
            if of_run not in self.runs and of_run not in self._known.shown:
                self.books.forget(of_run)
        self.outbox.restore(self.books)

    def _abandon(self, live: LiveRun, last_ns: int) -> None:
        """A run whose launcher did not outlive the last agent ends where we last knew of it."""
        draft = self.outbox.draft
        draft.holds += live.holds(last_ns)
        state = RunState(live.run.id, RunStatus.ABANDONED, live.at_us(last_ns))
        draft.states.append(state)
        text = "The launcher was gone when the agent came back; the run ends at its last commit."
        draft.notices.append(
            Notice("run_abandoned", text, Severity.WARNING, live.run.id, at_us=state.at_us)
        )
