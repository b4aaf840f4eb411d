"""Power standing in for a counter that is silent, stuck, reset or not there; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from meter.model import Basis
from meter.sampling.curve_power import MEAN_NS, Energy
from meter.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.sampling.curve_power import PowerTracks

QUARTERS = 4
INSTANT_STEP_NS = 100 * NS_PER_MS
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch that power tells about, or that nothing does."""

    start_ns: int
    end_ns: int
    energy: Energy
    basis: Basis


@dataclass(slots=True)
class Booked:
    """What was settled from power, to be corrected once the counter speaks again.

    ``unknown_mj`` is what an unknown time was bounded by, None where power told.
    """

    start_ns: int
    end_ns: int
    energy_mj: int
    unknown_mj: int | None = None

    def with_next(self, other: Booked) -> Booked:
        """This and the next as one; unknown only if both are."""
        unknown = None
        if self.unknown_mj is not None and other.unknown_mj is not None:
            unknown = self.unknown_mj + other.unknown_mj
        return Booked(self.start_ns, other.end_ns, self.energy_mj + other.energy_mj, unknown)


class StandIn:
    """Energy from power, from an instant on, in blocks that can be settled.

    The mean at t is the energy of the second before t: blocks of a second that begin where the
    counter was last sure have no end effect. The instant field shapes them; it stands in itself
    for less than a second, or where there is no mean.
    """

    __slots__ = ("_history", "_most_mw", "_tracks", "at_ns", "booked", "unknown_ns", "wrong")

    def __init__(
        self,
        tracks: PowerTracks,
        start_ns: int,
        most_mw: Callable[[], float],
        history: Callable[[int], float | None],
    ) -> None:
        self._tracks = tracks
        self._most_mw = most_mw
        self._history = history
        self.at_ns = start_ns
        self.booked: list[Booked] = []
        self.unknown_ns = 0
        self.wrong = False  # the counter does not stand still: what it shows is impossible

    @property
    def booked_mj(self) -> int:
        """All that was booked."""
        return sum(one.energy_mj for one in self.booked)

    def ready(self) -> list[Piece]:
        """What will not change any more."""
        pieces = self._lead()
        if self._tracks.has_mean:
            while self._tracks.mean.last_ns >= self.at_ns + MEAN_NS:
                pieces += self._second()
        elif self._tracks.has_instant:
            frontier = self._tracks.instant.frontier_ns
            if frontier >= self.at_ns + INSTANT_STEP_NS:
                pieces.append(self._instant(frontier))
        return pieces

    def until(self, end_ns: int) -> list[Piece]:
        """All up to an instant and no further, from what is known by now."""
        pieces = self._lead(end_ns)
        while self._tracks.has_mean and end_ns >= self.at_ns + MEAN_NS:
            pieces += self._second()
        if end_ns > self.at_ns:
            pieces.append(self._rest(end_ns))
        return pieces

    def unknown(self, end_ns: int) -> Piece:
        """A stretch that nothing tells about."""
        self.unknown_ns += end_ns - self.at_ns
        return self._piece(end_ns, Energy(0.0, 0.0, 0.0), Basis.UNKNOWN)

    def book(self, one: Booked) -> None:
        """Remember what a piece was settled as; the oldest grow coarse, unknown time is one."""
        last = self.booked[-1] if self.booked else None
        if last and last.unknown_mj is not None and one.unknown_mj is not None:
            self.booked[-1] = last.with_next(one)
            return
        self.booked.append(one)
        if len(self.booked) > REMEMBERED:
            pairs = zip(self.booked[::2], self.booked[1::2], strict=False)
            odd = self.booked[-1:] if len(self.booked) % 2 else []
            self.booked = [
                part
                for a, b in pairs
                for part in ([a.with_next(b)] if _of_a_kind(a, b) else [a, b])
            ] + odd
            if len(self.booked) > REMEMBERED:  # power comes and goes: what is old stays unknown
                self.booked[:2] = [self.booked[0].with_next(self.booked[1])]

    def _piece(self, end_ns: int, energy: Energy, basis: Basis) -> Piece:
        piece = Piece(self.at_ns, end_ns, energy, basis)
        self.at_ns = end_ns
        return piece

    def _lead(self, end_ns: int | None = None) -> list[Piece]:
        """The time before power was first given, of which nothing is known."""
        start = self._tracks.start_ns
        if start is None:
            return [] if end_ns is None or end_ns <= self.at_ns else [self.unknown(end_ns)]
        known_from = start - (MEAN_NS if self._tracks.has_mean else 0)
        if known_from > self.at_ns:
            return [self.unknown(known_from if end_ns is None else min(known_from, end_ns))]
        return []

    def _second(self) -> list[Piece]:
        start = self.at_ns
        block = self._tracks.mean.power_mw(start + MEAN_NS)
        marks = [start + MEAN_NS * i // QUARTERS for i in range(QUARTERS + 1)]
        weights = [1.0] * QUARTERS
        if self._tracks.has_instant and self._tracks.instant.start_ns <= start:
            found = [self._tracks.instant.between(a, b).value for a, b in pairwise(marks)]
            weights = found if sum(found) > 0 else weights
        energies = [block * weight / sum(weights) for weight in weights]
        return [
            self._piece(end, Energy(energy, energy, energy), Basis.POWER_MEAN)
            for end, energy in zip(marks[1:], energies, strict=True)
        ]

    def _instant(self, end_ns: int, part: float = 1.0) -> Piece:
        energy = self._tracks.instant.between(self.at_ns, end_ns).scaled(part)
        return self._piece(end_ns, energy, Basis.POWER_INSTANT)

    def _seen_part(self, end_ns: int) -> float:
        """How the last second's mean compares to what the instant field saw of it."""
        start = end_ns - MEAN_NS
        if not self._tracks.has_mean or self._tracks.instant.start_ns > start:
            return 1.0
        seen = self._tracks.instant.between(start, end_ns).value
        return self._tracks.mean.power_mw(end_ns) / seen if seen > 0 else 1.0

    def _rest(self, end_ns: int) -> Piece:
        if self._tracks.has_instant and self._tracks.instant.start_ns <= self.at_ns:
            return self._instant(end_ns, self._seen_part(end_ns))
        if not self._tracks.has_mean:
            return self.unknown(end_ns)
        span = (end_ns - self.at_ns) / NS_PER_S
        mean = self._tracks.mean.power_mw(end_ns)
        here, before = self._history(self.at_ns), self._history(end_ns - MEAN_NS)
        energy = mean * span
        if here is not None and before is not None:
            energy = mean - (here - before)
        low, high = self._rest_bounds(mean, span, max(0, end_ns - self._tracks.mean.last_ns))
        return self._piece(end_ns, Energy(min(max(energy, low), high), low, high), Basis.POWER_MEAN)

    def _rest_bounds(self, mean_mj: float, span: float, unseen_ns: int) -> tuple[float, float]:
        """Bounds of what is left of a second, in mJ; ``mean_mj`` is that second's energy."""
        most = self._most_mw()
        unseen = min(unseen_ns / NS_PER_S, span)
        low = mean_mj - most * (1 - (span - unseen))
        high = min(most * span, mean_mj + most * unseen)
        return min(max(low, 0.0), high), high


def _of_a_kind(one: Booked, other: Booked) -> bool:
    return (one.unknown_mj is None) == (other.unknown_mj is None)
