"""Hosted models that cost by the hour and were asked nothing, or nobody can tell; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable

_DAY_US = 24 * US_PER_HOUR
_HOURS = Decimal(24)


class Hosting(NamedTuple):
    """Hours of hosting told on one day, and the nearest days on which the model served.

    ``maybe`` are the nearest days on which something was asked that it may have served.
    """

    day_us: int
    provider: str
    project: str
    model: str
    hours: Decimal
    events: int
    currency: str | None
    amount: Decimal | None
    served_before_us: int | None
    served_after_us: int | None
    maybe_before_us: int | None = None
    maybe_after_us: int | None = None

    def idle(self) -> bool:
        """Whether nothing was asked in its time, of it or maybe of it."""
        return not (
            self._reaches(self.served_before_us, self.served_after_us)
            or self._reaches(self.maybe_before_us, self.maybe_after_us)
        )

    def unclear(self) -> bool:
        """Whether nothing was asked of it for sure, and something maybe."""
        served = self._reaches(self.served_before_us, self.served_after_us)
        return not served and not self.idle()

    def _reaches(self, before_us: int | None, after_us: int | None) -> bool:
        """Whether one of two days is in its time.

        An event of more than a day may lie before or after its instant, and of several units, so
        that all days that its hours could reach are looked at.
        """
        days = self.hours / max(self.events, 1) / _HOURS
        reach_us = int(days.to_integral_value("ROUND_CEILING")) * _DAY_US if days > 1 else 0
        return (before_us is not None and self.day_us - before_us <= reach_us) or (
            after_us is not None and after_us - self.day_us <= reach_us
        )


@dataclass(slots=True)
class Idle:
    """Days of a hosted model that served nothing, or perhaps; ``amount`` None without a price."""

    provider: str
    project: str
    model: str
    currency: str | None
    first_us: int
    last_us: int
    days: int = 0
    hours: Decimal = Decimal(0)
    amount: Decimal | None = None

    def each_hour(self) -> Decimal | None:
        """What an hour cost, to four places."""
        if self.amount is None or not self.hours:
            return None
        return (self.amount / self.hours).quantize(Decimal("0.0001"))


def idle_of(hostings: Iterable[Hosting]) -> list[Idle]:
    """Idle hosting by model, the dearest first."""
    return _summed(one for one in hostings if one.idle())


def unclear_of(hostings: Iterable[Hosting]) -> list[Idle]:
    """Hosting of which it is not known whether it served, by model, the dearest first."""
    return _summed(one for one in hostings if one.unclear())


def _summed(hostings: Iterable[Hosting]) -> list[Idle]:
    found: dict[tuple[str, str, str, str], list[Hosting]] = defaultdict(list)
    for one in hostings:
        found[one.provider, one.project, one.model, one.currency or ""].append(one)
    made = [_sum(some) for some in found.values()]
    return sorted(made, key=lambda one: (-(one.amount or 0), -one.hours, one.provider, one.model))


def _sum(hostings: list[Hosting]) -> Idle:
    first = hostings[0]
    days = sorted({one.day_us for one in hostings})
    amounts = [one.amount for one in hostings if one.amount is not None]
    return Idle(
        first.provider,
        first.project,
        first.model,
        first.currency,
        days[0],
        days[-1],
        len(days),
        sum((one.hours for one in hostings), Decimal(0)),
        sum(amounts, Decimal(0)) if amounts else None,
    )
