"""Finding a counter's ticks by a scan, and staying locked to them; pure, no clock."""

from __future__ import annotations

from enum import Enum
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

from meter.sampling.tick import MIN_HALF_NS, Bracket, TickModel, learn

if TYPE_CHECKING:
    from collections.abc import Sequence

SLACK_NS = 250_000  # how far a look may move to share a wake-up
OUTWARD_NS = 1_000_000  # same, for a look that only makes its bracket wider so
SCAN_STEP_NS = 2_500_000
SCAN_LOOKS = 150
COARSE_AFTER = 110  # looks of a scan after which slower ticks are searched for
COARSE = 8
SCAN_SPAN_NS = 150_000_000  # a scan goes on at least so long, for a good period
SCAN_BLURS = 30  # and for so many times the width of a bracket
SPLIT_EVERY = 4
SILENT_TICKS = 3
RETRY_FAILED_NS = 300_000
RETRIES = 2
LOOKS_PER_S = 200  # of all locked devices together
COST_SHARE = 0.03  # of its time that a device may be asked for


class Window(NamedTuple):
    """When the next look is due, and how far it may move to share another device's wake-up."""

    earliest_ns: int
    due_ns: int
    latest_ns: int


def window(due_ns: float, before_ns: int = 0, after_ns: int = 0) -> Window:
    """The window around a due instant."""
    due = round(due_ns)
    return Window(due - before_ns, due, due + after_ns)


class Scan:
    """A dense row of looks that finds a counter's tick.

    At most 150 looks, each step at least 20 times what a look costs; where several devices are
    scanned together, their looks take at most a quarter of the time.
    """

    __slots__ = ("_coarse", "brackets", "looks")

    def __init__(self, *, coarse: int = COARSE) -> None:
        self.looks = 0
        self.brackets: list[Bracket] = []
        self._coarse = coarse

    def looked(self, bracket: Bracket | None) -> bool:
        """Take a look, with the change it saw; whether the scan is at its end."""
        self.looks += 1
        if bracket is not None:
            self.brackets.append(bracket)
        return self.looks >= SCAN_LOOKS or _enough(self.brackets)

    def next(self, at_ns: int, cost_ns: float, peers: int) -> Window:
        """When to look next; slow ticks are searched for once most looks are spent."""
        step = max(SCAN_STEP_NS, 20 * cost_ns, 4 * peers * cost_ns)
        if self.looks > COARSE_AFTER and len(self.brackets) < 2:
            step *= self._coarse
        return window(at_ns + step, SLACK_NS, SLACK_NS)

    def model(self, cost_ns: float) -> TickModel | None:
        """The grid that the scan found, None if the changes lie on none."""
        return learn(self.brackets, least_half(cost_ns))


def least_half(cost_ns: float) -> float:
    """The narrowest half-width of a window that looks of this cost can tell."""
    return max(MIN_HALF_NS, 2 * cost_ns)


def _enough(brackets: Sequence[Bracket]) -> bool:
    if len(brackets) < 3:
        return False
    blur_ns = max(at - since for since, at in brackets)
    return brackets[-1][1] - brackets[0][1] >= max(SCAN_SPAN_NS, SCAN_BLURS * blur_ns)


class Stage(Enum):
    """Which look at an expected tick comes next."""

    EARLY = "early"
    MIDDLE = "middle"
    LATE = "late"
    CHASE = "chase"


class Lock:
    """Looks just before and just after each expected tick, every few ticks in its middle too.

    A tick that is not there at the late look is chased; one that was there at the early look is
    a miss. With many devices, fast ticks or dear looks only every n-th tick is looked at.
    """

    __slots__ = (
        "_changed_early",
        "_cost_ns",
        "_failures",
        "_model",
        "_outward_ns",
        "_silent",
        "_split_in",
        "_stage",
        "_stride",
        "next",
    )

    def __init__(self, model: TickModel, at_ns: int, cost_ns: float, peers: int) -> None:
        self._model = model
        self._cost_ns = cost_ns
        self._outward_ns = OUTWARD_NS
        self._stride = _stride(model.period, cost_ns, peers)
        self._stage = Stage.EARLY
        self._split_in = 0
        self._silent = 0
        self._changed_early = False
        self._failures = 0
        self.next = window(at_ns)
        self._expect(at_ns)

    @property
    def tick_ns(self) -> int:
        """The counter's period."""
        return round(self._model.period)

    @property
    def settled(self) -> bool:
        """Whether the period is known much better than the scan could tell."""
        return self._model.settled

    @property
    def lost(self) -> bool:
        """Whether too many ticks came outside their windows."""
        return self._model.lost

    @property
    def silent(self) -> bool:
        """Whether the counter stood still for several ticks."""
        return self._silent >= SILENT_TICKS

    @property
    def steady(self) -> bool:
        """Whether no miss is left unforgiven."""
        return self._model.score == 0.0

    def looked(self, at_ns: int, bracket: Bracket | None) -> bool:
        """Take a look, with the change it saw; whether that is a sharp point."""
        if self._stage is Stage.EARLY:
            self._early(at_ns, bracket)
            return False
        if bracket is None:
            self._skip(at_ns)
            return False
        sharp = bracket[1] - bracket[0] <= 6 * self._model.half + 2 * MIN_HALF_NS
        self._found(bracket)
        self._expect(at_ns)
        return sharp

    def failed(self, at_ns: int) -> None:
        """A look gave nothing: try again at once, a few times for each tick."""
        self._failures += 1
        if self._failures > RETRIES:
            self._skip(at_ns)
        else:
            self.next = window(at_ns + max(RETRY_FAILED_NS, 2 * self._cost_ns), 0, SLACK_NS)

    def _found(self, bracket: Bracket) -> None:
        """The expected tick came; what it tells of the grid."""
        if self._failures:
            self._split_in = 1  # how long the bracket is tells of the failures, not of the tick
        elif self._stage is Stage.CHASE:
            self._model.missed_late(bracket)
        else:
            self._model.hit(bracket, informative=self._split_in == 0)
        self._silent = 0
        if not self.settled:
            self._split_in = 0
        elif self._split_in:
            self._split_in -= 1
        else:
            self._split_in = self._split_after()

    def _split_after(self) -> int:
        """After so many ticks one gets a look in its middle again."""
        return SPLIT_EVERY - 1

    def _may_chase(self, at_ns: int) -> bool:
        """Whether a tick that is not there may still come."""
        return at_ns - self._model.at < 0.6 * self._model.period

    def _skip(self, at_ns: int) -> None:
        """A look saw no change: plan the next one at this tick, or give it up."""
        model = self._model
        half = model.half
        if self._stage is Stage.EARLY and self._split_in == 0:
            self._stage = Stage.MIDDLE
            self.next = window(model.at, SLACK_NS // 4, SLACK_NS // 4)
        elif self._stage in (Stage.EARLY, Stage.MIDDLE):
            self._stage = Stage.LATE
            self.next = window(model.at + half, 0, self._outward_ns)
        elif self._may_chase(at_ns):
            self._stage = Stage.CHASE
            step = max(half, 0.7 * (at_ns - model.at), 4 * self._cost_ns)
            self.next = window(at_ns + step, 0, SLACK_NS)
        else:
            self._give_up(at_ns)

    def _early(self, at_ns: int, bracket: Bracket | None) -> None:
        self._changed_early = bracket is not None
        if bracket is not None and self._stride == 1:
            self._silent = 0
            if not self._failures and at_ns < self._model.at:  # else we were late, not it early
                self._model.missed_early(at_ns)
            self._expect(at_ns)
        else:  # where ticks are skipped, a change so early is one of theirs
            self._skip(at_ns)

    def _give_up(self, at_ns: int) -> None:
        if self._changed_early:  # this tick's, not a skipped one's, as nothing came after it
            self._silent = 0
            self._model.missed_early(round(self._model.at - self._model.half))
        else:
            self._silent += 1
        self._expect(at_ns)

    def _expect(self, at_ns: int) -> None:
        model = self._model
        model.advance(self._stride)
        passed_ns = at_ns + model.half - model.at
        if passed_ns >= 0:
            model.advance(floor(passed_ns / model.period) + 1)
        self._stage = Stage.EARLY
        self._changed_early = False
        self._failures = 0
        self.next = window(model.at - model.half, self._outward_ns, 0)


def _stride(period_ns: float, cost_ns: float, peers: int) -> int:
    looks_per_s = (2 + 1 / SPLIT_EVERY) * 1e9 / period_ns
    by_budget = peers * looks_per_s / LOOKS_PER_S
    by_cost = looks_per_s * cost_ns / 1e9 / COST_SHARE
    return max(1, min(ceil(max(by_budget, by_cost) - 0.2), 50))
