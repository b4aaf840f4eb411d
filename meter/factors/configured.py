"""Factors that a configuration states for its site, beside those of the bundled books."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.errors import FactorError
from meter.factors.books import (
    OWN,
    grid_factor,
    household_factor,
    identified,
    world_factor,
)
from meter.factors.zones import zone_of
from meter.model import Factor, FactorKind, Method, Site
from meter.windows import LocalWindows, Span, cover_everything

if TYPE_CHECKING:
    from meter.config import Banded, Config, Electricity, Window

_MOST = Decimal(10) ** 5  # a rate per MJ has five digits before its point
_PLACES = Decimal("1E-9")


def site_of(config: Config) -> Site:
    """The configuration's site, with its zone by its code.

    Raises FactorError, with where it is set and the nearest zones, for an unknown one.
    """
    try:
        zone = zone_of(config.zone) if config.zone else None
    except FactorError as error:
        where = f"{config.zone_from}: " if config.zone_from else ""
        raise FactorError(f"{where}{error.message}", error.remedy) from None
    return Site(id=config.site_name, name=config.site_name, zone=zone)


def factors_of(config: Config, site: Site, recorded_us: int) -> list[Factor]:
    """Every factor that holds for a site: its own values, its grid's, the world's, the yardstick.

    What the configuration does not set is stated too, as a row without a value: it withdraws
    what an earlier configuration said. The ledger leaves out what is no news.
    Raises FactorError for an unknown zone.
    """
    found = [world_factor(recorded_us), household_factor(recorded_us)]
    if site.zone:
        found.append(grid_factor(site.zone, recorded_us))
    found += _tariff(config.electricity, site, recorded_us)
    found.append(_own(FactorKind.PUE, config.pue, site, recorded_us, unit="1"))
    gpu = config.gpu_time
    found.append(
        _own(
            FactorKind.GPU_HOUR_RATE,
            gpu.rate_per_hour if gpu else None,
            site,
            recorded_us,
            unit=f"{gpu.currency}/h" if gpu else "currency/h",
            currency=gpu.currency if gpu else None,
            source=gpu.source if gpu else "configuration",
        )
    )
    return found


def _own(
    kind: FactorKind,
    value: Banded | None,
    site: Site,
    recorded_us: int,
    *,
    unit: str,
    currency: str | None = None,
    source: str = "configuration",
) -> Factor:
    if kind is FactorKind.PUE and value is not None and value.low < 1:
        raise FactorError(f"a PUE of {value.low} is below 1", "give facility energy / IT energy")
    if value is not None and value.high >= _MOST:
        raise FactorError(f"a {kind} of {value.high} {unit} is absurd", "check the unit")
    return identified(
        Factor(
            id="",
            kind=kind,
            scope=site.id,
            value=_nine(value.value) if value else None,
            low=_nine(value.low) if value else None,
            high=_nine(value.high) if value else None,
            unit=unit,
            source=source,
            method=Method.SOURCED,
            recorded_us=recorded_us,
            rank=OWN,
            currency=currency,
        )
    )


def _tariff(tariff: Electricity | None, site: Site, recorded_us: int) -> list[Factor]:
    """Rows that part all hours among them, so that a new tariff leaves nothing of the old."""
    if tariff is None:
        return [_price(None, None, site, recorded_us)]
    spans = [_span(window) for window in tariff.windows]
    if not spans:
        return [_price(tariff, tariff.price_per_kwh, site, recorded_us)]
    rows = []
    for index, (window, span) in enumerate(zip(tariff.windows, spans, strict=True)):
        local = LocalWindows(tariff.timezone, (span,), tuple(spans[:index]))
        rows.append(_price(tariff, window.price_per_kwh, site, recorded_us, local))
    if not cover_everything(spans):
        rest = LocalWindows(tariff.timezone, (), tuple(spans))
        rows.append(_price(tariff, tariff.price_per_kwh, site, recorded_us, rest))
    return rows


def _price(
    tariff: Electricity | None,
    price: Banded | None,
    site: Site,
    recorded_us: int,
    windows: LocalWindows | None = None,
) -> Factor:
    currency = tariff.currency if tariff else None
    row = _own(
        FactorKind.ELECTRICITY_PRICE,
        price,
        site,
        recorded_us,
        unit=f"{currency or 'currency'}/kWh",
        currency=currency,
        source=tariff.source if tariff else "configuration",
    )
    return identified(
        replace(
            row,
            windows=windows.json() if windows else None,
            valid_from_us=tariff.valid_from_us if tariff else None,
            valid_to_us=tariff.valid_to_us if tariff else None,
        )
    )


def _span(window: Window) -> Span:
    return Span(window.days, window.start, window.end, window.season)


def _nine(value: Decimal) -> Decimal:
    return value.quantize(_PLACES)
