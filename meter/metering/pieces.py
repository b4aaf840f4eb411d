"""The time of a device's segments, cut at minutes and where its owners change; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meter.metering.holdings import REST, Owner, Owners
from meter.metering.stretch import Sums, allotted, sums_between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meter.metering.holdings import Holdings
    from meter.metering.wall import WallAnchor
    from meter.model import Segment


class Share(NamedTuple):
    """What an owner has of a segment between two instants; ``split`` if it is a part only."""

    start_ns: int
    end_ns: int
    owner: Owner
    sums: Sums
    split: bool


class Cutter:
    """Cuts one device's segments; ``anchor`` says where minutes begin."""

    def __init__(self, holdings: Holdings, anchor: WallAnchor) -> None:
        self._holdings = holdings
        self.anchor = anchor

    def cut(
        self, segments: Iterable[Segment], from_ns: int, until_ns: int | None = None
    ) -> Iterator[tuple[Segment, int, int, int, Owners]]:
        """The pieces since an instant: segment, start, end, minute, owners."""
        spans = self._spans()
        for segment in segments:
            start = max(segment.start_ns, from_ns)
            stop = segment.end_ns if until_ns is None else min(segment.end_ns, until_ns)
            while start < stop:
                minute, owners, change_ns = spans(start)
                end = min(stop, change_ns)
                yield segment, start, end, minute, owners
                start = end

    def shares(
        self, segment: Segment, from_ns: int, until_ns: int | None = None
    ) -> Iterator[Share]:
        """A segment's pieces since an instant, by owner."""
        for _, start, end, _, owners in self.cut([segment], from_ns, until_ns):
            given = allotted(sums_between(segment, start, end, owners), owners)
            for owner, sums, split in zip(owners.owners, given, owners.split, strict=True):
                yield Share(start, end, owner, sums, split)

    def _spans(self) -> Callable[[int], tuple[int, Owners, int]]:
        """Minute and owners at an instant, and when they change; asked in order, looked up once."""
        since_ns, until_ns, minute, owners = 0, 0, 0, Owners.sole(REST)

        def at(at_ns: int) -> tuple[int, Owners, int]:
            nonlocal since_ns, until_ns, minute, owners
            if not since_ns <= at_ns < until_ns:
                owners, change_ns = self._holdings.at(at_ns)
                minute = self.anchor.minute(at_ns)
                since_ns, until_ns = at_ns, self.anchor.minute_ns(minute + 1)
                if change_ns is not None:
                    until_ns = min(until_ns, change_ns)
            return minute, owners, until_ns

        return at
