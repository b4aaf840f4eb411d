"""The cheapest and the cleanest hour to start in, of those in a horizon."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from meter.model import Component, FactorKind
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from meter.whatif.place import Place, Slot
    from meter.whatif.profile import Profile

_FEMTO = 15  # decimal places of a rate
_NANO = 9  # of a factor
_MONEY = frozenset({FactorKind.ELECTRICITY_PRICE, FactorKind.GPU_HOUR_RATE, FactorKind.PUE})
_CARBON = frozenset({FactorKind.GRID_INTENSITY, FactorKind.PUE})

Currencies = tuple[str | None, str | None]
"""Of energy and of GPU time."""


@dataclass(frozen=True, slots=True)
class Window:
    """Instants, in UTC µs, that a start is sought between: the full hours in [from, to)."""

    from_us: int
    to_us: int

    def hours(self) -> range:
        """Full hours to start at."""
        first = -(-self.from_us // US_PER_HOUR) * US_PER_HOUR
        return range(first, self.to_us, US_PER_HOUR)


@dataclass(frozen=True, slots=True)
class Start:
    """What a start would bring, as whole numbers that compare exactly; None is not comparable.

    ``cost`` and ``carbon`` are in 1E-15 nano-units, ``marginal`` in mJ times 1E-9 g/kWh.
    ``hourly`` of the ``slots`` that the run would need have an intensity of their own hour or day.
    """

    at_us: int
    cost: dict[str, int] | None
    carbon: int | None
    marginal: int | None
    slots: int
    hourly: int
    lacking: frozenset[FactorKind] = frozenset()  # what the run, or another start, has


@dataclass(frozen=True, slots=True)
class Search:
    """Every start of a window, and the best of them; None where all are equal or unknown.

    Where hourly intensities are known, the cleanest is of the starts that have nothing else.
    """

    window: Window
    starts: tuple[Start, ...]
    cheapest: dict[str, Start | None]
    cleanest: Start | None
    marginal: Start | None
    energy_mj: int

    @property
    def slots(self) -> int:
        """Hours, or quarters of them, that starts need; one that several need counts for each."""
        return sum(one.slots for one in self.starts)

    @property
    def hourly(self) -> int:
        """Of these the ones with an intensity of their own hour or day."""
        return sum(one.hourly for one in self.starts)

    @property
    def rated(self) -> int:
        """Starts that are compared by carbon."""
        return len(_rated(self.starts))


@dataclass(frozen=True, slots=True)
class _Need:
    """What a run uses at one site in one quarter hour, counted from its first."""

    site_id: str
    offset_us: int
    energy_mj: int
    held_us: int


@dataclass(frozen=True, slots=True)
class _Packed:
    """A slot's rates as whole numbers of 1E-15; those of the overhead are in them."""

    currencies: Currencies
    energy: int
    gpu_time: int
    grams: int | None
    marginal: int | None
    hourly: bool
    known: frozenset[FactorKind]


Table = dict[tuple[str, int], _Packed]


Known = Mapping[str, frozenset[FactorKind]]
"""The kinds of factors known at each site."""


def known_of(profile: Profile, places: Mapping[str, Place]) -> Known:
    """The kinds that a run's figures stand on, by site."""
    found: dict[str, frozenset[FactorKind]] = defaultdict(frozenset)
    for use in profile.uses:
        found[use.site_id] |= places[use.site_id].at(use.at_us).known
    return found


def search(
    profile: Profile, places: Mapping[str, Place], window: Window, had: Known | None = None
) -> Search:
    """What each start in a window would bring. Of equal starts the earliest is the best.

    A start that lacks a kind of factor that the run ``had`` is compared with none, nor is one
    without the PUE or the intensity that others have: less would be known of it, not used.
    """
    needs = _needs(profile)
    hours = window.hours()
    table = _table(needs, places, hours)
    needs = _merged(needs, table)
    wanted = _wanted(table, had or {})
    usual = _usual(table, wanted)
    starts = tuple(_start(at_us, needs, table, (usual, wanted)) for at_us in hours)
    return Search(
        window=window,
        starts=starts,
        cheapest={
            currency: _best(starts, partial(_cost_in, currency))
            for currency in sorted({one for one in usual if one})
        },
        cleanest=_best(_rated(starts), lambda one: one.carbon),
        marginal=_best(starts, lambda one: one.marginal),
        energy_mj=sum(need.energy_mj for need in needs),
    )


def _needs(profile: Profile) -> list[_Need]:
    energy: dict[tuple[str, int], int] = defaultdict(int)
    held: dict[tuple[str, int], int] = defaultdict(int)
    for use in profile.uses:
        key = use.site_id, use.at_us - profile.first_us
        energy[key] += use.energy.value
        held[key] += use.held.value if use.component is Component.GPU else 0
    return [_Need(*key, energy[key], held[key]) for key in sorted(energy)]


def _table(needs: Iterable[_Need], places: Mapping[str, Place], hours: Iterable[int]) -> Table:
    """The rates of every quarter hour that some start needs."""
    keys = {(need.site_id, at_us + need.offset_us) for need in needs for at_us in hours}
    return {(site, at_us): _packed(places[site].at(at_us)) for site, at_us in keys}


def _merged(needs: list[_Need], table: Table) -> list[_Need]:
    """Needs by the hour where no hour's quarters differ, so that there is less to multiply."""
    hours: dict[tuple[str, int], _Packed] = {}
    for (site, at_us), slot in table.items():
        if hours.setdefault((site, at_us // US_PER_HOUR), slot) != slot:
            return needs
    merged: dict[tuple[str, int], _Need] = {}
    for need in needs:
        key = need.site_id, need.offset_us // US_PER_HOUR
        one = merged.get(key)
        merged[key] = need if one is None else _both(one, need)
    return list(merged.values())


def _both(one: _Need, other: _Need) -> _Need:
    energy_mj, held_us = one.energy_mj + other.energy_mj, one.held_us + other.held_us
    return replace(one, energy_mj=energy_mj, held_us=held_us)


def _packed(slot: Slot) -> _Packed:
    prices = [rate for rate in slot.energy if rate.kind.startswith("electricity")]
    grams = [rate for rate in slot.energy if rate.kind.startswith("location")]
    gpu = slot.gpu_time[0] if slot.gpu_time else None
    return _Packed(
        currencies=(prices[0].unit if prices else None, gpu.unit if gpu else None),
        energy=sum(_whole(rate.value) for rate in prices),
        gpu_time=_whole(gpu.value) if gpu else 0,
        grams=sum(_whole(rate.value) for rate in grams) if grams else None,
        marginal=None if slot.marginal is None else int(slot.marginal.scaleb(_NANO)),
        hourly=slot.hourly,
        known=slot.known,
    )


def _whole(rate: Decimal) -> int:
    return int(rate.scaleb(_FEMTO))


def _usual(table: Table, wanted: Known) -> Currencies:
    """The currencies of most slots: what is priced otherwise cannot be compared with them."""
    whole = [
        slot
        for (site, _), slot in table.items()
        if not (wanted.get(site, frozenset()) - slot.known) & _MONEY
    ]
    seen = Counter(slot.currencies for slot in whole or table.values())
    return min(seen, key=lambda one: (-seen[one], repr(one)), default=(None, None))


def _wanted(table: Table, had: Known) -> Known:
    """What a start has to know at each site."""
    found = defaultdict(frozenset, had)
    for (site, _), slot in table.items():
        found[site] |= slot.known & _CARBON
    return found


def _rated(starts: Iterable[Start]) -> list[Start]:
    """The starts that may be compared by carbon: an hour of which nothing is known is not clean."""
    known = [one for one in starts if one.carbon is not None]
    if any(one.hourly for one in known):
        return [one for one in known if one.hourly == one.slots]
    return known


def _start(
    at_us: int, needs: Iterable[_Need], table: Table, rules: tuple[Currencies, Known]
) -> Start:
    usual, wanted = rules
    pairs = [(need, table[need.site_id, at_us + need.offset_us]) for need in needs]
    lacking: frozenset[FactorKind] = frozenset().union(
        *(wanted.get(need.site_id, frozenset()) - slot.known for need, slot in pairs)
    )
    carbon = _weighted((need.energy_mj, slot.grams) for need, slot in pairs)
    cost: dict[str, int] = {}
    if not lacking & _MONEY and all(slot.currencies == usual for _, slot in pairs):
        energy = sum(need.energy_mj * slot.energy for need, slot in pairs)
        held = sum(need.held_us * slot.gpu_time for need, slot in pairs)
        for currency, amount in zip(usual, (energy, held), strict=True):
            if currency:
                cost[currency] = cost.get(currency, 0) + amount
    return Start(
        at_us=at_us,
        cost=cost or None,
        carbon=None if lacking & _CARBON else carbon,
        marginal=_weighted((need.energy_mj, slot.marginal) for need, slot in pairs),
        slots=len(pairs),
        hourly=sum(slot.hourly for _, slot in pairs),
        lacking=lacking,
    )


def _weighted(pairs: Iterable[tuple[int, int | None]]) -> int | None:
    """Energy times a rate; None where one is not known."""
    total = 0
    for energy_mj, rate in pairs:
        if rate is None:
            return None
        total += energy_mj * rate
    return total


def _cost_in(currency: str, start: Start) -> int | None:
    return None if start.cost is None else start.cost[currency]


def _best(starts: Iterable[Start], figure: Callable[[Start], int | None]) -> Start | None:
    """The earliest of the lowest; None where fewer than two differ."""
    known = [(number, one) for one in starts if (number := figure(one)) is not None]
    if len({number for number, _ in known}) < 2:
        return None
    return min(known, key=lambda pair: (pair[0], pair[1].at_us))[1]
