"""Rates of the current hour for live counters: the same numbers as the SQL of the reports."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from meter.model import ANYWHERE, Factor, FactorKind
from meter.windows import LocalWindows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.model import Site

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_PER_MJ = Decimal("0.277777777777777778")  # 1/3.6, as in queries/lines/rate.sql
_FIFTEEN = Decimal("1E-15")
_NANO = Decimal("1E-9")


SINGLE = frozenset({
    FactorKind.GRID_INTENSITY, FactorKind.ELECTRICITY_PRICE, FactorKind.PUE, FactorKind.WUE,
    FactorKind.TND_UPLIFT, FactorKind.GPU_HOUR_RATE,
})  # fmt: skip
"""Kinds of which one factor holds at a time."""


@dataclass(frozen=True, slots=True)
class Booked:
    """Money of a kind (``unit`` its currency), or carbon of a kind (``unit`` its basis, in g)."""

    carbon: bool
    kind: str
    unit: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """What a mJ, or a µs of a GPU, is multiplied by: nano-units."""

    carbon: bool
    kind: str
    unit: str
    rate: Decimal

    def of(self, quantity: int) -> Booked:
        """Exact amount of a quantity, in whole units."""
        nano = _EXACT.multiply(Decimal(quantity), self.rate)
        return Booked(self.carbon, self.kind, self.unit, _EXACT.multiply(nano, _NANO))


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates at a site in one UTC quarter hour, and the factors they stand on."""

    at_us: int
    energy: tuple[Rate, ...]
    gpu_time: tuple[Rate, ...]
    factors: tuple[Factor, ...]

    @classmethod
    def at(cls, factors: Iterable[Factor], site: Site, at_us: int) -> Rates:
        """Rates of the UTC quarter hour that starts at ``at_us``, by the rules of the reports."""
        factors = tuple(factors)
        force = in_force(factors, site, at_us)
        price = force.get(FactorKind.ELECTRICITY_PRICE)
        grid = force.get(FactorKind.GRID_INTENSITY)
        pue = force.get(FactorKind.PUE)
        gpu = force.get(FactorKind.GPU_HOUR_RATE)
        energy: list[Rate] = []
        if price:
            energy += _with_overhead(
                price, pue, carbon=False, kind="electricity", unit=price.currency or ""
            )
        if grid:
            energy += _with_overhead(grid, pue, carbon=True, kind="electricity", unit="location")
        instruments = _covering(factors, site, at_us)
        for factor, part in _market(factors, site, instruments, grid):
            energy += _with_overhead(
                factor, pue, carbon=True, kind="electricity", unit="market", part=part
            )
        held = (
            [Rate(carbon=False, kind="gpu_time", unit=gpu.currency or "", rate=_rate(gpu))]
            if gpu
            else []
        )
        used = tuple(factor for factor in (price, grid, pue, gpu) if factor)
        used += tuple(factor for factor, _ in instruments)
        return cls(at_us, tuple(energy), tuple(held), used)

    def of_energy(self, energy_mj: int) -> tuple[Booked, ...]:
        """What energy costs and emits."""
        return tuple(rate.of(energy_mj) for rate in self.energy)

    def of_gpu_time(self, held_us: int) -> tuple[Booked, ...]:
        """What holding a GPU costs."""
        return tuple(rate.of(held_us) for rate in self.gpu_time)


def in_force(factors: Iterable[Factor], site: Site, at_us: int) -> dict[FactorKind, Factor]:
    """The factor of each kind that holds at a site in the UTC quarter hour that starts then.

    Of each scope, rank and book the newest row stands; one without a value withdraws it. Of those
    that stand what is stated of a place within a site alone wins, then the highest rank, then the
    newest, then the lowest id. Kinds of which several
    hold at a time (exchange rates, instruments, parts of devices) are not looked at.
    """
    found: dict[FactorKind, Factor] = {}
    for factor in _standing(
        (
            one
            for one in factors
            if one.kind in SINGLE and _reaches(one, site) and _holds(one, at_us)
        ),
        site,
    ):
        found.setdefault(factor.kind, factor)
    return found


def scopes_of(site: Site) -> set[str]:
    """The scopes whose factors may hold at a site."""
    return {scope for scope in (site.id, site.within, site.zone, "world") if scope}


def _reaches(factor: Factor, site: Site) -> bool:
    if factor.scope in {site.id, site.zone, "world"}:
        return True
    return factor.scope == site.within and (not site.elsewhere or factor.kind in ANYWHERE)


def _standing(factors: Iterable[Factor], site: Site) -> list[Factor]:
    """The newest of each scope, item, rank and book, the best evidence first."""
    own = None if site.within is None else site.id

    def near(factor: Factor) -> bool:
        return factor.scope == own and factor.book != "bundled"

    newest: dict[tuple[FactorKind, str, str | None, int, str], Factor] = {}
    for factor in sorted(factors, key=lambda one: (-one.recorded_us, one.id)):
        key = (factor.kind, factor.scope, factor.item, factor.rank, factor.book)
        newest.setdefault(key, factor)
    kept = [factor for factor in newest.values() if factor.value is not None]
    return sorted(kept, key=lambda f: (not near(f), -f.rank, -f.recorded_us, f.id))


def _instruments(factors: Iterable[Factor], site: Site) -> list[Factor]:
    return [
        one for one in factors
        if one.kind is FactorKind.MARKET_INTENSITY and _reaches(one, site)
    ]  # fmt: skip


def _covering(factors: Iterable[Factor], site: Site, at_us: int) -> list[tuple[Factor, Decimal]]:
    """The instruments that hold then, each with the part of the consumption that it covers."""
    left, found = Decimal(1), []
    holding = [one for one in _instruments(factors, site) if _holds(one, at_us)]
    for factor in _standing(holding, site):
        part = min(left, factor.share or Decimal(0))
        if part > 0:
            found.append((factor, part))
            left -= part
    return found


def _market(
    factors: Iterable[Factor],
    site: Site,
    covering: list[tuple[Factor, Decimal]],
    grid: Factor | None,
) -> list[tuple[Factor, Decimal]]:
    """What market-based carbon is made of; where any instrument is given the grid has the rest."""
    if not _standing(_instruments(factors, site), site):
        return []
    left = 1 - sum((part for _, part in covering), Decimal(0))
    return [*covering, *([(grid, left)] if grid is not None and left else [])]


def _holds(factor: Factor, at_us: int) -> bool:
    if factor.valid_from_us is not None and at_us < factor.valid_from_us:
        return False
    if factor.valid_to_us is not None and at_us >= factor.valid_to_us:
        return False
    return factor.windows is None or LocalWindows.of_json(factor.windows).covers(at_us)


def _rate(factor: Factor) -> Decimal:
    return _EXACT.quantize(_EXACT.multiply(factor.value or Decimal(0), _PER_MJ), _FIFTEEN)


def _with_overhead(
    factor: Factor,
    pue: Factor | None,
    *,
    carbon: bool,
    kind: str,
    unit: str,
    part: Decimal | None = None,
) -> list[Rate]:
    rate = _rate(factor)
    if part is not None:
        rate = _EXACT.quantize(_EXACT.multiply(rate, part), _FIFTEEN)
    found = [Rate(carbon, kind, unit, rate)]
    if pue is not None and pue.value is not None:
        over = _EXACT.quantize(_EXACT.multiply(rate, pue.value - 1), _FIFTEEN)
        found.append(Rate(carbon, f"{kind}_overhead", unit, over))
    return found
