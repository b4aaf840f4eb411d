"""One device of the interval builder: what is open, where it was closed, edges of its runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter.metering.cut import edge
from meter.metering.point import Point
from meter.metering.stretch import Stretch

if TYPE_CHECKING:
    from meter.metering.holdings import Holdings, Owner, Owners
    from meter.metering.point import Written
    from meter.model import Segment


@dataclass(slots=True)
class Account:
    """One device: what is still open, and where it was closed last."""

    device_id: str
    holdings: Holdings
    segments: list[Segment] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    corrections: list[tuple[Segment, int]] = field(default_factory=list)
    closed_ns: int | None = None
    first_ns: int | None = None  # where the curve began; a run there began between ticks too
    carried: Stretch | None = None  # the last stretch closed; the next may go on with it
    written: dict[str, Written] = field(default_factory=dict)  # by run

    @property
    def settled_ns(self) -> int | None:
        """End of the last segment."""
        return self.segments[-1].end_ns if self.segments else self.closed_ns

    def opened(self, stretches: list[Stretch], minute: int, owners: Owners) -> Stretch:
        """A new stretch; the first goes on with the sums of the one that was closed last."""
        carried = None if stretches else self.carried
        if carried and carried.minute == minute and carried.owners == owners:
            return Stretch(minute, owners, base=carried.total, total=carried.total)
        return Stretch(minute, owners)

    def point(self, stretch: Stretch, owner: Owner, at_ns: int | None) -> Point:
        """An owner's part of a stretch up to an instant in it or after it (None: all of it)."""
        sums, (below, above) = stretch.total, (0, 0)
        if at_ns is not None:
            sums, (below, above) = stretch.at(at_ns)
        index = stretch.owners.owners.index(owner)
        given = stretch.unwritten(sums)[index]
        start_below, start_above = self._start_edges(stretch, owner)
        low = max(0, min(given.low, given.energy) - start_below)
        return Point(given.energy, low, max(given.high, given.energy) + start_above, below, above)

    def _start_edges(self, stretch: Stretch, owner: Owner) -> tuple[int, int]:
        """By how much less and more a run may have got because it began between ticks, in mJ."""
        begins = stretch.start_ns == self.first_ns
        if owner.run_id and (begins or self.holdings.is_edge(owner.run_id, stretch.start_ns)):
            return stretch.start_edge[1], stretch.start_edge[0]  # the curve was higher: it got less
        return 0, 0

    def run_edges(self, stretch: Stretch, owner: Owner) -> tuple[int, int]:
        """By how much less and more a run may have got because it began or ended between ticks."""
        if owner.run_id is None:
            return 0, 0
        below, above = self._start_edges(stretch, owner)
        if self.holdings.is_edge(owner.run_id, stretch.end_ns):
            below += stretch.end_edge[0]
            above += stretch.end_edge[1]
        return below, above

    def correction_edges(
        self, segment: Segment, start_ns: int, end_ns: int, owner: Owner
    ) -> tuple[int, int]:
        """The same for a run that began or ended in a time that was bridged later."""
        below = above = 0
        if owner.run_id is None:
            return 0, 0
        if self.holdings.is_edge(owner.run_id, start_ns):
            lower, higher = edge(segment, start_ns)
            below, above = below + higher, above + lower
        if self.holdings.is_edge(owner.run_id, end_ns):
            lower, higher = edge(segment, end_ns)
            below, above = below + lower, above + higher
        return below, above
