"""Marks as clients tell them: to the run that they mean, at this node's time, each once.

Runs on the metering thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.agent import clocks, marking
from meter.agent.addresses import ended_error
from meter.agent.requests import Sent
from meter.errors import UsageError
from meter.model import Mark
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.agent.addresses import Addresses
    from meter.agent.metering import Metering
    from meter.agent.requests import MarkList, NewMark
    from meter.agent.runs import LiveRun

EDGE_NS = NS_PER_S // 10
"""So far outside a run, a mark lies at its edge: a job may be faster than its registration."""

_REASONS = {
    "early": "at_ns lies before the run's start",
    "clock": "at_ns lies outside the run: another clock? Then give sent_ns too",
    "ended": "at_ns lies after the run's end",
}


class MarkIntake:
    """Takes marks for the runs of a metering."""

    def __init__(self, metering: Metering, addresses: Addresses) -> None:
        self._metering = metering
        self._addresses = addresses

    def mark(self, run_id: str, new: NewMark, peer_pid: int | None) -> dict[str, Any]:
        """Note an instant inside a run; raises NotFoundError, ConflictError, UsageError."""
        live = self._open(self._addresses.meant(run_id, peer_pid), 1)
        offset_ns = 0 if new.at_ns is None else clocks.offset_of(Sent(), peer_pid)
        at_ns = self._placed(live, new, offset_ns, surely=False)
        if isinstance(at_ns, str):
            live.marks.drop(at_ns, 1)
            raise UsageError(_REASONS[at_ns], "leave at_ns out: then it is now")
        return {"run": live.run.id, "at_us": self._note(live, at_ns, new).at_us}

    def marks(self, run_id: str, new: MarkList, peer_pid: int | None) -> dict[str, Any]:
        """Note several instants, those of a source once; raises NotFoundError, ConflictError."""
        meant = self._addresses.meant(run_id, peer_pid, new.source)
        live = self._open(meant, new.count)
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
        outside = self._note_all(live, fresh, new, peer_pid)
        invalid = [*new.invalid, *((n - new.first, _REASONS[why]) for n, why in outside)]
        return {
            "run": live.run.id,
            "noted": len(fresh) - len(outside),
            "known": len(new.marks) - len(fresh),
            "invalid": [{"place": place, "reason": reason} for place, reason in sorted(invalid)],
        }

    def tell_of_dropped(self, run_id: str, count: int) -> None:
        """Tell a run that has ended of marks that came too late."""
        if count:
            self._metering.note(marking.notice_of(run_id, {"ended": count}))

    def _note_all(
        self,
        live: LiveRun,
        fresh: list[tuple[int, NewMark]],
        new: MarkList,
        peer_pid: int | None,
    ) -> list[tuple[int, str]]:
        """Note marks by their number; those that lie outside the run, each with the reason."""
        offset_ns = clocks.offset_of(new.sent, peer_pid)
        if abs(offset_ns) > clocks.TOLD_NS:
            self._metering.note(clocks.skew_notice(live.run.id, offset_ns))
        outside = []
        for number, mark in fresh:
            at_ns = self._placed(live, mark, offset_ns, surely=new.sent.sent_ns is not None)
            if isinstance(at_ns, str):
                live.marks.drop(at_ns, 1)
                outside.append((number, at_ns))
            else:
                self._note(live, at_ns, mark, new.source, number)
        return outside

    def _placed(self, live: LiveRun, new: NewMark, offset_ns: int, *, surely: bool) -> int | str:
        """A mark's instant inside the run, or why it has none.

        ``surely``: its clock is known to be ours, or how far it is from ours.
        """
        now_ns = self._metering.clock.boot_ns()
        last_ns = now_ns if live.ending is None else live.ending.ended_ns
        if new.at_ns is None:
            return last_ns
        at_ns = new.at_ns + offset_ns
        if at_ns > now_ns + EDGE_NS:
            return "clock"
        if at_ns > last_ns + EDGE_NS:
            return "ended"
        if at_ns < live.run.started_ns - EDGE_NS:
            return "early" if surely else "clock"
        return min(max(at_ns, live.run.started_ns), last_ns)

    def _note(
        self, live: LiveRun, at_ns: int, new: NewMark, source: str | None = None, number: int = 0
    ) -> Mark:
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

    def _open(self, live: LiveRun, count: int) -> LiveRun:
        """A run that can still be told so many marks; else it is told that they are dropped."""
        if self._addresses.settled(live):
            live.marks.drop("ended", count)
            self.tell_of_dropped(live.run.id, count)
            raise ended_error(live.run.id)
        return live
