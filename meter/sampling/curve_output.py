"""The settled end of an energy curve: segments out, cumulative energy kept; pure."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import ceil, floor
from typing import TYPE_CHECKING

from meter.model import Basis, Method, Segment
from meter.sampling.curve_cells import hole_reach, reach
from meter.units import NS_PER_S, mj_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.model import Device
    from meter.sampling.curve_cells import Break
    from meter.sampling.curve_power import Energy
    from meter.sampling.curve_standin import Booked

GAIN = 0.05
"""A board's sensors may be wrong by this part (arXiv 2312.02741); taken for RAPL too."""
MODEL_SLACK = 0.5
"""A load model may be wrong by this part: an assumption, since no source bounds it."""
MOST_MW = 3_000_000.0
"""More than any device draws: what is plausible where no limit is known."""
OVER_LIMIT = 1.2
OVER_TOLD = 2.0
"""Where no limit is known, unseen power is taken to be at most this times the most ever told."""


class Output:
    """Makes contiguous segments of one device."""

    def __init__(self, device: Device, curve_mj: int, settled_ns: int | None) -> None:
        self._device = device
        self._segments: list[Segment] = []
        self._ends: deque[tuple[int, int]] = deque(maxlen=96)
        self._carry = 0.0
        self.curve_mj = curve_mj
        self.settled_ns = settled_ns
        self.gap_ns = 0
        measured = device.method is Method.MEASURED
        limit = self._limit_mw = device.power_limit_mw
        self._floor_mw = device.power_floor_mw or 0
        self._told_mw = 0.0
        self._over = OVER_LIMIT if measured else 1.0  # a model keeps its own limits
        self.most_mw = self._over * limit if limit else MOST_MW
        self._gain = GAIN if measured else MODEL_SLACK

    def told(self, power_mw: float) -> None:
        """Note a power that the device told."""
        self._told_mw = max(self._told_mw, min(power_mw, MOST_MW))

    @property
    def unseen_mw(self) -> float:
        """The most that it may draw while nobody sees it; what is implausible is ``most_mw``."""
        if self._limit_mw:
            return self.most_mw
        return OVER_TOLD * self._told_mw

    def drain(self) -> list[Segment]:
        """All segments since the last call."""
        segments, self._segments = self._segments, []
        return segments

    def begin(self, at_ns: int) -> None:
        """Start the curve, if it has not started."""
        if self.settled_ns is None:
            self.settled_ns = at_ns
            self._ends.append((at_ns, self.curve_mj))

    def at(self, at_ns: int) -> float | None:
        """Cumulative energy at a settled instant, None if that is no longer remembered."""
        ends = self._ends
        if not ends or not ends[0][0] <= at_ns <= ends[-1][0]:
            return None
        for index in range(len(ends) - 1, 0, -1):
            start, before = ends[index - 1]
            end, after = ends[index]
            if at_ns >= start:
                return before + (after - before) * (at_ns - start) / max(1, end - start)
        return float(ends[0][1])

    def power(self, end_ns: int, energy: Energy, basis: Basis) -> int:
        """Go on to an instant with a figure that is no integer; what it was settled as."""
        value = energy.value + self._carry
        whole = max(0, floor(value))
        self._carry = value - whole
        if basis is Basis.UNKNOWN:
            return self.unknown(end_ns)
        self.stretch(end_ns, whole, basis, low=energy.low, high=energy.high)
        return whole

    def held(self, end_ns: int, power_mw: float) -> int:
        """Go on to an instant that nobody saw, with the power told beside it."""
        if self.settled_ns is None or end_ns <= self.settled_ns:
            return 0
        span = end_ns - self.settled_ns
        value = mj_of(power_mw, span) + self._carry
        whole = floor(value)
        self._carry = value - whole
        bounds = (
            floor((1 - self._gain) * min(mj_of(self._floor_mw, span), whole)),
            ceil((1 + self._gain) * max(mj_of(self.unseen_mw, span), whole)),
        )
        basis = Basis.COUNTER if self._device.method is Method.MEASURED else Basis.MODEL
        self._put(end_ns, whole, bounds, basis, (0, 0))
        return whole

    def unknown(self, end_ns: int) -> int:
        """Go on to an instant of which nothing is known but the limit of what may be drawn."""
        self._put(end_ns, 0, (0, self.unknown_mj(end_ns)), Basis.UNKNOWN, (0, 0), covered=False)
        return 0

    def unknown_mj(self, end_ns: int) -> int:
        """The most that may be drawn until an instant."""
        limit_mw = self._limit_mw or OVER_TOLD * self._told_mw
        if self.settled_ns is None:
            return 0
        return ceil(mj_of(limit_mw, max(0, end_ns - self.settled_ns)))

    def stretch(
        self,
        end_ns: int,
        energy_mj: int,
        basis: Basis,
        breaks: Sequence[Break] = (),
        *,
        low: float | None = None,
        high: float | None = None,
        blur_ns: int = 0,
        blur_mw: float = 0.0,
    ) -> None:
        """Go on to an instant with an energy, shaped by breaks.

        ``blur`` is how well the instants at both ends are known and the power around them.
        """
        start_ns = self.settled_ns
        if start_ns is None or end_ns <= start_ns:
            return
        self.gap_ns += end_ns - start_ns if basis is Basis.COUNTER_GAP else 0
        floor_mw = self._floor_mw if basis is Basis.MODEL else 0
        loose_mj = max(0, energy_mj - ceil(mj_of(floor_mw, end_ns - start_ns)))
        blur = ceil(blur_mw * blur_ns / NS_PER_S)
        if basis is Basis.COUNTER_GAP:
            self._hole(end_ns, energy_mj, blur)
            return
        below, above = reach(start_ns, end_ns, loose_mj, breaks, self.most_mw - floor_mw)
        edges = (below + blur, above + blur)
        done = 0
        for at_ns, upto in (*breaks, (end_ns, energy_mj)):
            piece = upto - done
            part = piece / energy_mj if energy_mj else (at_ns - start_ns) / (end_ns - start_ns)
            bounds = (
                floor((1 - self._gain) * (piece if low is None else min(low * part, piece))),
                ceil((1 + self._gain) * (piece if high is None else max(high * part, piece))),
            )
            self._put(at_ns, piece, bounds, basis, edges)
            done = upto

    def _hole(self, end_ns: int, energy_mj: int, blur_mj: int) -> None:
        """A cell that nobody saw, drawn in pieces so that its edges narrow towards both ends."""
        start_ns = self.settled_ns or end_ns
        span = end_ns - start_ns
        bends = hole_reach(span, energy_mj, self.most_mw)
        done = 0
        for before, after in pairwise(bends):
            upto = energy_mj * after[0] // span
            piece = upto - done
            self._put(
                start_ns + after[0],
                piece,
                (floor((1 - self._gain) * piece), ceil((1 + self._gain) * piece)),
                Basis.COUNTER_GAP,
                (before[1] + blur_mj, before[2] + blur_mj),
                (after[1] + blur_mj, after[2] + blur_mj),
            )
            done = upto

    def correct(self, start_ns: int, end_ns: int, energy_mj: int) -> None:
        """Correct what is settled; the curve's value changes, its end does not."""
        if energy_mj:
            self._correct(start_ns, end_ns, energy_mj, (energy_mj, energy_mj), Basis.COUNTER)

    def bridge(self, gap: Booked, energy_mj: int, loose_mj: float) -> None:
        """Say what was used in a time that was settled as unknown, and take back its width.

        ``loose_mj`` is what the figure rests on besides itself, no surer than a sensor is.
        """
        start_ns, unknown_mj = gap.start_ns, gap.unknown_mj or 0
        span = gap.end_ns - start_ns
        bends = hole_reach(span, energy_mj, self.most_mw)
        slack = (energy_mj + loose_mj) * self._gain
        low, high = max(0, floor(energy_mj - slack)), max(energy_mj, ceil(energy_mj + slack))
        high = min(high, max(energy_mj, unknown_mj)) - unknown_mj
        done = low_done = high_done = 0
        for before, after in pairwise(bends):
            upto, low_upto, high_upto = (
                amount * after[0] // span for amount in (energy_mj, low, high)
            )
            self._correct(
                start_ns + before[0],
                start_ns + after[0],
                upto - done,
                (low_upto - low_done, high_upto - high_done),
                Basis.COUNTER_GAP,
                (before[1:], after[1:]),
            )
            done, low_done, high_done = upto, low_upto, high_upto

    def _correct(
        self,
        start_ns: int,
        end_ns: int,
        energy_mj: int,
        bounds: tuple[int, int],
        basis: Basis,
        edges: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    ) -> None:
        self.curve_mj += energy_mj
        self._ends.clear()  # they tell the former values
        if self.settled_ns is not None:
            self._ends.append((self.settled_ns, self.curve_mj))
        self._segments.append(
            Segment(
                self._device.id,
                start_ns,
                end_ns,
                energy_mj,
                bounds[0],
                bounds[1],
                basis,
                self._device.method,
                correction=True,
                below_mj=edges[0][0],
                above_mj=edges[0][1],
                end_below_mj=edges[1][0],
                end_above_mj=edges[1][1],
            )
        )

    def _put(
        self,
        end_ns: int,
        energy_mj: int,
        bounds: tuple[int, int],
        basis: Basis,
        edges: tuple[int, int],
        end_edges: tuple[int, int] | None = None,
        *,
        covered: bool = True,
    ) -> None:
        start_ns = self.settled_ns
        if start_ns is None or end_ns <= start_ns:
            return
        self.gap_ns += 0 if covered else end_ns - start_ns
        self._segments.append(
            Segment(
                self._device.id,
                start_ns,
                end_ns,
                energy_mj,
                bounds[0],
                bounds[1],
                basis,
                self._device.method,
                covered=covered,
                below_mj=edges[0],
                above_mj=edges[1],
                end_below_mj=(end_edges or edges)[0],
                end_above_mj=(end_edges or edges)[1],
            )
        )
        self.settled_ns = end_ns
        self.curve_mj += energy_mj
        self._ends.append((end_ns, self.curve_mj))


def unknown_before(device: Device, start_ns: int, first: Segment) -> Segment:
    """What a run held before the first look, ahead of the curve's first segment.

    The edge there moves to the start of the unknown time.
    """
    high = ceil(mj_of(device.power_limit_mw or 0, first.start_ns - start_ns))
    return Segment(
        device.id,
        start_ns,
        first.start_ns,
        0,
        0,
        high,
        Basis.UNKNOWN,
        device.method,
        covered=False,
        below_mj=first.below_mj,
        above_mj=first.above_mj,
        end_below_mj=first.below_mj,
        end_above_mj=first.above_mj,
    )
