"""What waits until the curves of a run's devices have come to it: marks, the run's end.

Runs on the metering thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.agent import marking
from meter.agent.roll import unread_notice
from meter.model import RunState
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.agent.known_runs import KnownRuns
    from meter.agent.noticing import Notices
    from meter.agent.outbox import Outbox
    from meter.agent.roll import Roll
    from meter.agent.runs import Ending, LiveRun
    from meter.agent.tally import Tally
    from meter.agent.tracks import Track

SETTLE_NS = 3 * NS_PER_S // 2
"""How long the end of a run waits for its devices' curves."""
RETURN_NS = 5 * NS_PER_S
"""The same where a counter has yet to tell of the time in which no agent ran."""


class Settling:
    """Fills in marks and ends runs once that can be done for good."""

    def __init__(
        self, roll: Roll, runs: KnownRuns, tally: Tally, notices: Notices, outbox: Outbox
    ) -> None:
        self._roll = roll
        self._runs = runs
        self._tally = tally
        self._notices = notices
        self._outbox = outbox

    def mark_all(self, now_ns: int) -> None:
        """Fill in the marks that every device of their run has come past."""
        telling = [live for live in self._runs.living.values() if not live.marks.idle]
        shared = self._runs.shared() if telling else set()
        for live in telling:
            tracks = self._tracks(live)
            sure = [self._tally.sure_ns(t, shared=t.device.id in shared) for t in tracks]
            known = [at_ns for at_ns in sure if at_ns is not None]
            if len(known) == len(tracks):
                self._mark(live, min(known, default=now_ns))

    def end_all(self, now_ns: int) -> list[LiveRun]:
        """End runs whose devices' curves have come there, or were waited for long enough."""
        finished = []
        for live in self._runs.ending:
            if live.ending is not None and self._arrive(live, live.ending, now_ns):
                self._end(live, live.ending)
                finished.append(live)
        for live in finished:
            self._runs.settle(live, now_ns)
        return finished

    def _arrive(self, live: LiveRun, ending: Ending, now_ns: int) -> bool:
        """Bring a run's devices to its end; whether they are there."""
        owing = any(self._roll.owes(device_id, now_ns) for device_id in live.shares)
        late = now_ns - ending.told_ns >= (RETURN_NS if owing else SETTLE_NS)
        if owing and not late:
            return False
        tracks = self._tracks(live)
        for track in tracks:
            self._tally.add(track.reaching(ending.ended_ns))
        behind = [track for track in tracks if _behind(track, ending.ended_ns)]
        if not late and any(track.measured and not track.mute(now_ns) for track in behind):
            return False
        for track in behind:  # a model, or a silent sampler: with what is known by now
            if track.measured and track.looked_ns is None:
                self._notices.note(unread_notice(track.device))
            track.finish(ending.ended_ns)
            self._notices.note_all(track.notices())  # now: in a moment the run is not there
            self._tally.add(track.reaching(ending.ended_ns))
        return True

    def _end(self, live: LiveRun, ending: Ending) -> None:
        self._mark(live, ending.ended_ns)
        if (dropped := marking.dropped_notice(live)) is not None:
            self._notices.note(dropped)
        draft = self._outbox.draft
        draft.intervals += self._tally.close(ending.ended_ns, run_id=live.run.id)
        ended_us = live.at_us(ending.ended_ns)
        draft.states.append(RunState(live.run.id, ending.status, ended_us, ending.exit_code))

    def _mark(self, live: LiveRun, until_ns: int) -> None:
        tally = self._tally
        self._outbox.draft.marks += marking.settled(live, tally.builder, tally.books, until_ns)

    def _tracks(self, live: LiveRun) -> list[Track]:
        return [self._roll.tracks[d] for d in live.shares if d in self._roll.tracks]


def _behind(track: Track, at_ns: int) -> bool:
    return track.booked_ns is None or track.booked_ns < at_ns
