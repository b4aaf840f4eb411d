"""Corrections of one device: what its curve says later of time that was told before; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.metering.cut import edge
from meter.metering.joining import joined
from meter.metering.part import Part, part_of
from meter.metering.point import Point
from meter.metering.stretch import method_of
from meter.model import Basis, Interval

if TYPE_CHECKING:
    from meter.metering.holdings import Holdings, Owner
    from meter.metering.pieces import Cutter, Share
    from meter.model import Method, Segment


class Corrections:
    """Keeps corrections until their time is closed, so that late holds reach them too."""

    def __init__(self, holdings: Holdings, cutter: Cutter) -> None:
        self._holdings = holdings
        self._cutter = cutter
        self._waiting: list[tuple[Segment, int]] = []  # each with where what is not written begins

    def take(self, segment: Segment) -> list[Part]:
        """Keep a correction; its parts."""
        self._waiting.append((segment, segment.start_ns))
        return [
            part_of(segment, one.owner, one.start_ns, one.end_ns, one.sums, split=one.split)
            for one in self._cutter.shares(segment, segment.start_ns)
        ]

    def point(self, owner: Owner, at_ns: int | None) -> Point:
        """What of an owner's is not written yet, up to an instant (None: all of it)."""
        total = Point()
        for segment, from_ns in self._waiting:
            for one in self._cutter.shares(segment, from_ns, at_ns):
                if one.owner == owner:
                    total = total.plus(Point(one.sums.energy, one.sums.low, one.sums.high))
        return total

    def close(self, until_ns: int | None) -> list[Interval]:
        """The intervals of closed time, once each; the others wait."""
        if until_ns is None:
            return []
        found: dict[tuple[int, Owner, Method], Interval] = {}
        waiting = []
        for segment, from_ns in self._waiting:
            for share in self._cutter.shares(segment, from_ns, until_ns):
                one = self._interval(segment, share)
                key = (self._cutter.anchor.minute(share.start_ns), share.owner, one.method)
                found[key] = joined(found[key], one) if key in found else one
            if segment.end_ns > until_ns:
                waiting.append((segment, max(from_ns, until_ns)))
        self._waiting = waiting
        return list(found.values())

    def _interval(self, segment: Segment, share: Share) -> Interval:
        anchor, sums = self._cutter.anchor, share.sums
        start_us, end_us = anchor.us(share.start_ns), anchor.us(share.end_ns)
        below, above = self._edges(segment, share)
        bridges = segment.basis is Basis.COUNTER_GAP  # it was unknown, and is known now
        return Interval(
            device_id=segment.device_id,
            kind=share.owner.kind,
            run_id=share.owner.run_id,
            start_us=start_us,
            end_us=max(end_us, start_us + 1),
            energy_mj=sums.energy,
            low_mj=max(0, sums.low - below) if bridges else sums.low,
            high_mj=sums.high + above,
            covered_us=end_us - start_us if bridges else 0,
            measured_mj=sums.measured,
            method=method_of(segment.method, split=share.split),
            correction=True,
            held_us=0,
        )

    def _edges(self, segment: Segment, share: Share) -> tuple[int, int]:
        """By how much less and more a run may have got that began or ended in a bridged time."""
        below = above = 0
        run_id = share.owner.run_id
        if run_id is None:
            return 0, 0
        if self._holdings.is_edge(run_id, share.start_ns):
            lower, higher = edge(segment, share.start_ns)
            below, above = below + higher, above + lower
        if self._holdings.is_edge(run_id, share.end_ns):
            lower, higher = edge(segment, share.end_ns)
            below, above = below + lower, above + higher
        return below, above
