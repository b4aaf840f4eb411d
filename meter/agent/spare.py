"""A GPU that a private agent sees and no run of its own holds: looked at, never booked."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from meter.agent.tracks import Track
from meter.model import Reading
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from meter.model import Device, DeviceFault
    from meter.sampling.curve import CurveStart

KEPT_NS = 12 * NS_PER_S
"""How far back what was read is kept: a run is registered a while after its job's start."""
_LEAD_NS = NS_PER_S // 2
"""What was read so long before a run's start finds the tick that the start lies in."""


class Spare:
    """Its last readings, from which its track begins once a run holds it.

    ``track`` shows it as it stands, for who looks at its processes; nothing of that is booked.
    """

    def __init__(self, device: Device) -> None:
        self.track = Track(device)
        self._told: deque[Reading | DeviceFault] = deque()

    def take(self, reading: Reading) -> None:
        """Keep a reading."""
        self.track.take(reading)
        self._keep(reading)

    def fault(self, fault: DeviceFault) -> None:
        """Keep that a look failed."""
        self.track.fault(fault)
        self._keep(fault)

    def advance(self, now_ns: int) -> None:
        """Forget what nobody will ask for."""
        self.track.advance(now_ns)
        self.track.notices()
        self.track.due(now_ns)

    def held_from(self, start_ns: int, start: CurveStart | None) -> Track:
        """Its track as it would be, had a run held it from an instant on."""
        track = Track(self.track.device, start)
        track.found_as(self.track)
        since_ns = self._since_ns(start_ns)
        for told in self._told:
            if told.at_ns < since_ns:
                continue
            if isinstance(told, Reading):
                track.take(told)
            else:
                track.fault(told)
        return track

    def _since_ns(self, start_ns: int) -> int:
        """The lead before a start, or the last reading before it where a sampler was slower."""
        lead_ns = start_ns - _LEAD_NS
        readings = (told.at_ns for told in self._told if isinstance(told, Reading))
        before = [at_ns for at_ns in readings if at_ns <= start_ns]
        return min(lead_ns, before[-1]) if before else lead_ns

    def _keep(self, told: Reading | DeviceFault) -> None:
        self._told.append(told)
        while self._told[0].at_ns < told.at_ns - KEPT_NS:
            self._told.popleft()
