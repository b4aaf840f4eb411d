"""What instants are called: by the wall clock, also after it was set.

Runs on the metering thread; no duration depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.metering.wall import WallAnchor
from meter.model import Notice
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.agent.place import Clock
    from meter.metering.intervals import IntervalBuilder

_DRIFT_US = US_PER_S // 2


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set, by so much; the anchor is where labels come from after that."""

    anchor: WallAnchor
    drift_us: int

    def notices(self, run_ids: Iterable[str | None]) -> list[Notice]:
        """What is said of it to runs; None: to the node."""
        text = (
            f"The clock of this node was set by {self.drift_us / US_PER_S:+.1f} s; labels follow "
            "it, durations and totals do not."
        )
        at_us = self.anchor.wall_us
        return [Notice("clock_stepped", text, run_id=one, at_us=at_us) for one in run_ids]


class WallClock:
    """Compares the wall clock with the labels that the builder gives."""

    def __init__(self, clock: Clock, builder: IntervalBuilder) -> None:
        self._clock = clock
        self._builder = builder
        self._minute = self.anchor.minute(self.anchor.boot_ns)

    @property
    def anchor(self) -> WallAnchor:
        """What labels come from now."""
        return self._builder.anchor

    def us(self, at_ns: int | None = None) -> int:
        """UTC µs of an instant; None: of now."""
        return self.anchor.us(self._clock.boot_ns() if at_ns is None else at_ns)

    def stepped(self, now_ns: int) -> Step | None:
        """That the clock was set, once; seen at the border of a minute."""
        minute = self.anchor.minute(now_ns)
        if minute == self._minute:
            return None
        self._minute = minute
        anchor = WallAnchor(now_ns, self._clock.wall_us())
        drift_us = anchor.wall_us - self.anchor.us(now_ns)
        if abs(drift_us) <= _DRIFT_US:
            return None
        self._minute = anchor.minute(now_ns)
        return Step(anchor, drift_us)
