"""The energy curve of one device: readings in, settled segments out; pure, no clock.

All instants are CLOCK_BOOTTIME ns. The counter is primary. What lies between two of its ticks is
settled two ticks later, once the levels on both sides are known. Where the counter is silent,
stuck or starts anew, power stands in; when it speaks again, what was settled is corrected if the
counter's own figure agrees with power, and kept if not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.model import Basis, Component, Method
from meter.sampling.curve_cells import Cell, Point
from meter.sampling.curve_check import PowerCheck
from meter.sampling.curve_notices import Notices
from meter.sampling.curve_output import Output
from meter.sampling.curve_power import Energy, PowerTracks
from meter.sampling.curve_queue import TICK_NS, CellQueue
from meter.sampling.curve_resume import AGREES_INSTANT, AGREES_MEAN, settle, took_jump
from meter.sampling.curve_standin import StandIn
from meter.units import NS_PER_MS, NS_PER_S, mj_of

if TYPE_CHECKING:
    from meter.model import Device, DeviceFault, Notice, Reading, Segment
    from meter.sampling.curve_standin import Piece

STUCK_NS = NS_PER_S
HOLE_NS = 1_500 * NS_PER_MS
"""Readings come once a second at the least; longer without one is a hole."""
GIVE_UP_NS = 5 * NS_PER_S
"""After so long without readings the time is settled as unknown."""
HELD_NS = NS_PER_S
"""What a load model tells holds for so long before its first look."""
SURE_PART = 10
"""A tick is placed well if its bracket is this much shorter than a tick."""
LASTING_CODES = frozenset({3, 13})
"""NOT_SUPPORTED and FUNCTION_NOT_FOUND: what a device never gives is no failure."""


@dataclass(frozen=True, slots=True)
class CurveStart:
    """Where a curve goes on after an outage of ours.

    ``counter_mj`` is what the device's counter had told at ``at_ns`` (best:
    ``CurveBuilder.counter_mj``, which holds at ``settled_ns``), None if that is not known or the
    counter's epoch is another now.
    """

    curve_mj: int
    settled_ns: int
    counter_mj: int | None
    at_ns: int


class CurveBuilder:
    """Builds the energy curve of a device from its readings, in order of time."""

    def __init__(self, device: Device, *, start: CurveStart | None = None) -> None:
        self._device = device
        self._out = Output(
            device, start.curve_mj if start else 0, start.settled_ns if start else None
        )
        self._notices = Notices(device.id, device.name)
        self._tracks = PowerTracks()
        self._check = PowerCheck()
        self._last: Reading | None = None
        self._value: int | None = None  # what the counter told last
        self._base: Point | None = None  # the last tick that is believed
        self._suspect: Point | None = None  # a tick that waits for the next
        self._stand: StandIn | None = None
        self._begun = False  # a tick was seen since the start: before it, cells are parts
        self._hole = False  # nobody looked for a part of the cell to come
        self._ahead_mj = 0.0  # what an end was settled with beyond what the counter told
        self._since_ns = 0  # since then readings come without a hole
        self._queue = CellQueue(self._out, self._notices)
        self._model = device.method is not Method.MEASURED
        if device.component is not Component.GPU:
            self._begun = True  # RAPL's counter does not tick: its first cell is whole
        if start is not None and start.counter_mj is not None:
            self._base = Point(start.at_ns, 0, start.counter_mj)
            self._value = start.counter_mj
            self._begun = self._hole = True

    # -- what is known ----------------------------------------------------------------------

    @property
    def settled_ns(self) -> int | None:
        """End of the settled curve, None before the first reading."""
        return self._out.settled_ns

    @property
    def curve_mj(self) -> int:
        """Cumulative energy at ``settled_ns``, with all corrections, in mJ."""
        return self._out.curve_mj

    @property
    def counter_mj(self) -> int | None:
        """What the device's counter stands for at ``settled_ns``; None while power stands in."""
        if self._base is None or self._stand is not None:
            return None
        return self._base.energy_mj - self._queue.waiting_mj

    @property
    def gap_ns(self) -> int:
        """Time that nobody could look at, bridged by the counter or not."""
        return self._out.gap_ns

    @property
    def last_reading(self) -> Reading | None:
        """The newest reading."""
        return self._last

    @property
    def owes(self) -> bool:
        """Whether the counter has yet to tell what was used while nobody looked."""
        return self._hole and self._base is not None

    def drain_notices(self) -> list[Notice]:
        """Notices since the last call."""
        return self._notices.drain()

    # -- what comes in ----------------------------------------------------------------------

    def feed(self, reading: Reading) -> list[Segment]:
        """Take a reading; what it settles. One that is not newer than the last is left out."""
        if self._last is not None and reading.at_ns <= self._last.at_ns:
            return []
        if self._last is None or reading.at_ns - self._last.at_ns > HOLE_NS:
            self._after_hole(reading.at_ns)
        self._out.told(max(reading.mean_mw or 0, reading.instant_mw or 0))
        if self._model:
            self._modelled(reading)
        else:
            since = reading.since_ns if reading.energy_mj is None else None
            self._tracks.feed(reading.at_ns, since, reading.mean_mw, reading.instant_mw)
            if reading.energy_mj is None:
                self._without_counter(reading)
            else:
                self._with_counter(reading, reading.energy_mj)
            if self._stand is not None:
                self._settle_pieces(self._stand.ready())
        self._last = reading
        self._notices.gap_over(reading.at_ns)
        return self._out.drain()

    def fault(self, fault: DeviceFault) -> list[Segment]:
        """Take a fault of the device; it settles what time alone would."""
        if fault.lost:
            self._notices.tell("device_lost", fault.at_ns)
        elif fault.code not in LASTING_CODES:
            self._notices.tell("reads_failed", fault.at_ns, fault.reason)
        return self.advance(fault.at_ns)

    def advance(self, now_ns: int) -> list[Segment]:
        """Let time pass: settles what no reading can change any more, and long silence."""
        last = self._last
        if last is None or self._out.settled_ns is None or now_ns - last.at_ns <= HOLE_NS:
            return []
        self._queue.flush()
        if now_ns - last.at_ns > GIVE_UP_NS:
            self._settle_silence(last.at_ns, now_ns - HOLE_NS)
        return self._out.drain()

    def finish(self, at_ns: int) -> list[Segment]:
        """Settle everything up to an instant, with what is known by now."""
        last = self._last
        if last is None or self._out.settled_ns is None:
            return []
        self._queue.flush()
        known_ns = min(at_ns, last.at_ns + HOLE_NS)
        if not self._model:
            self._finish_known(known_ns)
        elif (power_mw := _power_of(last)) is not None:
            self._out.held(known_ns, power_mw)
        self._unknown(at_ns)
        self._notices.gap_over(at_ns)
        return self._out.drain()

    def _unknown(self, until_ns: int) -> None:
        """Nothing is known from the settled end on until an instant."""
        settled = self._out.settled_ns
        if settled is not None and until_ns > settled:
            self._out.unknown(until_ns)
            self._notices.gap(settled, until_ns)

    # -- the counter ------------------------------------------------------------------------

    def _with_counter(self, reading: Reading, value: int) -> None:
        first = self._value is None
        changed = not first and value != self._value and not self._barely_less(value)
        self._value = value
        if first and self._stand is None and self._base is None:
            self._start_unknown(reading.at_ns)
            self._base = Point(reading.at_ns, 0, value)
        elif changed:
            self._tick(self._point(reading, value))
        elif self._base is not None and self._stand is None:
            self._unchanged(reading, self._base)

    def _barely_less(self, value: int) -> bool:
        """What was settled at an end, or at the begin of an outage, ran ahead of the counter."""
        if self._base is None:
            return False
        ahead_mj = mj_of(self._out.most_mw, TICK_NS) if self._hole else self._ahead_mj
        return 0 < self._base.energy_mj - value <= ahead_mj

    def _start_unknown(self, at_ns: int) -> None:
        """The curve begins here; after an outage without a counter nobody knows the time before."""
        if self._out.settled_ns is None:
            self._out.begin(at_ns)
        else:
            self._unknown(at_ns)

    def _point(self, reading: Reading, value: int) -> Point:
        """When the tick came: in the bracket, and at most a tick before it was seen."""
        since = reading.since_ns
        if since is None:
            since = self._last.at_ns if self._last is not None else 0
        since = min(max(since, reading.at_ns - self._queue.tick_ns), reading.at_ns)
        return Point((since + reading.at_ns) // 2, (reading.at_ns - since + 1) // 2, value)

    def _tick(self, point: Point) -> None:
        if self._stand is not None:
            self._resume(self._stand, point)
        elif (
            self._base is not None
            and self._plausible(self._base, point)
            and not self._rather_anew(self._base, point)
        ):
            if self._suspect is not None:
                self._notices.tell("counter_glitch", point.at_ns)
            self._suspect = None
            self._cell(self._base, point)
        elif self._suspect is not None and self._plausible(self._suspect, point):
            suspect, self._suspect = self._suspect, None
            if suspect.half_ns * SURE_PART < self._queue.tick_ns:
                self._new_epoch(suspect)
                self._cell(suspect, point)
            else:  # when in that tick it was set back nobody knows: power tells up to the next
                self._new_epoch(point)
                self._base = point
        else:
            self._suspect = point

    def _rather_anew(self, base: Point, point: Point) -> bool:
        """Say whether the counter was set back, where the suspect may be a wrong value too.

        The one whose power is nearer to the power before is believed.
        """
        suspect = self._suspect
        usual_mw = self._queue.usual_mw
        if suspect is None or usual_mw is None or not self._plausible(suspect, point):
            return False
        if self._tracks.has_mean:
            usual_mw = self._tracks.mean.power_mw(point.at_ns)
        apart = [
            abs(point.energy_mj - one.energy_mj - mj_of(usual_mw, point.at_ns - one.at_ns))
            for one in (base, suspect)
        ]
        return apart[1] < apart[0]

    def _plausible(self, before: Point, after: Point) -> bool:
        gained = after.energy_mj - before.energy_mj
        time = after.at_ns - before.at_ns + before.half_ns + after.half_ns + self._queue.tick_ns
        return 0 <= gained <= mj_of(self._out.most_mw, time)

    def _cell(self, base: Point, point: Point) -> None:
        """Two ticks make a cell; it is settled when two more have come."""
        point.at_ns = max(point.at_ns, base.at_ns + 1)
        start_ns, gained = base.at_ns, point.energy_mj - base.energy_mj
        settled = self._out.settled_ns
        if self._queue.empty and settled is not None and settled < start_ns:
            # after an outage: the counter was told later than the curve was settled
            gained = gained * (point.at_ns - settled) // (point.at_ns - start_ns)
            start_ns = settled
        cell = Cell(start_ns, point.at_ns, gained, base.half_ns, point.half_ns, self._hole)
        if not self._begun:
            cell.whole_mj = gained
        elif not cell.hole and self._check.counter(cell, self._tracks):
            self._notices.tell("counter_disagrees", point.at_ns)
        self._begun, self._hole = True, False
        self._base, self._ahead_mj = point, 0.0
        if not self._tracks.known:
            self._out.told(cell.power_mw)
        self._queue.add(cell)

    def _unchanged(self, reading: Reading, base: Point) -> None:
        still_ns = reading.at_ns - max(base.at_ns, self._since_ns)
        if still_ns <= STUCK_NS:
            return
        power = reading.instant_mw if reading.mean_mw is None else reading.mean_mw
        if power:
            wrong = self._suspect is not None  # it stands at a value that nobody believes
            self._notices.tell("counter_glitch" if wrong else "counter_stuck", reading.at_ns)
            self._stand_in(base.at_ns, wrong=wrong)
        elif still_ns > 2 * STUCK_NS and not self._hole:
            self._queue.cut()
            base.at_ns = reading.at_ns - STUCK_NS
            base.half_ns = 0
            self._out.stretch(base.at_ns, 0, Basis.COUNTER)

    def _new_epoch(self, point: Point) -> None:
        """The counter started anew: power fills what lies between."""
        self._queue.cut()
        self._notices.tell("counter_reset", point.at_ns)
        settled = self._out.settled_ns
        if settled is None or point.at_ns <= settled:
            point.at_ns = settled if settled is not None else point.at_ns
            return
        self._hole = False
        self._settle_pieces(self._new_stand(settled).until(point.at_ns))

    # -- power stands in --------------------------------------------------------------------

    def _without_counter(self, reading: Reading) -> None:
        if self._stand is not None or not self._tracks.known:
            return
        if self._base is None:
            self._start_unknown(reading.at_ns)
            self._notices.tell("no_counter", reading.at_ns)
            self._stand_in(reading.at_ns)
        elif reading.at_ns - max(self._base.at_ns, self._since_ns) > STUCK_NS:
            self._notices.tell("counter_missing", reading.at_ns)
            self._stand_in(self._base.at_ns)

    def _new_stand(self, from_ns: int) -> StandIn:
        return StandIn(self._tracks, from_ns, lambda: self._out.unseen_mw, self._out.at)

    def _stand_in(self, from_ns: int, *, wrong: bool = False) -> None:
        self._queue.cut()
        self._suspect = None
        self._hole = False
        self._stand = self._new_stand(max(from_ns, self._out.settled_ns or from_ns))
        self._stand.wrong = wrong

    def _settle_pieces(self, pieces: list[Piece]) -> int:
        return settle(pieces, self._stand, self._out, self._notices)

    def _resume(self, stand: StandIn, point: Point) -> None:
        """The counter moves again: take its jump if it agrees with power."""
        settled = self._out.settled_ns or point.at_ns
        if point.at_ns <= settled:
            point.half_ns += settled - point.at_ns
            point.at_ns = settled
        rest = stand.until(point.at_ns) if point.at_ns > stand.at_ns else []
        base = self._base
        jump = None if base is None else point.energy_mj - base.energy_mj
        agrees = AGREES_MEAN if self._tracks.has_mean else AGREES_INSTANT
        if jump is None or not took_jump(stand, rest, jump, agrees, self._out, self._notices):
            self._settle_pieces(rest)
            if jump is not None:
                code = "counter_reset" if jump < 0 else "counter_not_caught_up"
                self._notices.tell(code, point.at_ns)
        self._stand = None
        self._base = point
        self._begun, self._hole = True, False
        self._queue.cut()

    # -- silence ----------------------------------------------------------------------------

    def _after_hole(self, at_ns: int) -> None:
        """Readings come again after a hole: power says nothing about it."""
        self._since_ns = at_ns
        if self._last is None:
            return
        if self._stand is not None:
            self._settle_pieces(self._stand.until(max(self._last.at_ns, self._stand.at_ns)))
        self._tracks.restart()
        self._check.restart()
        self._hole = self._stand is None

    def _settle_silence(self, last_ns: int, until_ns: int) -> None:
        if self._model:
            self._unknown(until_ns)
            return
        if self._stand is None:
            self._stand_in(self._base.at_ns if self._base is not None else last_ns)
            stand = self._stand
            self._tracks.restart()
        stand = self._stand
        if stand is None:
            return
        if stand.at_ns < last_ns:
            self._settle_pieces(stand.until(last_ns))
        self._tracks.restart()
        if until_ns > stand.at_ns:
            self._settle_pieces([stand.unknown(until_ns)])

    def _finish_known(self, until_ns: int) -> None:
        settled = self._out.settled_ns
        if settled is None or until_ns <= settled:
            return
        if self._stand is not None:
            self._settle_pieces(self._stand.until(until_ns))
        elif (
            (power_mw := self._queue.last_mw) is not None
            and (not self._tracks.known or until_ns - settled <= 3 * self._queue.tick_ns)
            and self._base is not None
        ):
            energy = self._out.held(until_ns, power_mw)
            self._base = Point(until_ns, self._queue.tick_ns, self._base.energy_mj + energy)
            self._ahead_mj = float(energy)
        elif self._tracks.known:
            energy = self._settle_pieces(self._new_stand(settled).until(until_ns))
            if self._base is not None:
                self._base = Point(until_ns, self._queue.tick_ns, self._base.energy_mj + energy)

    # -- load models ------------------------------------------------------------------------

    def _modelled(self, reading: Reading) -> None:
        """A load model tells the mean power since its last look, whatever sums it has."""
        power_mw, at_ns = _power_of(reading), reading.at_ns
        if power_mw is None:
            return
        settled = self._out.settled_ns
        if self._last is None or settled is None or at_ns - settled > 2 * GIVE_UP_NS:
            self._start_unknown(at_ns - HELD_NS)
            self._out.held(at_ns, power_mw)
        elif at_ns - self._last.at_ns > HOLE_NS:
            self._out.held(at_ns, power_mw)
        elif at_ns > settled:
            energy = mj_of(power_mw, at_ns - settled)
            self._out.power(at_ns, Energy(energy, energy, energy), Basis.MODEL)


def _power_of(reading: Reading) -> int | None:
    return reading.instant_mw if reading.mean_mw is None else reading.mean_mw
