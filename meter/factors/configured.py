"""Factors that a configuration states for its site, beside those of the bundled books."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.errors import FactorError
from meter.factors.books import grid_factor, household_factor, world_factor
from meter.factors.market import instrument_rows
from meter.factors.own import Told, own_row, own_rows
from meter.factors.zones import zone_of
from meter.identified import identified
from meter.model import Factor, FactorKind, Site
from meter.windows import LocalWindows, Span, cover_everything

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.config import Banded, Config, Electricity, Window


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


def factors_of(
    config: Config, site: Site, recorded_us: int, known: Iterable[Factor] = ()
) -> list[Factor]:
    """Every factor that holds for a site: its own values, its grid's, the world's, the yardstick.

    What the configuration does not set is stated too, as a row without a value: it withdraws
    what an earlier configuration said. ``known`` are the ledger's rows, by which it is told that
    an instrument is gone. The ledger leaves out what is no news.
    Raises FactorError for an unknown zone, or a value that its kind cannot have.
    """
    found = [world_factor(recorded_us), household_factor(recorded_us)]
    if site.zone:
        found.append(grid_factor(site.zone, recorded_us))
    found += _tariff(config.electricity, site, recorded_us)
    found += own_rows(config, site, recorded_us)
    found += instrument_rows(config, site, recorded_us, known)
    return found


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
    told = Told()
    if tariff:
        when = tariff.source_date
        told = Told(source=tariff.source, currency=tariff.currency, source_date=when)
    row = own_row(FactorKind.ELECTRICITY_PRICE, price, site, recorded_us, told)
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
