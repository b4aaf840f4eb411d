"""Rows of a site's own values, and what they are computed from where they are not given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.config import Banded, Embodied
from meter.errors import FactorError
from meter.factors.books import OWN
from meter.factors.bundled import HOURS_PER_YEAR, lifetime, nine, per_hour, shown
from meter.factors.money_limits import beyond
from meter.factors.units import QUANTITIES
from meter.identified import identified
from meter.model import Factor, FactorKind, Method

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from meter.config import Config, GpuTime, Owned
    from meter.model import Site


@dataclass(frozen=True, slots=True)
class Told:
    """What a row tells beside its value."""

    method: Method = Method.SOURCED
    source: str = "configuration"
    currency: str | None = None
    detail: str | None = None
    source_date: str | None = None  # None: not stated


NOT_STATED = "not stated"
LICENCE = "own data"
_PLAIN = Told()


def own_row(
    kind: FactorKind, value: Banded | None, site: Site, recorded_us: int, told: Told = _PLAIN
) -> Factor:
    """A row of the highest rank at a site; without a value it withdraws what was said before.

    Raises FactorError for a value outside the range of its kind.
    """
    quantity = QUANTITIES[kind]
    unit = f"{told.currency or 'currency'}{quantity.unit}" if quantity.money else quantity.unit
    if value is not None:
        _check(kind, value, unit)
        if told.currency and (fault := beyond(quantity.unit, told.currency, _three(value))):
            raise FactorError(f"{kind}: {fault}", "set it right in the configuration")
    origin = value.origin if value else None
    source_date = origin.source_date if origin else told.source_date or NOT_STATED
    licence = origin.licence if origin else LICENCE
    return identified(
        Factor(
            id="",
            kind=kind,
            scope=site.id,
            value=nine(value.value) if value else None,
            low=nine(value.low) if value else None,
            high=nine(value.high) if value else None,
            unit=unit,
            source=origin.source if origin else told.source,
            method=Method.ASSUMED if origin else told.method,
            recorded_us=recorded_us,
            rank=OWN,
            currency=told.currency,
            source_date=source_date if value else None,
            licence=licence if value else None,
            detail="; ".join(filter(None, (told.detail, origin.detail if origin else None)))
            or None,
        )
    )


def _three(value: Banded) -> tuple[Decimal, Decimal, Decimal]:
    return value.value, value.low, value.high


def _check(kind: FactorKind, value: Banded, unit: str) -> None:
    quantity = QUANTITIES[kind]
    if value.low < quantity.least:
        raise FactorError(
            f"a {kind} of {value.low} {unit} is below {quantity.least}", "check the value"
        )
    if value.high > quantity.most:
        raise FactorError(
            f"a {kind} of {value.high} {unit} is absurd: the most is {quantity.most}",
            "check the unit",
        )


def own_rows(config: Config, site: Site, recorded_us: int) -> Iterator[Factor]:
    """Everything that a configuration states by single values; what it does not is withdrawn."""
    told = Told(source_date=config.site_source_date)
    yield own_row(FactorKind.PUE, config.pue, site, recorded_us, told)
    yield own_row(FactorKind.WUE, config.wue, site, recorded_us, told)
    yield _uplift(config, site, recorded_us)
    yield _gpu_hour(config.gpu_time, site, recorded_us)
    yield from _embodied(config, site, recorded_us)


def uplift_of(loss: Banded) -> Banded:
    """Energy lost over energy delivered, of a loss as a share of what is fed in."""

    def uplift(share: Decimal) -> Decimal:
        return nine(share / (1 - share))

    return Banded(uplift(loss.value), uplift(loss.low), uplift(loss.high), loss.origin)


def hourly_cost_of(owned: Owned) -> Banded:
    """What an hour of use of a GPU costs, by interval arithmetic: little use makes it dear."""

    def rate(price: Decimal, years: Decimal, use: Decimal) -> Decimal:
        return nine(price / (years * HOURS_PER_YEAR * use))

    price, years, use = owned.price, owned.lifetime_years, owned.utilisation
    return Banded(
        rate(price.value, years.value, use.value),
        rate(price.low, years.high, use.high),
        rate(price.high, years.low, use.low),
    )


def _uplift(config: Config, site: Site, recorded_us: int) -> Factor:
    loss = config.tnd_loss
    if loss is None:
        return own_row(FactorKind.TND_UPLIFT, None, site, recorded_us)
    detail = f"loss of {shown(loss)} of what is fed into the grid: loss / (1 - loss)"
    told = Told(detail=detail, source_date=config.site_source_date)
    return own_row(FactorKind.TND_UPLIFT, uplift_of(loss), site, recorded_us, told)


def _gpu_hour(gpu: GpuTime | None, site: Site, recorded_us: int) -> Factor:
    kind = FactorKind.GPU_HOUR_RATE
    if gpu is None:
        return own_row(kind, None, site, recorded_us)
    if gpu.owned is None:
        told = Told(source=gpu.source, currency=gpu.currency, source_date=gpu.source_date)
        return own_row(kind, gpu.rate_per_hour, site, recorded_us, told)
    owned = gpu.owned
    detail = (
        f"owned: {shown(owned.price)} {gpu.currency} over {shown(owned.lifetime_years)} years of "
        f"{HOURS_PER_YEAR} h, in use for {shown(owned.utilisation)} of them"
    )
    told = Told(Method.MODELLED, gpu.source, gpu.currency, detail, gpu.source_date)
    return own_row(kind, hourly_cost_of(owned), site, recorded_us, told)


def _embodied(config: Config, site: Site, recorded_us: int) -> Iterator[Factor]:
    stated = config.embodied or Embodied(None, None)
    years = stated.lifetime_years or lifetime()
    for kind, kilograms in (
        (FactorKind.EMBODIED_BOARD, stated.kg_per_gpu),
        (FactorKind.EMBODIED_SERVER, stated.server_kg_per_gpu),
    ):
        if kilograms is None:
            yield own_row(kind, None, site, recorded_us)
            continue
        detail = f"{shown(kilograms)} kg over {shown(years)} years of {HOURS_PER_YEAR} h"
        told = Told(Method.MODELLED, stated.source, None, detail, stated.source_date)
        yield own_row(kind, per_hour(kilograms, years), site, recorded_us, told)
