"""When to look at the power of a device without a counter: just after its updates; pure.

A power sensor updates in ticks too, but an update that tells the same power cannot be seen: no
change is no miss. And it may update as often as it may be looked at, or more often.
"""

from __future__ import annotations

from collections import deque
from math import ceil, floor
from typing import TYPE_CHECKING

from meter.sampling.lock import LOOKS_PER_S as TICK_LOOKS_PER_S
from meter.sampling.lock import OUTWARD_NS, SPLIT_EVERY, Lock, Scan, Stage, least_half, window
from meter.sampling.pace import PLAIN_COST_SHARE, Pace
from meter.sampling.tick import learn_sparse

if TYPE_CHECKING:
    from meter.sampling.tick import Bracket, TickModel

POWER_NS = 20_300_000  # no part of a usual period, so that plain looks fall all over it
LOOKS_PER_S = 50
BRACKET_LOOKS = 2 + 1 / SPLIT_EVERY  # for each update, where looks suffice for that
CHECK_EVERY = 64  # updates, where they do not
LEARNING_LOOKS = 60  # beyond the budget, for a lock to begin with
SAVED_LOOKS = 4
OWED_LOOKS = 8  # so many may be owed while power changes, to be saved when it is flat
STREAK = 3  # updates in a row that changed; then one that does not is late
SHARED_PART = 3  # of a period that a look may move to share a wake-up
OUTWARD_PART = 25  # the same for the looks before and after an update
LIVELY, LIVELY_NS = 4, 400_000_000  # so many changes in that time are worth a scan
MOST_GAPS = 1.5  # updates for each change that a scan must see
SPARSE, KEPT = 8, 16  # changes that plain looks learn updates from
RELEARN_NS = 500_000_000


class UpdateLock(Lock):
    """A lock to updates of which only some can be seen, at most 50 looks/s on average.

    Where looks do not suffice for an early and a late one each, there is one just after each
    update, and now and then all three; a look too many is saved at one of the next updates.
    """

    __slots__ = (
        "_alone",
        "_credit",
        "_one_each",
        "_per_tick",
        "_streak",
        "_sure",
        "_ticks",
        "_unchecked",
    )

    def __init__(self, model: TickModel, at_ns: int, cost_ns: float, peers: int) -> None:
        looks_per_s: float = LOOKS_PER_S
        if cost_ns:
            looks_per_s = min(looks_per_s, PLAIN_COST_SHARE * 1e9 / cost_ns)
        wanted_per_s = BRACKET_LOOKS * 1e9 / model.period
        self._one_each = wanted_per_s > min(looks_per_s, TICK_LOOKS_PER_S / peers)
        self._per_tick = model.period * looks_per_s / 1e9
        self._credit: float = LEARNING_LOOKS
        self._streak = 1  # updates in a row that changed
        self._ticks = 1  # since the last update that was looked at
        self._unchecked = 0  # updates that got one look alone
        self._alone = False  # the next update gets one look alone
        self._sure = False
        super().__init__(model, at_ns, cost_ns, peers)
        self._outward_ns = max(OUTWARD_NS, round(model.period / OUTWARD_PART))

    @property
    def settled(self) -> bool:
        """Whether the period was once known much better than the scan could tell."""
        return self._sure

    @property
    def silent(self) -> bool:
        """Never: flat power has updates too."""
        return False

    @property
    def not_before_ns(self) -> int:
        """When the update that is looked at next can have come at the earliest; 0: unknown.

        Known where it gets one look alone, none before was left out, and the grid is sure.
        """
        if not self._alone or self._ticks > 1 or not self._sure or not self.steady:
            return 0
        return round(self._model.at - 2 * self._model.half)

    def looked(self, at_ns: int, bracket: Bracket | None) -> bool:
        """Take a look, with the change it saw; whether that is a sharp point."""
        self._credit -= 1
        return super().looked(at_ns, bracket)

    def failed(self, at_ns: int) -> None:
        """A look gave nothing: try again at once, a few times for each update."""
        self._credit -= 1
        super().failed(at_ns)

    def _found(self, bracket: Bracket) -> None:
        self._streak += 1
        if self._alone:
            return  # one look tells nothing of the grid
        if self._stage is not Stage.CHASE:
            self._unchecked = 0
        super()._found(bracket)
        self._sure = self._sure or self._model.settled

    def _split_after(self) -> int:
        return 0 if self._one_each else super()._split_after()

    def _early(self, at_ns: int, bracket: Bracket | None) -> None:
        """An early change may be of the update before too: what follows will tell."""
        self._changed_early = bracket is not None and not self._failures and at_ns < self._model.at
        self._skip(at_ns)

    def _may_chase(self, at_ns: int) -> bool:
        """Whether an update that shows no change is rather late: the ones before all changed."""
        if self._alone or self._changed_early or self._streak < STREAK or self._credit < 1:
            return False
        return super()._may_chase(at_ns)

    def _give_up(self, at_ns: int) -> None:
        if self._changed_early and self._streak:
            self._model.missed_early(round(self._model.at - self._model.half))
        elif self._changed_early:
            self._model.missed()  # this update came early, or the one before late
        self._streak = 1 if self._changed_early else 0
        self._expect(at_ns)

    def _expect(self, at_ns: int) -> None:
        model = self._model
        unsure = not self._sure or not model.sharp or self._unchecked >= CHECK_EVERY
        due = self._streak > 0 and unsure
        self._alone = self._one_each and not due
        half = model.half
        passed_ns = at_ns - model.at - model.period + (-half if self._alone else half)
        self._ticks = self._afford(1 + max(0, floor(passed_ns / model.period) + 1))
        model.advance(self._ticks)
        self._unchecked += self._ticks
        self._changed_early = False
        self._failures = 0
        if self._alone:
            self._stage = Stage.LATE
            self.next = window(model.at + model.half, 0, round(model.period / SHARED_PART))
        else:
            self._stage = Stage.EARLY
            self.next = window(model.at - model.half, self._outward_ns, 0)

    def _afford(self, ticks: int) -> int:
        """How many updates to go on, at least so many; looks are saved while power is flat."""
        least = -OWED_LOOKS if self._streak else 1
        most = max(SAVED_LOOKS, 2 * self._per_tick, self._credit)
        owed = least - self._credit - ticks * self._per_tick
        if owed > 0:
            ticks += ceil(owed / self._per_tick)
        self._credit = min(self._credit + ticks * self._per_tick, most)
        return ticks


class UpdateScan(Scan):
    """A scan for updates; plain looks are close enough to learn from where most change nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(coarse=1)

    def model(self, cost_ns: float) -> TickModel | None:
        """The grid that the scan found, None if few changes lie on it: any grid would do."""
        model = super().model(cost_ns)
        if model is None:
            return None
        span_ns = self.brackets[-1][1] - self.brackets[0][1]
        return model if span_ns <= MOST_GAPS * (len(self.brackets) - 1) * model.period else None


class PowerPace(Pace):
    """Power that is scanned, locked to, or looked at plainly, with a grid learnt all the while."""

    __slots__ = ("_changes", "not_before_ns")

    first_retry_ns = 4_000_000_000

    def __init__(self, device_id: str, now_ns: int) -> None:
        super().__init__(device_id, now_ns)
        self._changes: deque[Bracket] = deque(maxlen=KEPT)
        self.not_before_ns = 0
        """When the update that the last look saw can have come at the earliest; 0: unknown."""

    def looked(self, at_ns: int, bracket: Bracket | None, plain_ns: int) -> bool:
        """Take a look, with the change it saw; whether that is a point worth sending."""
        lock = self._locked
        self.not_before_ns = min(lock.not_before_ns, at_ns) if isinstance(lock, UpdateLock) else 0
        return super().looked(at_ns, bracket, plain_ns)

    def _new_scan(self) -> Scan:
        return UpdateScan()

    def _new_lock(self, model: TickModel, at_ns: int) -> Lock:
        return UpdateLock(model, at_ns, self.cost_ns, self.peers)

    def _learn_plainly(self, at_ns: int, bracket: Bracket) -> None:
        changes = self._changes
        changes.append(bracket)
        if at_ns < self._relearn_ns:
            return
        if len(changes) >= LIVELY and at_ns - changes[-LIVELY][1] < LIVELY_NS:
            self._scan = self._new_scan()
            changes.clear()
        elif len(changes) >= SPARSE:
            self._relearn_ns = at_ns + RELEARN_NS
            model = learn_sparse(tuple(changes), least_half(self.cost_ns))
            if model is not None:
                changes.clear()
                self._begin_lock(model, at_ns, 0)
