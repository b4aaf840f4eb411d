"""Where a run is thought to run: the rates of each UTC quarter hour there, with their bounds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from meter.factors.live import in_force
from meter.model import Factor, FactorKind, Method
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.model import Site

EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
"""Sums and products of rates and quantities are exact in it."""

_PER_MJ = Decimal("0.277777777777777778")  # 1/3.6, as in queries/lines/rate.sql
_FIFTEEN = Decimal("1E-15")
_SHORT_US = 24 * US_PER_HOUR
_WORLD = "world"
_PAST = "past:"  # scopes of runs that were not metered
_PAST_BOOK = "past run"
_OF_A_PLACE = frozenset({FactorKind.ELECTRICITY_PRICE, FactorKind.PUE, FactorKind.GPU_HOUR_RATE})


@dataclass(frozen=True, slots=True)
class Rate:
    """What a mJ, or a µs of a GPU, is multiplied by: nano-units of ``unit``, a currency or g."""

    kind: str
    unit: str
    low: Decimal
    value: Decimal
    high: Decimal
    method: Method


@dataclass(frozen=True, slots=True)
class Slot:
    """The rates of one UTC quarter hour and the factors they stand on.

    ``hourly`` says whether the grid's intensity is of that hour or day, not of a year.
    """

    energy: tuple[Rate, ...]
    gpu_time: tuple[Rate, ...]
    overhead: Rate | None  # PUE - 1
    factors: tuple[Factor, ...]
    hourly: bool = False
    marginal: Decimal | None = None  # g/kWh, never part of a rate

    @property
    def known(self) -> frozenset[FactorKind]:
        """The kinds that are known; the world's mean stands for an intensity that is not."""
        return frozenset(
            one.kind
            for one in self.factors
            if one.kind is not FactorKind.GRID_INTENSITY or one.scope != _WORLD
        )


class _Known:
    """Rates made once, and rows by the hours they hold in: feeds bring thousands."""

    def __init__(self) -> None:
        self.slots: dict[int, Slot] = {}
        self._standing: list[Factor] | None = None
        self._by_hour: dict[int, list[Factor]] = defaultdict(list)

    def rows_at(self, factors: Iterable[Factor], at_us: int) -> Sequence[Factor]:
        if self._standing is None:
            self._standing = []
            for factor in factors:
                if not _short(factor):
                    self._standing.append(factor)
                    continue
                start, end = factor.valid_from_us or 0, factor.valid_to_us or 0
                for hour in range(start - start % US_PER_HOUR, end, US_PER_HOUR):
                    self._by_hour[hour].append(factor)
        return [*self._standing, *self._by_hour.get(at_us - at_us % US_PER_HOUR, ())]


@dataclass(frozen=True, slots=True)
class Place:
    """A site, the factor rows known about it, and what a what-if sets instead of them."""

    site: Site
    factors: tuple[Factor, ...]
    set_to: tuple[Factor, ...] = ()
    _known: _Known = field(default_factory=_Known, init=False, compare=False, repr=False)

    def at(self, at_us: int) -> Slot:
        """The rates of the quarter hour that starts then."""
        slots = self._known.slots
        if at_us not in slots:
            slots[at_us] = self._slot(at_us)
        return slots[at_us]

    def _slot(self, at_us: int) -> Slot:
        rows = self._known.rows_at(self.factors, at_us)
        force = in_force(rows, self.site, at_us) | {one.kind: one for one in self.set_to}
        grid = force.get(FactorKind.GRID_INTENSITY)
        pue = force.get(FactorKind.PUE)
        price = force.get(FactorKind.ELECTRICITY_PRICE)
        gpu = force.get(FactorKind.GPU_HOUR_RATE)
        energy: list[Rate] = []
        if price:
            energy += _rates(price, pue, "electricity", price.currency or "")
        if grid:
            energy += _rates(grid, pue, "location", "g")
        return Slot(
            energy=tuple(energy),
            gpu_time=(_rate(gpu, "gpu_time", gpu.currency or ""),) if gpu else (),
            overhead=_overhead(pue) if pue else None,
            factors=tuple(one for one in (grid, price, pue, gpu) if one),
            hourly=grid is not None and _short(grid),
            marginal=_marginal(rows, self.site, at_us),
        )


def _short(factor: Factor) -> bool:
    """Whether a row is of one hour or day."""
    start, end = factor.valid_from_us, factor.valid_to_us
    return start is not None and end is not None and end - start <= _SHORT_US


def _marginal(rows: Iterable[Factor], site: Site, at_us: int) -> Decimal | None:
    """Marginal intensity by the same rules as the average."""
    kind = FactorKind.GRID_INTENSITY
    marginal = [
        replace(row, kind=kind) for row in rows if row.kind is FactorKind.MARGINAL_INTENSITY
    ]
    found = in_force(marginal, site, at_us).get(kind)
    return found.value if found else None


def _rate(factor: Factor, kind: str, unit: str) -> Rate:
    parts = (factor.low, factor.value, factor.high)
    low, value, high = (
        EXACT.quantize(EXACT.multiply(part or Decimal(0), _PER_MJ), _FIFTEEN) for part in parts
    )
    return Rate(kind, unit, low, value, high, factor.method)


def _times(rate: Decimal, part: Decimal) -> Decimal:
    return EXACT.quantize(EXACT.multiply(rate, part), _FIFTEEN)


def _overhead(pue: Factor) -> Rate:
    low, value, high = ((part or Decimal(1)) - 1 for part in (pue.low, pue.value, pue.high))
    return Rate("energy_overhead", "", low, value, high, pue.method)


def _rates(factor: Factor, pue: Factor | None, kind: str, unit: str) -> list[Rate]:
    """The rate of IT energy and, with a PUE, that of the overhead."""
    one = _rate(factor, kind, unit)
    if pue is None:
        return [one]
    over = _overhead(pue)
    low = min(_times(one.low, over.low), _times(one.low, over.high))  # a price may be negative
    high = max(_times(one.high, over.low), _times(one.high, over.high))
    value = _times(one.value, over.value)
    method = Method.weakest((one.method, over.method))
    return [one, Rate(f"{kind}_overhead", unit, low, value, high, method)]


def away(home: Place, zone: str, rows: Iterable[Factor]) -> tuple[Place, frozenset[FactorKind]]:
    """The place in another zone, and the kinds that it takes along because none is known there.

    ``rows`` are of the zone or the world. The grid is the zone's; tariff, PUE and GPU rate are
    the zone's where its rows state them, else those of the site that the run was at.
    """
    there = [row for row in rows if row.scope in {zone, "world"}]
    stated = {row.kind for row in there if row.scope == zone and row.value is not None}
    taken = _OF_A_PLACE - stated
    at_home = {home.site.id, home.site.within, home.site.zone}
    along = [row for row in home.factors if row.scope in at_home and row.kind in taken]
    moved = tuple(
        replace(row, scope=home.site.id) if row.scope == home.site.zone else row for row in along
    )
    found = frozenset(row.kind for row in moved if row.value is not None)
    site = replace(home.site, zone=zone)
    kept = {row.id: row for row in (*there, *moved)}
    return Place(site, tuple(kept.values()), home.set_to), found


def lasting(place: Place, from_us: int, to_us: int) -> Place:
    """The place of a run that was in [from, to), with what was stated of the run at any time.

    Rows that come with a run that was not metered state the run, not a period.
    """
    if not place.site.id.startswith(_PAST):
        return place
    rows = (
        _lasting(row, from_us, to_us)
        if row.scope == place.site.id and row.book == _PAST_BOOK
        else row
        for row in place.factors
    )
    return Place(place.site, tuple(rows), place.set_to)


def _lasting(row: Factor, from_us: int, to_us: int) -> Factor:
    start, end = row.valid_from_us, row.valid_to_us
    return replace(
        row,
        valid_from_us=None if start is not None and start <= from_us else start,
        valid_to_us=None if end is not None and end >= to_us else end,
    )


def changed(place: Place, set_to: Mapping[FactorKind, Factor]) -> Place:
    """The place with some factors set."""
    kept = tuple(one for one in place.set_to if one.kind not in set_to)
    return Place(place.site, place.factors, (*kept, *set_to.values()))


def factor_of(fields: Mapping[str, Any]) -> Factor:
    """The factor in what :func:`meter.ledger.profiles.factor_rows` gives."""
    parts = {
        name: None if fields[name] is None else Decimal(fields[name])
        for name in ("value", "low", "high", "share")
    }
    kind, method = FactorKind(fields["kind"]), Method(fields["method"])
    return Factor(**{**fields, **parts, "kind": kind, "method": method})
