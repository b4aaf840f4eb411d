"""The energy curve of one device: readings in, settled segments out; pure, no clock.

All instants are CLOCK_BOOTTIME ns. The counter is primary. What lies between two of its ticks is
settled two ticks later, once the levels on both sides are known. Where the counter is silent,
stuck or starts anew, power stands in; when it speaks again, what was settled is corrected if the
counter's own figure agrees with power, and kept if not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.model import Basis, Method
from meter.sampling.curve_cells import Cell, Point, shape
from meter.sampling.curve_check import PowerCheck
from meter.sampling.curve_notices import Notices
from meter.sampling.curve_output import Output
from meter.sampling.curve_power import Energy, PowerTracks
from meter.sampling.curve_standin import StandIn
from meter.units import NS_PER_MS, NS_PER_S, mj_of

if TYPE_CHECKING:
    from meter.model import Device, DeviceFault, Notice, Reading, Segment
    from meter.sampling.curve_standin import Piece

TICK_NS = 100 * NS_PER_MS
"""Longest tick of a known counter; assumed until ticks were seen."""
STUCK_NS = NS_PER_S
HOLE_NS = 1_500 * NS_PER_MS
"""Readings come once a second at the least; longer without one is a hole."""
GIVE_UP_NS = 5 * NS_PER_S
"""After so long without readings the time is settled as unknown."""
AGREES_MEAN, AGREES_INSTANT = 0.25, 0.5
"""A jump of the counter agrees with power when they differ by less than this part: sensors differ
by their gains and by what they do not see, a counter that did not catch up by nearly all."""
LASTING_CODES = frozenset({3, 13})
"""NOT_SUPPORTED and FUNCTION_NOT_FOUND: what a device never gives is no failure."""
BEHIND = 2  # ticks that a cell waits for


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
        self._since_ns = 0  # since then readings come without a hole
        self._done: deque[Cell] = deque(maxlen=2)
        self._cells: deque[Cell] = deque()
        self._spans: deque[int] = deque(maxlen=15)
        self._tick_ns = TICK_NS
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
        return self._base.energy_mj - sum(cell.energy_mj for cell in self._cells)

    @property
    def gap_ns(self) -> int:
        """Time that nobody could look at, bridged by the counter or not."""
        return self._out.gap_ns

    @property
    def last_reading(self) -> Reading | None:
        """The newest reading."""
        return self._last

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
        if self._device.method is Method.MODELLED and reading.energy_mj is None:
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
        self._flush()
        if now_ns - last.at_ns > GIVE_UP_NS:
            self._settle_silence(last.at_ns, now_ns - HOLE_NS)
        return self._out.drain()

    def finish(self, at_ns: int) -> list[Segment]:
        """Settle everything up to an instant, with what is known by now."""
        last = self._last
        if last is None or self._out.settled_ns is None:
            return []
        self._flush()
        known_ns = min(at_ns, last.at_ns + HOLE_NS)
        if self._device.method is Method.MODELLED and self._base is None:
            self._model_until(last, known_ns)
        else:
            self._finish_known(known_ns)
        if at_ns > (self._out.settled_ns or at_ns):
            self._out.unknown(at_ns)
            self._notices.tell("gap_unknown", at_ns)
        return self._out.drain()

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
        """After an outage: what was settled at its begin ran ahead of the counter by a tick."""
        if not self._hole or self._base is None:
            return False
        return 0 < self._base.energy_mj - value <= mj_of(self._out.most_mw, TICK_NS)

    def _start_unknown(self, at_ns: int) -> None:
        """The curve begins here; after an outage without a counter nobody knows the time before."""
        if self._out.settled_ns is None:
            self._out.begin(at_ns)
        elif at_ns > self._out.settled_ns:
            self._out.unknown(at_ns)
            self._notices.tell("gap_unknown", at_ns)

    def _point(self, reading: Reading, value: int) -> Point:
        """When the tick came: in the bracket, and at most a tick before it was seen."""
        since = reading.since_ns
        if since is None:
            since = self._last.at_ns if self._last is not None else 0
        since = min(max(since, reading.at_ns - self._tick_ns), reading.at_ns)
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
            self._new_epoch(suspect)
            self._cell(suspect, point)
        else:
            self._suspect = point

    def _rather_anew(self, base: Point, point: Point) -> bool:
        """Both stories may be true: was the suspect one wrong value, or the counter set back?

        The one whose power is nearer to the power before is believed.
        """
        suspect = self._suspect
        cells = (*self._done, *self._cells)
        if suspect is None or not cells or not self._plausible(suspect, point):
            return False
        usual_mw = sum(cell.energy_mj for cell in cells) * NS_PER_S / sum(c.span_ns for c in cells)
        if self._tracks.has_mean:
            usual_mw = self._tracks.mean.power_mw(point.at_ns)
        apart = [
            abs(point.energy_mj - one.energy_mj - mj_of(usual_mw, point.at_ns - one.at_ns))
            for one in (base, suspect)
        ]
        return apart[1] < apart[0]

    def _plausible(self, before: Point, after: Point) -> bool:
        gained = after.energy_mj - before.energy_mj
        time = after.at_ns - before.at_ns + before.half_ns + after.half_ns + self._tick_ns
        return 0 <= gained <= mj_of(self._out.most_mw, time)

    def _cell(self, base: Point, point: Point) -> None:
        """Two ticks make a cell; it is settled when two more have come."""
        point.at_ns = max(point.at_ns, base.at_ns + 1)
        start_ns, gained = base.at_ns, point.energy_mj - base.energy_mj
        settled = self._out.settled_ns
        if not self._cells and settled is not None and settled < start_ns:
            # after an outage: the counter was told later than the curve was settled
            gained = gained * (point.at_ns - settled) // (point.at_ns - start_ns)
            start_ns = settled
        cell = Cell(start_ns, point.at_ns, gained, base.half_ns, point.half_ns, self._hole)
        if not self._begun:
            cell.whole_mj = gained
        elif not cell.hole:
            self._learn_tick(cell)
            if self._check.counter(cell, self._tracks):
                self._notices.tell("counter_disagrees", point.at_ns)
        self._begun, self._hole = True, False
        self._base = point
        self._cells.append(cell)
        while len(self._cells) > BEHIND:
            self._settle_cell(self._cells.popleft())

    def _learn_tick(self, cell: Cell) -> None:
        self._spans.append(cell.span_ns)
        if len(self._spans) >= 4:
            self._tick_ns = min(sorted(self._spans)[len(self._spans) // 4] * 21 // 20, TICK_NS)

    def _settle_cell(self, cell: Cell) -> None:
        right = tuple(self._cells)
        if cell.whole_mj is not None:
            tick = right[0].span_ns if right else TICK_NS
            cell.energy_mj = cell.whole_mj * min(cell.span_ns, tick) // tick
        breaks = shape(tuple(self._done), cell, right)
        powers = [c.power_mw for c in (*self._done, cell, *right[:1])]
        if cell.hole:
            self._notices.tell("gap_bridged", cell.end_ns)
        self._out.stretch(
            cell.end_ns,
            cell.energy_mj,
            Basis.COUNTER_GAP if cell.hole else Basis.COUNTER,
            breaks,
            blur_ns=max(cell.start_half_ns, cell.end_half_ns),
            blur_mw=max(powers),
        )
        if cell.hole:
            self._done.clear()
        else:
            self._done.append(cell)

    def _flush(self) -> None:
        """Settle all cells, whether their neighbours are known or not."""
        while self._cells:
            self._settle_cell(self._cells.popleft())

    def _unchanged(self, reading: Reading, base: Point) -> None:
        still_ns = reading.at_ns - max(base.at_ns, self._since_ns)
        if still_ns <= STUCK_NS:
            return
        power = reading.instant_mw if reading.mean_mw is None else reading.mean_mw
        if power:
            self._notices.tell("counter_stuck", reading.at_ns)
            self._stand_in(base.at_ns)
        elif still_ns > 2 * STUCK_NS and not self._hole:
            self._flush()
            self._done.clear()
            base.at_ns = reading.at_ns - STUCK_NS
            base.half_ns = 0
            self._out.stretch(base.at_ns, 0, Basis.COUNTER)

    def _new_epoch(self, point: Point) -> None:
        """The counter started anew: power fills what lies between."""
        self._flush()
        self._done.clear()
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
        return StandIn(self._tracks, from_ns, self._out.most_mw, self._out.at)

    def _stand_in(self, from_ns: int) -> None:
        self._flush()
        self._done.clear()
        self._suspect = None
        self._hole = False
        self._stand = self._new_stand(max(from_ns, self._out.settled_ns or from_ns))

    def _settle_pieces(self, pieces: list[Piece]) -> int:
        """Settle what power tells; its energy as settled."""
        total = 0
        for piece in pieces:
            start = self._out.settled_ns or piece.start_ns
            settled = self._out.power(piece.end_ns, piece.energy, piece.basis)
            total += settled
            if self._stand is not None:
                self._stand.book(start, piece.end_ns, settled)
            if piece.basis is Basis.UNKNOWN:
                self._notices.tell("gap_unknown", piece.end_ns)
        return total

    def _resume(self, stand: StandIn, point: Point) -> None:
        """The counter moves again: take its jump if it agrees with power."""
        settled = self._out.settled_ns or point.at_ns
        if point.at_ns <= settled:
            point.half_ns += settled - point.at_ns
            point.at_ns = settled
        rest = stand.until(point.at_ns) if point.at_ns > stand.at_ns else []
        base = self._base
        jump = None if base is None else point.energy_mj - base.energy_mj
        if jump is None or not self._took_jump(stand, rest, jump):
            self._settle_pieces(rest)
            if jump is not None:
                code = "counter_reset" if jump < 0 else "counter_not_caught_up"
                self._notices.tell(code, point.at_ns)
        self._stand = None
        self._base = point
        self._begun, self._hole = True, False
        self._done.clear()

    def _took_jump(self, stand: StandIn, rest: list[Piece], jump_mj: int) -> bool:
        """Book the counter's jump over the time that power stood in for, if that may be."""
        rest_mj = sum(piece.energy.value for piece in rest)
        if stand.unknown_ns:
            return self._bridged(stand, rest, jump_mj)
        power_mj = stand.booked_mj + rest_mj
        agrees = AGREES_MEAN if self._tracks.has_mean else AGREES_INSTANT
        if not power_mj or abs(jump_mj - power_mj) > agrees * power_mj:
            return False
        self._notices.tell("counter_caught_up", self._out.settled_ns or 0)
        over = round((jump_mj - power_mj) * stand.booked_mj / power_mj)
        self._correct(stand, over)
        part = (jump_mj - stand.booked_mj - over) / rest_mj if rest_mj else 0.0
        before = stand.booked_mj
        self._settle_pieces(
            [type(p)(p.start_ns, p.end_ns, p.energy.scaled(part), p.basis) for p in rest]
        )
        left = jump_mj - (before + over) - (stand.booked_mj - before)
        self._out.correct(stand.booked[0].start_ns, stand.at_ns, left)
        return True

    def _correct(self, stand: StandIn, over_mj: int) -> None:
        """Spread a correction like what it corrects, so that no part of it falls below zero."""
        total, done, spread = stand.booked_mj, 0, 0
        for one in stand.booked:
            done += one.energy_mj
            upto = over_mj * done // total if total else 0
            self._out.correct(one.start_ns, one.end_ns, upto - spread)
            spread = upto

    def _bridged(self, stand: StandIn, rest: list[Piece], jump_mj: int) -> bool:
        """Some of the time was unknown: what power does not explain was used there."""
        told = [piece for piece in rest if piece.basis is not Basis.UNKNOWN]
        over = round(jump_mj - stand.booked_mj - sum(piece.energy.value for piece in told))
        gaps = [(one.start_ns, one.end_ns) for one in stand.booked if not one.energy_mj]
        settled = len(gaps)
        gaps += [(one.start_ns, one.end_ns) for one in rest if one.basis is Basis.UNKNOWN]
        span = sum(end - start for start, end in gaps)
        if not 0 <= over <= mj_of(self._out.most_mw, span):
            return False
        self._notices.tell("gap_bridged", self._out.settled_ns or 0)
        done_ns = spread = 0
        for index, (start_ns, end_ns) in enumerate(gaps):
            done_ns += end_ns - start_ns
            upto = over * done_ns // span
            if index < settled:
                self._out.correct(start_ns, end_ns, upto - spread, gap=True)
            else:
                self._out.stretch(end_ns, upto - spread, Basis.COUNTER_GAP)
            spread = upto
        self._settle_pieces(told)
        return True

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
        elif self._done and until_ns - settled <= 3 * self._tick_ns and self._base is not None:
            energy = int(mj_of(self._done[-1].power_mw, until_ns - settled))
            self._out.stretch(until_ns, energy, Basis.COUNTER)
            self._base = Point(until_ns, self._tick_ns, self._base.energy_mj + energy)
        elif self._tracks.known:
            energy = self._settle_pieces(self._new_stand(settled).until(until_ns))
            if self._base is not None:
                self._base = Point(until_ns, self._tick_ns, self._base.energy_mj + energy)
        else:
            self._out.stretch(until_ns, 0, Basis.COUNTER)

    # -- load models ------------------------------------------------------------------------

    def _modelled(self, reading: Reading) -> None:
        """A load model tells the power since its last reading."""
        settled = self._out.settled_ns
        if self._last is None or settled is None:
            self._start_unknown(reading.at_ns)
        elif reading.at_ns - settled <= 2 * GIVE_UP_NS:
            self._model_until(reading, reading.at_ns)
        else:
            self._start_unknown(reading.at_ns)

    def _model_until(self, reading: Reading, until_ns: int) -> None:
        power = reading.instant_mw if reading.mean_mw is None else reading.mean_mw
        settled = self._out.settled_ns
        if power is not None and settled is not None and until_ns > settled:
            energy = mj_of(power, until_ns - settled)
            self._out.power(until_ns, Energy(energy, energy, energy), Basis.MODEL)
