"""What the power fields of a device tell about its energy; pure, instants in ns.

Energies here are floats in mJ: power stands in where the counter is silent, and is rounded when
it enters the curve.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from meter.units import NS_PER_MS, NS_PER_S

PERIOD_NS = 100 * NS_PER_MS
"""Longest update period of a known sensor; assumed until a shorter one shows."""
SEEN_PART, SEEN_NS = 5, 20 * NS_PER_MS
"""A sensor sees at least a fifth of its period, and no more than 20 ms are trusted to be seen."""
KEEP_NS = 5 * NS_PER_S
MEAN_NS = NS_PER_S
"""What the mean power field averages over: the second before it."""


@dataclass(frozen=True, slots=True)
class Energy:
    """An energy with its bounds, in mJ."""

    value: float
    low: float
    high: float

    def scaled(self, part: float) -> Energy:
        """A part of it."""
        return Energy(self.value * part, self.low * part, self.high * part)


class SensorPeriod:
    """How often a sensor has something new, learnt from the times of its changes."""

    __slots__ = ("_gaps", "value_ns")

    def __init__(self) -> None:
        self._gaps: deque[int] = deque(maxlen=32)
        self.value_ns = PERIOD_NS

    def saw(self, gap_ns: int) -> None:
        """Two changes came this long after each other."""
        self._gaps.append(gap_ns)
        if len(self._gaps) >= 4:
            shortest = min(self._gaps)
            single = sorted(gap for gap in self._gaps if gap <= shortest * 3 // 2)
            self.value_ns = min(single[len(single) // 2], PERIOD_NS)


class InstantTrack:
    """Energy from instant power, whose sensor looks away between its updates.

    Before each change the load is unknown for an update period, less what the sensor saw: the
    value there is the midpoint of the levels, the bounds are the levels themselves. They hold for
    a load with at most one edge in a gap; shorter events are invisible.
    """

    __slots__ = ("_at", "_changed", "_level", "_period", "_sums", "_times")

    def __init__(self) -> None:
        self._period = SensorPeriod()
        self._times: list[int] = []
        self._sums: list[tuple[float, float, float]] = []  # cumulative value, low, high
        self._level = 0
        self._changed = 0  # instant of the last change
        self._at = 0  # last look

    @property
    def known(self) -> bool:
        """Whether the field was ever given."""
        return bool(self._times)

    @property
    def start_ns(self) -> int:
        """Instant of the first look."""
        return self._times[0] if self._times else 0

    @property
    def last_ns(self) -> int:
        """Instant of the last look."""
        return self._at

    @property
    def level_mw(self) -> int:
        """The last value."""
        return self._level

    @property
    def frontier_ns(self) -> int:
        """Up to here nothing changes any more, whatever the next look shows."""
        if not self._times:
            return 0
        return max(self._times[-1], self._at - self._period.value_ns)

    def feed(self, at_ns: int, since_ns: int | None, power_mw: int) -> None:
        """Take a look; ``since_ns`` is the last look that still showed the former value."""
        if not self._times:
            self._times.append(at_ns)
            self._sums.append((0.0, 0.0, 0.0))
            self._level, self._changed = power_mw, at_ns
        elif power_mw != self._level:
            since = max(self._at, since_ns or self._at)
            self._change(min(since, at_ns), at_ns, power_mw)
        elif self.frontier_ns - self._times[-1] > NS_PER_S:
            self._hold(self.frontier_ns, self._level, 0.0)
        self._at = at_ns
        if self._times[0] < at_ns - 4 * KEEP_NS:
            self._forget(at_ns - 2 * KEEP_NS)

    def between(self, start_ns: int, end_ns: int) -> Energy:
        """Energy of a stretch; after the last change the last level is taken to hold."""
        a, b = self._at_instant(start_ns), self._at_instant(end_ns)
        return Energy(b[0] - a[0], b[1] - a[1], b[2] - a[2])

    def _change(self, since_ns: int, at_ns: int, power_mw: int) -> None:
        last = self._times[-1]
        update = max(last, (since_ns + at_ns) // 2)
        self._period.saw(update - self._changed)
        period = self._period.value_ns
        seen = min(period // SEEN_PART, SEEN_NS)
        unseen_from = max(last, update - period)
        unseen_to = max(unseen_from, update - seen)
        blur = (at_ns - since_ns) / 2
        self._hold(unseen_from, self._level, 0.0)
        middle, half = (self._level + power_mw) / 2, abs(power_mw - self._level) / 2
        span = unseen_to - unseen_from
        self._hold(unseen_to, middle, half * (1 + blur / span) if span else 0.0)
        self._hold(update, power_mw, 0.0)
        self._level, self._changed = power_mw, update

    def _hold(self, until_ns: int, power_mw: float, slack_mw: float) -> None:
        seconds = (until_ns - self._times[-1]) / NS_PER_S
        if seconds <= 0:
            return
        value, low, high = self._sums[-1]
        low_mw = max(0.0, power_mw - slack_mw)
        self._times.append(until_ns)
        self._sums.append(
            (
                value + power_mw * seconds,
                low + low_mw * seconds,
                high + (power_mw + slack_mw) * seconds,
            )
        )

    def _at_instant(self, at_ns: int) -> tuple[float, float, float]:
        index = bisect_right(self._times, at_ns)
        if index == len(self._times):
            ahead = self._level * (at_ns - self._times[-1]) / NS_PER_S
            value, low, high = self._sums[-1]
            return value + ahead, low + ahead, high + ahead
        if index == 0:
            return self._sums[0]
        start, end = self._times[index - 1], self._times[index]
        part = (at_ns - start) / (end - start)
        a, b = self._sums[index - 1], self._sums[index]
        return (
            a[0] + (b[0] - a[0]) * part,
            a[1] + (b[1] - a[1]) * part,
            a[2] + (b[2] - a[2]) * part,
        )

    def _forget(self, before_ns: int) -> None:
        index = max(0, bisect_right(self._times, before_ns) - 1)
        del self._times[:index], self._sums[:index]


class MeanTrack:
    """The 1 s mean power: at an instant it tells the energy of the second before, exactly."""

    __slots__ = ("_at", "_changed", "_knots", "_period")

    def __init__(self) -> None:
        self._period = SensorPeriod()
        self._knots: deque[tuple[int, int]] = deque()
        self._changed = 0
        self._at = 0

    @property
    def known(self) -> bool:
        """Whether the field was ever given."""
        return bool(self._knots)

    @property
    def start_ns(self) -> int:
        """Instant of the first look that is kept."""
        return self._knots[0][0] if self._knots else 0

    @property
    def last_ns(self) -> int:
        """Instant of the last look."""
        return self._at

    def feed(self, at_ns: int, since_ns: int | None, power_mw: int) -> None:
        """Take a look; ``since_ns`` is the last look that still showed the former value."""
        knots = self._knots
        if knots and knots[-1][1] != power_mw:
            since = max(self._at, since_ns or self._at)
            update = max((min(since, at_ns) + at_ns) // 2, knots[-1][0])
            if self._changed:
                self._period.saw(update - self._changed)
            held_ns = update - self._period.value_ns
            if held_ns > knots[-1][0]:  # updates in between told the same
                knots.append((held_ns, knots[-1][1]))
            knots.append((update, power_mw))
            self._changed = update
        elif len(knots) > 1 and knots[-2][1] == power_mw:
            knots[-1] = (at_ns, power_mw)
        else:
            knots.append((at_ns, power_mw))
        self._at = at_ns
        while len(knots) > 2 and knots[1][0] < at_ns - KEEP_NS:
            knots.popleft()

    def power_mw(self, at_ns: int) -> float:
        """The mean as it was at an instant, linear between updates."""
        knots = self._knots
        if at_ns >= knots[-1][0]:
            return float(knots[-1][1])
        for index in range(len(knots) - 1, 0, -1):
            start, before = knots[index - 1]
            if at_ns >= start:
                end, after = knots[index]
                return before + (after - before) * (at_ns - start) / max(1, end - start)
        return float(knots[0][1])


class PowerTracks:
    """Both power fields of a device since readings last came without a hole."""

    __slots__ = ("_last", "instant", "mean", "start_ns")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything: nobody looked for a while."""
        self.instant = InstantTrack()
        self.mean = MeanTrack()
        self.start_ns: int | None = None

    def feed(
        self, at_ns: int, since_ns: int | None, mean_mw: int | None, instant_mw: int | None
    ) -> None:
        """Take what a look gave."""
        if mean_mw is not None:
            self.mean.feed(at_ns, since_ns, mean_mw)
        if instant_mw is not None:
            self.instant.feed(at_ns, since_ns, instant_mw)
        if self.start_ns is None and (mean_mw is not None or instant_mw is not None):
            self.start_ns = at_ns

    @property
    def known(self) -> bool:
        """Whether there is any power to stand in."""
        return self.start_ns is not None

    @property
    def has_mean(self) -> bool:
        """Whether the mean is given, and still is."""
        fresh = self.instant.last_ns - self.mean.last_ns < 2 * NS_PER_S
        return self.mean.known and (fresh or not self.instant.known)

    @property
    def has_instant(self) -> bool:
        """Whether the instant field is given, and still is."""
        fresh = self.mean.last_ns - self.instant.last_ns < 2 * NS_PER_S
        return self.instant.known and (fresh or not self.mean.known)
