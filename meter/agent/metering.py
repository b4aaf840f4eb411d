"""The meter itself: readings in; intervals, counters and run states out; one thread, no waiting.

Driven by the loop with frames, commands and the time. A part is booked a second late, so that
the end of a run, which is told when it is over, still finds its last second unbooked.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections import deque
from concurrent.futures import Future
from dataclasses import asdict, astuple, dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from meter.agent import marking
from meter.agent.attendance import Attendance
from meter.agent.booking import Books, counters
from meter.agent.budgeting import BudgetWatch
from meter.agent.draft import Draft
from meter.agent.marking import Marks
from meter.agent.recovery import Recovered, use_of
from meter.agent.roll import Roll, unread_notice
from meter.agent.runs import SHOWN_NS, is_shown
from meter.agent.wishes import selection_of
from meter.factors.bundled import embodied_for
from meter.metering.activity import IdlePolicy
from meter.metering.intervals import IntervalBuilder
from meter.metering.splits import notice_of
from meter.metering.wall import WallAnchor
from meter.model import Component, DeviceUse, Gap, Hold, Notice, RunState, RunStatus, Severity
from meter.sampling.curve_notices import GAP_CODE, LEAST_GAP_NS, gap_notice
from meter.sampling.frames import Hello
from meter.units import NS_PER_S, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal

    from meter.agent.booking import Key, Pricing
    from meter.agent.job_map import JobMap
    from meter.agent.leases import Leases
    from meter.agent.runs import Ending, LiveRun
    from meter.agent.tracks import Track
    from meter.metering.activity import Use
    from meter.metering.intervals import Part
    from meter.model import (
        Budget,
        Counter,
        Device,
        Factor,
        LedgerBatch,
        Mark,
        Node,
        RawReading,
        RunLink,
        SamplerBatch,
        Segment,
        Site,
    )
    from meter.sampling.curve import CurveStart
    from meter.sampling.identity import Selection
    from meter.snapshot import Exemplar, Series

LATE_NS = NS_PER_S
"""How late parts are booked."""
SETTLE_NS = 3 * NS_PER_S // 2
"""How long the end of a run waits for its devices' curves."""
RETURN_NS = 5 * NS_PER_S
"""The same where a counter has yet to tell of the time in which no agent ran."""
LOOK_NS = 12 * NS_PER_S
"""How long a mark waits for the next look at who used a shared device, which splits the past."""
LEFT_OUT_NS = 600 * NS_PER_S
"""Who has no series is left out for this time after it was there, and twice as long at most."""
FIRST_RUN_NS = 10 * NS_PER_S
"""How long a private agent waits with booking for the run that it was started for."""

_DRIFT_US = US_PER_S // 2
_NOTICES_KEPT = 1_000
_UNDURABLE_KEPT = 10_000

NOBODY = ""
"""Run of a hold that keeps a device from being idle without claiming any of it."""


class Store(Protocol):
    """Where batches become durable."""

    def write(self, batch: LedgerBatch, *, urgent: bool = False) -> Future[None]:
        """Queue a batch; the future is done when it is durable."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and for whom is metered; ``notices`` are for every run: what was wrong at the start."""

    node: Node
    site: Site
    factors: tuple[Factor, ...] = ()
    private: bool = False
    notices: tuple[Notice, ...] = ()
    idle: IdlePolicy = IdlePolicy.OWNER
    job_map: JobMap | None = None
    board: bool = True  # whether there is a GPU, or may be one


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: CLOCK_BOOTTIME in ns for time, UTC in µs for labels."""

    boot_ns: Callable[[], int]
    wall_us: Callable[[], int]


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
        self.runs: dict[str, LiveRun] = {}
        self.ended: dict[str, tuple[LiveRun, int]] = {}
        self.shown = {live.run.id: live for live in recovered.shown}  # ended under an agent before
        self.books = Books(recovered.counters, lambda: self.anchor.us(clock.boot_ns()))
        self.budgets = BudgetWatch(recovered.told)
        self.builder = IntervalBuilder(
            WallAnchor(self.started_ns, clock.wall_us()), idle=place.idle
        )
        self.heard_ns: int | None = None
        self.dropped = 0
        self._dropped_of_gone = 0
        self.idle_since_ns = self.started_ns
        self._committed: dict[Key, Decimal] = {}
        self.exemplars: Mapping[Series, Exemplar] = {}  # of what is durable
        self.undurable: deque[tuple[Future[None], LedgerBatch]] = deque(maxlen=_UNDURABLE_KEPT)
        self._moved: list[Part] = []  # by a look; booked with what is settled next
        self._looked_ns: dict[str, int] = {}  # the last look at each device's processes
        self.hurry = False  # something waits to become durable at once
        self._written: Future[None] = Future()
        self._written.set_result(None)
        self._store = store
        self._pricing = pricing
        self._draft = Draft(nodes=[place.node], sites=[place.site], factors=list(place.factors))
        self._minute = self.anchor.minute(self.started_ns)
        self._turned_ns = self.started_ns  # when the present span of what is left out began
        self._had_run = not place.private
        self._said: deque[tuple[str, str | None, str | None]] = deque(maxlen=_NOTICES_KEPT)
        self._take_up(recovered)

    @property
    def anchor(self) -> WallAnchor:
        """What instants are called now."""
        return self.builder.anchor

    @property
    def committed(self) -> tuple[Counter, ...]:
        """Every counter as it is durable."""
        return counters(self._committed)

    @property
    def on_page(self) -> dict[str, LiveRun]:
        """Runs that have series: those that live, then those that ended a short while ago."""
        ended = {run_id: live for run_id, (live, _) in self.ended.items()}
        return {**self.runs, **ended, **self.shown}

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
        shared = self._shared() if uses else set()
        for device_id, use in uses:
            if device_id in self.roll.spares:
                continue
            self._weigh(device_id, use, shared=device_id in shared)
        for notice in notices:
            self.note(notice)

    def _weigh(self, device_id: str, use: Use, *, shared: bool) -> None:
        """Take a look at who used a device; it tells how to split one that several runs hold."""
        self._moved += self.builder.weigh(device_id, use)
        self._looked_ns[device_id] = use.at_ns
        if shared:
            at_us = self.anchor.us(use.at_ns)
            self._draft.uses.append(DeviceUse(device_id, at_us, **asdict(use)))

    def _shared(self) -> set[str]:
        """Devices that several runs hold."""
        held = Counts(device_id for live in self.runs.values() for device_id in live.shares)
        return {device_id for device_id, runs in held.items() if runs > 1}

    def _note_all(self, track: Track) -> None:
        for notice in track.notices():
            self.note(notice)

    def note(self, notice: Notice) -> None:
        """Keep a notice: of a device for the runs that hold it, else for its run or the node."""
        at_us = notice.at_us or self.anchor.us(
            notice.gap.start_ns if notice.gap else self.clock.boot_ns()
        )
        notice = replace(notice, at_us=at_us)
        if notice.device_id is None or notice.run_id is not None:
            self._say(notice)
            return
        holders = [run for run in self.runs.values() if notice.device_id in run.shares]
        for run in holders:
            told = notice if notice.gap is None else self._gap_of(run, notice, notice.gap)
            if told is not None:
                self._say(replace(told, run_id=run.run.id))
        if not holders:
            self._say(notice)

    def _gap_of(self, live: LiveRun, notice: Notice, gap: Gap) -> Notice | None:
        """A run's own part of an unknown time; None if that is too short to tell."""
        start_ns = max(gap.start_ns, live.run.started_ns)
        end_ns = gap.end_ns if live.ending is None else min(gap.end_ns, live.ending.ended_ns)
        length_ns = min(gap.length_ns, end_ns - start_ns)
        if length_ns < LEAST_GAP_NS:
            return None
        own = notice
        if notice.code == GAP_CODE:
            device = self.roll.known[notice.device_id or ""]
            own = gap_notice(device.id, device.name, Gap(start_ns, end_ns, length_ns))
        return replace(own, at_us=self.anchor.us(start_ns))

    def _say(self, notice: Notice) -> None:
        own = notice.gap or notice.code.startswith("config_")  # each gap, each key is another
        told = notice.text if own else ""
        known = (notice.code + told, notice.device_id, notice.run_id)
        if known not in self._said:  # once is enough for people; the curve counts the rest
            self._said.append(known)
            self._draft.notices.append(notice)

    def _list(self, devices: list[Device]) -> None:
        self._draft.devices += devices
        for device in devices:
            self.books.gap(device.id, 0)
        now_us = self.clock.wall_us()
        for name in sorted({one.name for one in devices if one.component is Component.GPU}):
            self._draft.factors += embodied_for(name, now_us)

    def _admit(self, devices: list[Device], notices: list[Notice]) -> None:
        self._list(devices)
        for run in self.runs.values():
            if run.ending is None:
                self.attach(run)
        for notice in notices:
            self.note(notice)

    # -- runs ---------------------------------------------------------------------------------

    def begin(self, live: LiveRun) -> None:
        """Meter a run from its start on, as far back as nothing is closed."""
        self._had_run = self.hurry = True
        self.runs[live.run.id] = live
        self.ended.pop(live.run.id, None)
        self.shown.pop(live.run.id, None)
        self._draft.runs.append(live.run)
        self._draft.budgets += live.budgets.values()
        self._draft.links += sorted(live.links, key=astuple)
        self._draft.states.append(RunState(live.run.id, RunStatus.RUNNING, live.run.started_us))
        self.attach(live)
        for notice in (*self.place.notices, *self.roll.absences()):
            self._say(replace(notice, run_id=live.run.id, at_us=live.run.started_us))

    def allow(self, live: LiveRun, more: Iterable[Budget]) -> None:
        """Give a run the budgets of units that it has none of; the first one of a unit stands."""
        fresh = {budget.unit: budget for budget in more if budget.unit not in live.budgets}
        live.budgets.update(fresh)
        self._draft.budgets += fresh.values()

    def link(self, live: LiveRun, more: Iterable[RunLink]) -> None:
        """Add ids that others gave a run; a known one is not written again."""
        fresh = set(more) - live.links
        live.links |= fresh
        self._draft.links += sorted(fresh, key=astuple)

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
        for notice in notices:
            self.note(notice)
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
        self._draft.holds += holds
        parts = [part for hold in holds for part in self.builder.hold(hold)]
        devices = [self.roll.tracks[hold.device_id].device for hold in holds]
        self.books.open(live.account, devices, self._rates())
        self._book(parts)

    def selection(self, live: LiveRun) -> Selection:
        """The devices that a run asked for, leased for it; all of the host's. Raises UsageError."""
        found = selection_of(live, tuple(self.roll.known.values()), self.place.job_map)
        self.roll.reserve((device_id for device_id, _ in found.holds), self.clock.boot_ns())
        return found

    def end(self, live: LiveRun, ending: Ending) -> Future[None]:
        """End a run; the future is done when its figures are settled and durable."""
        live.ending = ending
        self._book(self.builder.release(live.run.id, ending.ended_ns))
        self._draft.holds += live.holds(ending.ended_ns)
        return ending.done

    def mark(self, live: LiveRun, at_ns: int, mark: Mark) -> None:
        """Note an instant; its energy is filled in once the curves have come there."""
        live.marks.add(at_ns, mark)
        if mark.tokens is not None:
            self.books.tokens(live.account, mark.tokens)
        if mark.step is not None:
            self.books.steps(live.account, mark.step)

    @property
    def dropped_marks(self) -> int:
        """Marks that were made and are not kept, since the agent's start."""
        ended = [live for live, _ in self.ended.values()]
        return self._dropped_of_gone + marking.total_dropped([*self.runs.values(), *ended])

    @property
    def ending(self) -> bool:
        """Whether a run waits for its end."""
        return any(live.ending for live in self.runs.values())

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
            self._note_all(track)
        for spare in self.roll.spares.values():
            spare.advance(now_ns)
        for notice in self.roll.unread(now_ns):
            self.note(notice)
        self._settle(now_ns)
        self._mark_all()
        self._draft.intervals += self.builder.close(now_ns)
        finished = self._finish(now_ns)
        at_us = self.anchor.us(now_ns)
        self._draft.notices += self.budgets.look(
            [*self.runs.values(), *finished], self.books, at_us
        )
        if cut is not None:
            self._draft.intervals += self.builder.close(now_ns, run_id=cut)
        self._follow_wall(now_ns)
        self._forget_old(now_ns)
        if now_ns - self._turned_ns > LEFT_OUT_NS:
            self._turned_ns = now_ns
            self.books.turn()
        urgent = urgent or self.hurry or bool(finished)
        if not (rows or urgent):
            return self._written
        self._draft.readings += self._rows(now_ns, every=rows)
        self.roll.free({d for live in self.runs.values() for d in live.shares}, now_ns)
        return self._write(finished, urgent=urgent)

    def stop(self) -> Future[None]:
        """Close everything; runs that live stay running, for the next agent to take up."""
        now_ns = self.clock.boot_ns()
        for track in self.roll.tracks.values():
            track.finish(now_ns)
            self._note_all(track)
            self._add(track.due(now_ns))
        self._mark_all()
        finished = self._finish(now_ns + RETURN_NS)
        self._draft.intervals += self.builder.close_all()
        self._draft.readings += self._rows(now_ns)
        return self._write(finished, urgent=True)

    def _settle(self, now_ns: int) -> None:
        if not self._had_run and now_ns - self.started_ns < FIRST_RUN_NS:
            return  # the run that we were started for began before us: it must find its time free
        tracks = self.roll.tracks.values()
        self._add(segment for track in tracks for segment in track.due(now_ns - LATE_NS))

    def _finish(self, now_ns: int) -> list[LiveRun]:
        """Runs whose devices' curves have come to their end, or were waited for long enough."""
        finished = []
        for live in [live for live in self.runs.values() if live.ending is not None]:
            ending = live.ending
            if ending is None:
                continue
            tracks = [self.roll.tracks[d] for d in live.shares if d in self.roll.tracks]
            owing = any(self.roll.owes(device_id, now_ns) for device_id in live.shares)
            late = now_ns - ending.told_ns >= (RETURN_NS if owing else SETTLE_NS)
            if owing and not late:
                continue
            for track in tracks:
                self._add(track.reaching(ending.ended_ns))
            open_tracks = [t for t in tracks if _behind(t, ending.ended_ns)]
            if not late and any(track.measured and not track.mute(now_ns) for track in open_tracks):
                continue
            for track in open_tracks:  # a model, or a silent sampler: with what is known by now
                if track.measured and track.looked_ns is None:
                    self.note(unread_notice(track.device))
                track.finish(ending.ended_ns)
                self._note_all(track)  # now: in a moment the run is not there any more
                self._add(track.reaching(ending.ended_ns))
            self._mark(live, ending.ended_ns)
            if (dropped := marking.dropped_notice(live)) is not None:
                self.note(dropped)
            self._draft.intervals += self.builder.close(ending.ended_ns, run_id=live.run.id)
            state = RunState(
                live.run.id, ending.status, live.at_us(ending.ended_ns), ending.exit_code
            )
            self._draft.states.append(state)
            finished.append(live)
        for live in finished:
            self.ended[live.run.id] = (live, now_ns)
            del self.runs[live.run.id]
            self.idle_since_ns = now_ns
        return finished

    def _forget_old(self, now_ns: int) -> None:
        """Take runs off the page that ended long enough ago."""
        for run_id in [r for r, (_, at_ns) in self.ended.items() if now_ns - at_ns > SHOWN_NS]:
            self._dropped_of_gone += marking.total_dropped([self.ended.pop(run_id)[0]])
            self.books.forget(run_id)
            self.builder.forget(run_id)
        for run_id in [r for r, live in self.shown.items() if not is_shown(live, now_ns)]:
            del self.shown[run_id]
            self.books.forget(run_id)

    def _add(self, segments: Iterable[Segment]) -> None:
        parts, self._moved = [*self._moved, *self.builder.add(*segments)], []
        if parts:
            self._book(parts)

    def _book(self, parts: Iterable[Part]) -> None:
        parts = [part for part in parts if part.run_id != NOBODY]
        if not parts:
            return
        lives = {part.run_id: self._live(part.run_id) for part in parts if part.run_id is not None}
        accounts = {run_id: live.account for run_id, live in lives.items() if live is not None}
        self.books.book(parts, self.roll.known, accounts, self._rates())

    def _live(self, run_id: str) -> LiveRun | None:
        """A run that lives, or is still shown."""
        ended = self.ended.get(run_id)
        return ended[0] if ended is not None else self.runs.get(run_id)

    def _rates(self) -> Pricing:
        return self._pricing(self.anchor.us(self.clock.boot_ns()))

    def _mark_all(self) -> None:
        """Fill in the marks that every device of their run has come past."""
        telling = [live for live in self.runs.values() if not live.marks.idle]
        shared = self._shared() if telling else set()
        for live in telling:
            tracks = [self.roll.tracks[d] for d in live.shares if d in self.roll.tracks]
            sure = [self._sure_ns(track, shared=track.device.id in shared) for track in tracks]
            known = [at_ns for at_ns in sure if at_ns is not None]
            if len(known) == len(tracks):
                self._mark(live, min(known, default=self.clock.boot_ns()))

    def _sure_ns(self, track: Track, *, shared: bool) -> int | None:
        """Up to when a device's energy will not change hands any more; see ``LOOK_NS``."""
        booked_ns, looked_ns = track.booked_ns, self._looked_ns.get(track.device.id)
        if booked_ns is None or looked_ns is None or not shared:
            return booked_ns
        return min(booked_ns, max(looked_ns, booked_ns - LOOK_NS))

    def _mark(self, live: LiveRun, until_ns: int) -> None:
        self._draft.marks += marking.settled(live, self.builder, self.books, until_ns)

    def _follow_wall(self, now_ns: int) -> None:
        """Follow a stepped clock, at the border of a minute; no duration depends on it."""
        minute = self.anchor.minute(now_ns)
        if minute == self._minute:
            return
        self._minute = minute
        wall_us = self.clock.wall_us()
        drift_us = wall_us - self.anchor.us(now_ns)
        if abs(drift_us) <= _DRIFT_US:
            return
        self._draft.intervals += self.builder.reanchor(WallAnchor(now_ns, wall_us))
        self._minute = self.anchor.minute(now_ns)
        text = (
            f"The clock of this node was set by {drift_us / US_PER_S:+.1f} s; labels follow it, "
            "durations and totals do not."
        )
        for run_id in [None, *self.runs]:
            self._draft.notices.append(Notice("clock_stepped", text, run_id=run_id, at_us=wall_us))

    def _rows(self, now_ns: int, *, every: bool = True) -> list[RawReading]:
        """Where each device stands, or each that has moved on.

        No counter is written without: an agent that comes back would book the difference again.
        """
        now_us = self.anchor.us(now_ns)
        tracks = [track for track in self.roll.tracks.values() if every or track.untold]
        return [row for track in tracks for row in track.rows(now_ns, now_us)]

    def _write(self, finished: list[LiveRun], *, urgent: bool) -> Future[None]:
        for split in self.builder.drain_splits():
            if split.run_id != NOBODY:
                self._say(notice_of(split, self.roll.known.get(split.device_id)))
        for track in self.roll.tracks.values():  # in one batch with the row that is beyond it
            if gap_ns := track.new_gap_ns():
                self.books.gap(track.device.id, gap_ns)
        draft, self._draft = self._draft, Draft()
        self.hurry = False
        draft.counters += self.books.changed()
        draft.intervals = [each for each in draft.intervals if each.run_id != NOBODY]
        if draft.empty and not urgent:
            return self._written
        shown, exemplars = self.books.totals(), self.books.exemplars.all()
        batch = draft.batch(self.site_id)
        future = self._written = self._store.write(batch, urgent=urgent)
        self.undurable.append((future, batch))

        def durable(done: Future[None]) -> None:
            if done.exception() is None:
                self._committed, self.exemplars = shown, exemplars
            for live in finished:
                _pass_on(done, live.ending)

        future.add_done_callback(durable)
        while self.undurable and self.undurable[0][0].done():
            self.undurable.popleft()
        return future

    # -- after a restart ----------------------------------------------------------------------

    def _take_up(self, recovered: Recovered) -> None:
        """Go on where the last agent was killed: the open minute from its rows, runs, totals."""
        for device_id, closed_ns in recovered.closed_ns.items():
            self.builder.resume(device_id, closed_ns)
        for run_id, written in recovered.written.items():
            self.builder.restore(run_id, written)
        for live in recovered.runs:
            self._had_run = True
            self.runs[live.run.id] = live
            if (known := recovered.marks.get(live.run.id)) is not None:
                live.marks = Marks.known(*known, self.books.phased_mj(live.run.id))
            for hold in live.holds():
                self.builder.hold(hold)
        self._draft.intervals += recovered.intervals
        for live, last_ns in recovered.abandoned:
            self._abandon(live, last_ns, recovered.starts)
        for one in recovered.uses:
            self.builder.weigh(one.device_id, use_of(one))
        for segment in recovered.segments:
            self.builder.add(segment)  # its parts are in the counters already
        for counter in recovered.counters:
            of_run = dict(counter.labels).get("run", "")
            if of_run not in self.runs and of_run not in self.shown:
                self.books.forget(of_run)
        self._committed = self.books.totals()

    def _abandon(self, live: LiveRun, last_ns: int, starts: Mapping[str, CurveStart]) -> None:
        """A run whose launcher did not outlive the last agent ends where we last knew of it.

        What its devices used since then is nobody's: a hold without a share leaves it so.
        """
        for hold in live.holds(last_ns):
            self._draft.holds.append(hold)
            if hold.device_id in starts:  # of this boot
                self.builder.hold(hold)
                nobody = Hold(NOBODY, hold.device_id, last_ns, self.started_ns, Fraction(0))
                self.builder.hold(nobody)
        state = RunState(live.run.id, RunStatus.ABANDONED, live.at_us(last_ns))
        self._draft.states.append(state)
        text = "The launcher was gone when the agent came back; the run ends at its last commit."
        self._draft.notices.append(
            Notice("run_abandoned", text, Severity.WARNING, live.run.id, at_us=state.at_us)
        )


def _behind(track: Track, at_ns: int) -> bool:
    return track.booked_ns is None or track.booked_ns < at_ns


def _pass_on(done: Future[None], ending: Ending | None) -> None:
    if ending is None or ending.done.done():
        return
    error = done.exception()
    if error is None:
        ending.done.set_result(None)
    else:
        ending.done.set_exception(error)
