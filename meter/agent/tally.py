"""Whose the energy of the curves is: intervals for the ledger, parts for the live counters.

Runs on the metering thread.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from meter.agent.recovery import use_of
from meter.model import Hold
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meter.agent.booking import Books, Pricing
    from meter.agent.known_runs import KnownRuns
    from meter.agent.recovery import Recovered
    from meter.agent.runs import LiveRun
    from meter.agent.tracks import Track
    from meter.metering.activity import Use
    from meter.metering.intervals import IntervalBuilder
    from meter.metering.part import Part
    from meter.metering.splits import Split
    from meter.metering.wall import WallAnchor
    from meter.model import Device, Interval, Segment

LOOK_NS = 12 * NS_PER_S
"""How long a mark waits for the next look at who used a shared device, which splits the past."""

_NOBODY = ""
"""Run of a hold that keeps a device from being idle without claiming any of it."""


class Tally:
    """Books what the builder gives to owners; what is nobody's goes no further.

    ``rates`` are those in force now, ``devices`` all that were ever named here.
    """

    def __init__(
        self,
        builder: IntervalBuilder,
        books: Books,
        rates: Callable[[], Pricing],
        devices: Mapping[str, Device],
        runs: KnownRuns,
    ) -> None:
        self.builder = builder
        self.books = books
        self._rates = rates
        self._devices = devices
        self._runs = runs
        self._moved: list[Part] = []  # by a look; booked with what is settled next
        self._looked_ns: dict[str, int] = {}  # the last look at each device's processes

    def add(self, segments: Iterable[Segment]) -> None:
        """Book what curves have settled."""
        parts, self._moved = [*self._moved, *self.builder.add(*segments)], []
        if parts:
            self._book(parts)

    def weigh(self, device_id: str, use: Use) -> None:
        """Take a look at who used a device; it tells how to split one that several runs hold."""
        self._moved += self.builder.weigh(device_id, use)
        self._looked_ns[device_id] = use.at_ns

    def hold(self, live: LiveRun, holds: Sequence[Hold]) -> None:
        """Give a run devices from an instant on; its counters are shown at once."""
        parts = [part for hold in holds for part in self.builder.hold(hold)]
        devices = [self._devices[hold.device_id] for hold in holds]
        self.books.open(live.account, devices, self._rates())
        self._book(parts)

    def release(self, live: LiveRun, ended_ns: int) -> None:
        """Let go of a run's devices."""
        self._book(self.builder.release(live.run.id, ended_ns))

    def close(self, until_ns: int, *, run_id: str | None = None) -> list[Interval]:
        """Intervals of the minutes that are over, or of a run's devices up to an instant."""
        return _owned(self.builder.close(until_ns, run_id=run_id))

    def close_all(self) -> list[Interval]:
        """Intervals of everything that is not written yet."""
        return _owned(self.builder.close_all())

    def reanchor(self, anchor: WallAnchor) -> list[Interval]:
        """Go on under another wall time; what is open is closed under the former."""
        return _owned(self.builder.reanchor(anchor))

    def drain_splits(self) -> list[Split]:
        """Runs of closed time that had a part of a device only, since the last call."""
        return [split for split in self.builder.drain_splits() if split.run_id != _NOBODY]

    def sure_ns(self, track: Track, *, shared: bool) -> int | None:
        """Up to when a device's energy will not change hands any more; see ``LOOK_NS``."""
        booked_ns, looked_ns = track.booked_ns, self._looked_ns.get(track.device.id)
        if booked_ns is None or looked_ns is None or not shared:
            return booked_ns
        return min(booked_ns, max(looked_ns, booked_ns - LOOK_NS))

    def forget(self, run_id: str) -> None:
        """Nobody asks for a run's energy any more."""
        self.books.forget(run_id)
        self.builder.forget(run_id)

    def resume(self, recovered: Recovered, now_ns: int) -> None:
        """Go on where the last agent was killed; what its open minute gave is booked already."""
        for device_id, closed_ns in recovered.closed_ns.items():
            self.builder.resume(device_id, closed_ns)
        for run_id, written in recovered.written.items():
            self.builder.restore(run_id, written)
        for live in recovered.runs:
            for hold in live.holds():
                self.builder.hold(hold)
        for live, last_ns in recovered.abandoned:
            of_this_boot = [h for h in live.holds(last_ns) if h.device_id in recovered.starts]
            for hold in of_this_boot:
                self.builder.hold(hold)
                self._disown(hold.device_id, last_ns, now_ns)
        for one in recovered.uses:
            self.builder.weigh(one.device_id, use_of(one))
        for segment in recovered.segments:
            self.builder.add(segment)

    def _disown(self, device_id: str, start_ns: int, end_ns: int) -> None:
        """What a device used in some time is nobody's: a hold without a share leaves it so."""
        self.builder.hold(Hold(_NOBODY, device_id, start_ns, end_ns, Fraction(0)))

    def _book(self, parts: Iterable[Part]) -> None:
        parts = [part for part in parts if part.run_id != _NOBODY]
        if not parts:
            return
        lives = {p.run_id: self._runs.find(p.run_id) for p in parts if p.run_id is not None}
        accounts = {run_id: live.account for run_id, live in lives.items() if live is not None}
        self.books.book(parts, self._devices, accounts, self._rates())


def _owned(intervals: Iterable[Interval]) -> list[Interval]:
    return [each for each in intervals if each.run_id != _NOBODY]
