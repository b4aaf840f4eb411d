"""A run's energy over time, in UTC quarter hours: moved to another start, or to other GPUs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

from meter.model import Component, Method
from meter.units import US_PER_QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Amount:
    """A whole quantity between its bounds, in mJ or µs."""

    low: int
    value: int
    high: int

    @classmethod
    def exactly(cls, value: int) -> Amount:
        """A quantity without bounds."""
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a quantity is multiplied by, between its bounds."""

    low: Fraction
    value: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True)
class Use:
    """What a run used on one device in the UTC quarter hour that starts at ``at_us``."""

    at_us: int
    site_id: str
    device_id: str
    component: Component
    energy: Amount  # mJ
    held: Amount  # µs of the device
    method: Method


@dataclass(frozen=True, slots=True)
class Replacement:
    """A device in place of another: how long the run takes then, and what the device uses."""

    time: Ratio
    energy: Ratio


@dataclass(frozen=True, slots=True)
class Profile:
    """All that a run used; instants are UTC µs."""

    start_us: int
    duration_us: int
    uses: tuple[Use, ...]

    @property
    def first_us(self) -> int:
        """Start of the quarter hour that the run began in."""
        return quarter_of(self.start_us)

    @property
    def end_us(self) -> int:
        """End of the last quarter hour with any use."""
        last = max((use.at_us for use in self.uses), default=self.first_us)
        return last + US_PER_QUARTER

    def starting_at(self, start_us: int) -> Profile:
        """The same run begun at another instant; what it used moves by whole quarter hours."""
        by_us = quarter_of(start_us) - self.first_us
        uses = tuple(replace(use, at_us=use.at_us + by_us) for use in self.uses)
        return replace(self, start_us=start_us, uses=uses)

    def on(self, replacements: Mapping[str, Replacement]) -> Profile:
        """The same run on other devices, by the id of those replaced; the slowest sets the pace.

        What a device uses is spread over the stretched time. Rounding to whole mJ keeps the sum.
        """
        if not replacements:
            return self
        time = max((one.time for one in replacements.values()), key=lambda ratio: ratio.value)
        parts: dict[tuple[str, str], dict[int, _Sums]] = defaultdict(dict)
        for use in self.uses:
            found = replacements.get(use.device_id)
            energy = found.energy if found else time
            slots = parts[use.site_id, use.device_id]
            for slot, share in _stretched(use.at_us - self.first_us, time.value):
                slots.setdefault(self.first_us + slot, _Sums(use)).add(use, share, energy, time)
        uses = [use for slots in parts.values() for use in _whole(slots)]
        uses.sort(key=lambda use: (use.at_us, use.site_id, use.device_id))
        return replace(self, duration_us=_rounded(self.duration_us * time.value), uses=tuple(uses))


class _Sums:
    """What a device uses in one quarter hour, in parts that are not rounded yet."""

    def __init__(self, like: Use) -> None:
        self.like = like
        self.method = Method.ASSUMED
        self.energy = [Fraction(0)] * 3
        self.held = [Fraction(0)] * 3

    def add(self, use: Use, share: Fraction, energy: Ratio, time: Ratio) -> None:
        for sums, amount, ratio in (
            (self.energy, use.energy, energy),
            (self.held, use.held, time),
        ):
            low, value, high = _times(amount, ratio)
            for index, part in enumerate((low, value, high)):
                sums[index] += part * share


def _times(amount: Amount, ratio: Ratio) -> tuple[Fraction, Fraction, Fraction]:
    ends = [end * side for end in (amount.low, amount.high) for side in (ratio.low, ratio.high)]
    return min(ends), amount.value * ratio.value, max(ends)


def _stretched(offset_us: int, by: Fraction) -> Iterator[tuple[int, Fraction]]:
    """The quarter hours that a quarter hour comes to lie in, each with its share of it."""
    start, end = offset_us * by, (offset_us + US_PER_QUARTER) * by
    slot = floor(start / US_PER_QUARTER) * US_PER_QUARTER
    while slot < end:
        inside = min(end, Fraction(slot + US_PER_QUARTER)) - max(start, Fraction(slot))
        yield slot, inside / (end - start)
        slot += US_PER_QUARTER


def _whole(slots: Mapping[int, _Sums]) -> Iterator[Use]:
    """Uses in whole mJ and µs; each is the difference of rounded running sums."""
    running = [Fraction(0)] * 6
    for at_us in sorted(slots):
        sums = slots[at_us]
        before = [_rounded(one) for one in running]
        running = [a + b for a, b in zip(running, [*sums.energy, *sums.held], strict=True)]
        parts = [_rounded(now) - then for now, then in zip(running, before, strict=True)]
        yield replace(
            sums.like,
            at_us=at_us,
            energy=Amount(*parts[:3]),
            held=Amount(*parts[3:]),
            method=sums.method,
        )


def quarter_of(at_us: int) -> int:
    """Start of the quarter hour that an instant lies in."""
    return at_us - at_us % US_PER_QUARTER


def _rounded(value: Fraction) -> int:
    return floor(value + _HALF)


def profile_of(read: Mapping[str, Any]) -> Profile:
    """The profile in what :func:`meter.ledger.profiles.run_profile` gives."""
    run, devices = read["run"], read["devices"]
    return Profile(
        start_us=run["started_us"],
        duration_us=run["until_us"] - run["started_us"],
        uses=tuple(
            Use(
                at_us=use["at_us"],
                site_id=use["site"],
                device_id=use["device"],
                component=Component(devices[use["device"]]["component"]),
                energy=Amount(use["low_mj"], use["energy_mj"], use["high_mj"]),
                held=Amount.exactly(use["held_us"]),
                method=Method(use["method"]),
            )
            for use in read["uses"]
        ),
    )
