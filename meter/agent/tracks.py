"""One metered device: its curve, what of it is booked, and what it showed last."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from meter.model import Method, RawReading
from meter.sampling.curve import HOLE_NS, CurveBuilder, CurveStart
from meter.sampling.curve_output import Output, unknown_before
from meter.units import NS_PER_S, NS_PER_US

if TYPE_CHECKING:
    from meter.model import Device, DeviceFault, DeviceStatus, Notice, Reading, Segment

STALE_NS = 5 * NS_PER_S
"""What is older is not shown."""
MUTE_NS = 3 * NS_PER_S // 2
"""A sensor that has told nothing for so long since it was found is not waited for."""
KNOWN_MUTE_NS = 5 * NS_PER_S
"""The same of one whose counter told something before our outage: it can speak."""


class _Settled(NamedTuple):
    """Segments that were settled together, and where the curve and the counter stood then."""

    segments: list[Segment]
    settled_ns: int
    curve_mj: int
    counter_mj: int | None
    gap_ns: int


class Track:
    """A device between its readings and the interval builder.

    What the curve settles waits here until it is due. ``booked_ns`` is how far it has been handed
    on; with the curve and the counter there, it is what a restarted agent goes on from.
    """

    def __init__(self, device: Device, start: CurveStart | None = None) -> None:
        self.device = device
        self.curve = CurveBuilder(device, start=start)
        self.booked_ns: int | None = start.settled_ns if start else None
        self.booked_mj = start.curve_mj if start else 0
        self.counter_mj = start.counter_mj if start else None
        self._told_ns = self.booked_ns  # of the newest row
        self.status: DeviceStatus | None = None
        self.power_mw: int | None = None
        self.looked_ns: int | None = None
        self._start = start
        self._found_ns: int | None = None
        self._began_ns: int | None = None
        self._held_ns: int | None = None
        self._unread_ns = 0  # of which nothing was known before the first look
        self._gap_ns = self._told_gap_ns = 0  # handed on, and told
        self._waiting: deque[_Settled] = deque()

    def take(self, reading: Reading) -> None:
        """Feed the curve."""
        if self.looked_ns is None and self._start is not None:
            self.curve = CurveBuilder(self.device, start=self._start)
        self.looked_ns = reading.at_ns
        power = reading.mean_mw if reading.mean_mw is not None else reading.instant_mw
        if power is not None:
            self.power_mw = power
        self._queue(self.curve.feed(reading))

    def held_from(self, start_ns: int) -> None:
        """A run holds the device since then: what came before the first look is unknown to it."""
        self._held_ns = min(start_ns, self._held_ns or start_ns)

    def found_as(self, other: Track) -> None:
        """The sensor was found when the other track's was, and shows what that does."""
        self._found_ns = other._found_ns
        self.status = other.status

    def fault(self, fault: DeviceFault) -> None:
        """Tell the curve of a look that failed."""
        self._queue(self.curve.fault(fault))

    def advance(self, now_ns: int) -> None:
        """Close what no reading will close."""
        self._found_ns = self._found_ns or now_ns
        if self.mute(now_ns):
            self._unread(now_ns - HOLE_NS)
        else:
            self._queue(self.curve.advance(now_ns))

    def finish(self, at_ns: int) -> None:
        """Close everything up to an instant, with what is known by now."""
        if self.looked_ns is None:
            self._unread(at_ns)
        else:
            self._queue(self.curve.finish(at_ns))

    @property
    def untold(self) -> bool:
        """Whether more is handed on than the newest row says."""
        return self.booked_ns != self._told_ns

    @property
    def measured(self) -> bool:
        """Whether it is a sensor that speaks, not a model."""
        return self.device.method is Method.MEASURED

    def mute(self, now_ns: int) -> bool:
        """Whether its sensor was found but has told neither energy nor power ever since."""
        found_ns = now_ns if self._found_ns is None else self._found_ns
        patience_ns = KNOWN_MUTE_NS if self.curve.owes else MUTE_NS
        return self.measured and self.looked_ns is None and now_ns - found_ns >= patience_ns

    def owes(self, now_ns: int) -> bool:
        """Whether its counter will tell of the time in which no agent ran, and has not yet."""
        return self.curve.owes and not self.mute(now_ns)

    def due(self, until_ns: int) -> list[Segment]:
        """Segments that were settled by an instant of the curve, in order, each once."""
        found: list[Segment] = []
        while self._waiting and self._waiting[0].settled_ns <= until_ns:
            self._hand_on(found)
        return found

    def reaching(self, at_ns: int) -> list[Segment]:
        """Like ``due``, with what an instant lies in."""
        found = self.due(at_ns)
        while self._waiting and (self.booked_ns is None or self.booked_ns < at_ns):
            self._hand_on(found)
        return found

    def new_gap_ns(self) -> int:
        """Time of unknown power that was handed on since this was last asked for."""
        told_ns, self._told_gap_ns = self._told_gap_ns, self._gap_ns
        return self._gap_ns - told_ns

    def notices(self) -> list[Notice]:
        """What the curve has to say."""
        return self.curve.drain_notices()

    def rows(self, now_ns: int, now_us: int) -> list[RawReading]:
        """The device's row of the 1 Hz table; before the first, one of where its curve begins."""
        if self.booked_ns is None:
            return []
        found = []
        if self._began_ns is not None:
            began_us = now_us - (now_ns - self._began_ns) // NS_PER_US
            found.append(RawReading(self.device.id, began_us, self._began_ns, 0, self._began_ns))
            self._began_ns = None
        self._told_ns = self.booked_ns
        status = self.fresh_status(now_ns)
        row = RawReading(
            device_id=self.device.id,
            at_us=now_us,
            at_ns=now_ns,
            curve_mj=self.booked_mj,
            settled_ns=self.booked_ns,
            counter_mj=self.counter_mj,
            power_mw=self.fresh_power_mw(now_ns),
            utilization_ratio=status.utilization_ratio if status else None,
            memory_used_bytes=status.memory_used_bytes if status else None,
            temperature_celsius=status.temperature_celsius if status else None,
        )
        return [*found, row]

    def fresh_status(self, now_ns: int) -> DeviceStatus | None:
        """The gauges, unless they are stale."""
        status = self.status
        return status if status is not None and now_ns - status.at_ns < STALE_NS else None

    def fresh_power_mw(self, now_ns: int) -> int | None:
        """Power at the last look, unless it is stale."""
        fresh = self.looked_ns is not None and now_ns - self.looked_ns < STALE_NS
        return self.power_mw if fresh else None

    def _unread(self, until_ns: int) -> None:
        """Nothing was ever read: of the time that runs held it only the limit is known."""
        start = self._start
        if start is None and self._held_ns is not None:
            start = CurveStart(0, self._held_ns, None, self._held_ns)
        if start is None or until_ns <= start.settled_ns:
            return
        out = Output(self.device, start.curve_mj, start.settled_ns)
        out.unknown(until_ns)
        self._start = replace(start, settled_ns=until_ns)
        self._unread_ns += out.gap_ns
        self._waiting.append(
            _Settled(out.drain(), until_ns, start.curve_mj, self.counter_mj, self._unread_ns)
        )

    def _queue(self, segments: list[Segment]) -> None:
        settled_ns = self.curve.settled_ns
        if segments and settled_ns is not None:
            curve, gap_ns = self.curve, self._unread_ns + self.curve.gap_ns
            self._waiting.append(
                _Settled(segments, settled_ns, curve.curve_mj, curve.counter_mj, gap_ns)
            )

    def _hand_on(self, found: list[Segment]) -> None:
        settled = self._waiting.popleft()
        if self.booked_ns is None:
            first = settled.segments[0]
            self._began_ns = first.start_ns
            if self._held_ns is not None and self._held_ns < first.start_ns:
                found.append(unknown_before(self.device, self._held_ns, first))
        found += settled.segments
        self.booked_ns = settled.settled_ns
        self.booked_mj = settled.curve_mj
        self.counter_mj = settled.counter_mj
        self._gap_ns = settled.gap_ns
