"""A run compared with what it would have been: each scenario, and the best hours to start in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meter.instants import instant
from meter.model import Factor, FactorKind, Method
from meter.whatif.outcome import Outcome, Places, priced
from meter.whatif.place import away, changed, lasting
from meter.whatif.starts import known_of, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from meter.whatif.gpus import Gpu
    from meter.whatif.profile import Profile, Replacement
    from meter.whatif.starts import Search, Window

_AS_IT_WAS = "as it was"
_SET = "what if"
_RANK = 1_000


@dataclass(frozen=True, slots=True)
class NewGpu:
    """The model that takes the place of a run's GPUs."""

    model: Gpu
    old: dict[str, Gpu]  # by name
    replacements: dict[str, Replacement]  # by device id


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be compared; every change holds in every zone."""

    window: Window
    zones: tuple[str, ...] = ()
    start_us: int | None = None
    price: tuple[Decimal, str] | None = None  # currency per kWh
    pue: Decimal | None = None
    gpu: NewGpu | None = None

    @property
    def changes(self) -> bool:
        """Whether anything but the start hours is asked for."""
        given = (self.start_us, self.price, self.pue, self.gpu)
        return bool(self.zones) or any(one is not None for one in given)


@dataclass(frozen=True, slots=True)
class Case:
    """A way in which a run might have been; ``taken`` are kinds kept from the run's own site.

    ``label`` says what is other, ``place`` the same without the start.
    """

    label: str
    place: str
    profile: Profile
    places: Places
    outcome: Outcome
    zone: str | None = None  # asked for
    taken: frozenset[FactorKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Hours:
    """The starts of a case in the horizon, and what the best of them amount to, by start."""

    case: Case
    search: Search
    outcomes: dict[int, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """A run as it was, its scenarios, and the hours to start in."""

    actual: Case
    cases: tuple[Case, ...]
    hours: tuple[Hours, ...]


def compare(
    profile: Profile, home: Places, ask: Ask, zone_rows: Mapping[str, Iterable[Factor]]
) -> Compared:
    """Everything that is asked for; ``zone_rows`` are the factor rows known of each zone asked."""
    actual = _case((_AS_IT_WAS, _AS_IT_WAS), profile, home)
    other = profile.on(ask.gpu.replacements) if ask.gpu else profile
    begun = other if ask.start_us is None else other.starting_at(ask.start_us)
    had = known_of(profile, home)
    lasts = {site: lasting(place, profile.first_us, profile.end_us) for site, place in home.items()}
    cases = []
    for zone in ask.zones or ((None,) if ask.changes else ()):
        places, taken = _moved(lasts, zone, zone_rows)
        there = {site: changed(place, _set_to(ask, site)) for site, place in places.items()}
        cases.append(_case(_labels(ask, zone), begun, there, zone, taken))
    as_it_was = replace(actual, places=lasts)
    searched = [as_it_was, *cases] if ask.zones or not cases else cases
    hours = tuple(_hours(case, ask.window, had) for case in searched)
    return Compared(actual, tuple(cases), hours)


def _case(
    labels: tuple[str, str],
    profile: Profile,
    places: Places,
    zone: str | None = None,
    taken: frozenset[FactorKind] = frozenset(),
) -> Case:
    return Case(*labels, profile, places, priced(profile, places), zone, taken)


def _moved(
    home: Places, zone: str | None, zone_rows: Mapping[str, Iterable[Factor]]
) -> tuple[Places, frozenset[FactorKind]]:
    if zone is None:
        return home, frozenset()
    places: Places = {}
    taken: frozenset[FactorKind] = frozenset()
    for site, place in home.items():
        if place.site.zone == zone:
            places[site] = place
            continue
        places[site], along = away(place, zone, zone_rows.get(zone, ()))
        taken |= along
    return places, taken


def _labels(ask: Ask, zone: str | None) -> tuple[str, str]:
    """What is other, and the same without the start."""
    parts = [f"in {zone}"] if zone else []
    if ask.gpu:
        parts.append(f"on {ask.gpu.model.name}")
    if ask.price:
        amount, currency = ask.price
        parts.append(f"at {amount:f} {currency}/kWh")
    if ask.pue is not None:
        parts.append(f"PUE {ask.pue:f}")
    place = ", ".join(parts) or _AS_IT_WAS
    if ask.start_us is not None:
        parts.append(f"from {instant(ask.start_us)[:16].replace('T', ' ')}")
    return ", ".join(parts), place


def _set_to(ask: Ask, site: str) -> dict[FactorKind, Factor]:
    found = {}
    if ask.price:
        amount, currency = ask.price
        kind = FactorKind.ELECTRICITY_PRICE
        found[kind] = _given(kind, site, amount, f"{currency}/kWh", currency)
    if ask.pue is not None:
        found[FactorKind.PUE] = _given(FactorKind.PUE, site, ask.pue, "1")
    return found


def _given(
    kind: FactorKind, site: str, value: Decimal, unit: str, currency: str | None = None
) -> Factor:
    """A value that a what-if sets; it stands above all that is known."""
    return Factor(
        id=f"{kind}:{site}:what-if",
        kind=kind,
        scope=site,
        value=value,
        low=value,
        high=value,
        unit=unit,
        source=_SET,
        method=Method.ASSUMED,
        recorded_us=0,
        rank=_RANK,
        currency=currency,
        book=_SET,
    )


def _hours(case: Case, window: Window, had: Mapping[str, frozenset[FactorKind]]) -> Hours:
    found = search(case.profile, case.places, window, had)
    best = [*found.cheapest.values(), found.cleanest, found.marginal]
    starts = sorted({one.at_us for one in best if one})
    return Hours(
        case,
        found,
        {at_us: priced(case.profile.starting_at(at_us), case.places) for at_us in starts},
    )
