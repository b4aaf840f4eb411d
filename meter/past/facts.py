"""Where a run was that was not metered, and the factor rows that hold for it alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.errors import FactorError, UsageError
from meter.factors import factors_of, site_of
from meter.factors.books import IMPORTED_OWN, OWN
from meter.factors.bundled import embodied_for
from meter.factors.zones import zone_of
from meter.identified import identified
from meter.model import Factor, FactorKind, Method, Site
from meter.past.amounts import Range, band
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.config import Banded, Config
    from meter.past.statement import Span, Statement

BOOK = "past run"
"""The book of rows that were stated with a run."""
SOURCE = "stated with the run"

_PLACES = Decimal("1E-9")
_CODE_LENGTH = 3
_WITH_CODE = re.compile(r"([^A-Z]*?)\s*([A-Z]{3})(?:/kWh)?")
_MOST_MONEY = Decimal(99_999)
_PUE = Range("pue", "", Decimal(1), Decimal(5), "give facility energy / IT energy")
_INTENSITY = Range(
    "intensity", "g/kWh", Decimal(3), Decimal(3_000), "give grams: 0.385 kg/kWh are 385 g/kWh"
)
_PRICE = Range("price", "for a kWh", Decimal(0), _MOST_MONEY)
_GPU_RATE = Range("gpu-rate", "for a GPU-hour", Decimal(0), _MOST_MONEY)
_STEPS = 9  # ranks that differ in evidence are at least ten apart
_ANYWHERE = frozenset({FactorKind.PUE, FactorKind.ELECTRICITY_PRICE, FactorKind.GPU_HOUR_RATE})
"""Kinds of the site that also hold for a run elsewhere, unless it states its own."""
_WORDS = {
    FactorKind.PUE: "PUE",
    FactorKind.ELECTRICITY_PRICE: "electricity tariff",
    FactorKind.GPU_HOUR_RATE: "GPU-hour rate",
    FactorKind.WUE: "water",
    FactorKind.TND_UPLIFT: "grid losses",
    FactorKind.EMBODIED_BOARD: "embodied carbon",
    FactorKind.EMBODIED_SERVER: "embodied carbon",
    FactorKind.MARKET_INTENSITY: "contractual instruments",
    FactorKind.MARKET_EXCLUDED: "contractual instruments",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Site and rows of a run: all of them, and those that were stated with it.

    ``configured`` names what is the configuration's, ``imported`` what was imported, in words.
    """

    site: Site
    factors: tuple[Factor, ...]
    stated: tuple[Factor, ...]
    configured: tuple[str, ...]
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is taken to have been: the configuration, and what was imported for its site."""

    config: Config
    imported: tuple[Factor, ...] = ()


def facts_of(stated: Statement, place: Place, run_id: str, span: Span, device_name: str) -> Facts:
    """What holds for the run: what is stated of it, else what the books have for the site.

    A run that was elsewhere, as its own zone or intensity tells, has neither the site's contracts
    nor its water, grid losses and embodied carbon. The rows leave their instant to the ledger.

    Raises UsageError for a wrong statement, FactorError for a wrong configuration.
    """
    config = place.config
    site = _site(stated, config, run_id)
    own = _stated(stated, site)
    kinds = {row.kind for row in own}
    taken = replace(
        config,
        pue=None if FactorKind.PUE in kinds else config.pue,
        electricity=None if FactorKind.ELECTRICITY_PRICE in kinds else config.electricity,
        gpu_time=None if FactorKind.GPU_HOUR_RATE in kinds else config.gpu_time,
    )
    elsewhere = stated.zone is not None or stated.intensity is not None
    if elsewhere:
        taken = replace(taken, wue=None, tnd_loss=None, embodied=None, instruments=())
    rows = [row for row in factors_of(taken, site, 0) if row.value is not None]
    configured = dict.fromkeys(
        _WORDS.get(row.kind, row.kind.value) for row in rows if row.scope == site.id
    )
    zone = [f"zone {site.zone}"] if site.zone and stated.zone is None else []
    known = [replace(row, scope=site.id) for row in embodied_for(device_name, 0)]
    confined = [_confined(row, site, span) for row in [*rows, *own, *known]]
    brought = [
        found
        for row in _brought(place.imported, site, elsewhere=elsewhere)
        if row.kind not in kinds and (found := _confined(row, site, span))
    ]
    return Facts(
        site,
        tuple(identified(row) for row in [*confined, *brought] if row),
        tuple(own),
        (*zone, *configured),
        tuple(dict.fromkeys(_WORDS.get(row.kind, row.kind.value) for row in brought)),
    )


def _brought(imported: Iterable[Factor], site: Site, *, elsewhere: bool) -> list[Factor]:
    """Rows imported for the configured site, as the run's own.

    In the ledger the newest of a rank goes first. These are learned at once, so that order becomes
    one of ranks: below what is imported for the run itself, above the configuration.
    """
    groups: dict[tuple[FactorKind, str | None, int], list[Factor]] = {}
    for row in imported:
        if row.kind in _ANYWHERE or not elsewhere:
            most = min(row.rank, IMPORTED_OWN)
            groups.setdefault((row.kind, row.item, most), []).append(row)
    brought = []
    for (_, _, most), rows in groups.items():
        order = sorted({(row.rank, row.recorded_us) for row in rows}, reverse=True)
        for row in rows:
            step = min(1 + order.index((row.rank, row.recorded_us)), _STEPS)
            own = replace(row, id="", recorded_us=0, scope=site.id, rank=most - step)
            brought.append(own)
    return brought


def _site(stated: Statement, config: Config, run_id: str) -> Site:
    """A site for this run alone, so that no other run's factors are touched."""
    if stated.intensity is not None:
        zone = None
    elif stated.zone is not None:
        try:
            zone = zone_of(stated.zone)
        except FactorError as error:
            raise UsageError(error.message, error.remedy) from None
    else:
        zone = site_of(config).zone
    return Site(f"past:{run_id}", config.site_name if zone else "not known", zone)


def _stated(stated: Statement, site: Site) -> list[Factor]:
    found = []
    if stated.pue is not None:
        found.append(_row(FactorKind.PUE, band(stated.pue, _PUE), site, "1"))
    if stated.intensity is not None:
        amount = band(stated.intensity, _INTENSITY)
        found.append(_row(FactorKind.GRID_INTENSITY, amount, site, "g/kWh"))
    money = [text for text in (stated.price, stated.gpu_rate) if text is not None]
    price, told = _price(stated)
    currency = _currency(told) if money or told is not None else ""
    if stated.currency is not None and not money:
        raise UsageError("a currency is given, but no price or gpu-rate", "leave it out")
    if price is not None:
        amount = band(price, _PRICE)
        unit = f"{currency}/kWh"
        found.append(_row(FactorKind.ELECTRICITY_PRICE, amount, site, unit, currency))
    if stated.gpu_rate is not None:
        amount = band(stated.gpu_rate, _GPU_RATE)
        unit = f"{currency}/h"
        found.append(_row(FactorKind.GPU_HOUR_RATE, amount, site, unit, currency))
    return found


def _price(stated: Statement) -> tuple[str | None, str | None]:
    """The price without its currency, and the currency: ``0.2EUR``, or told apart."""
    if stated.price is None or (found := _WITH_CODE.fullmatch(stated.price.strip())) is None:
        return stated.price, stated.currency
    if stated.currency not in {None, found[2]}:
        raise UsageError(
            f"the price is in {found[2]}, and the currency is {stated.currency[:20]!r}",
            "leave one of them out",
        )
    return found[1], found[2]


def _currency(text: str | None) -> str:
    if text is None:
        raise UsageError("a price needs its currency", "give for example currency EUR")
    if len(text) != _CODE_LENGTH or not (text.isascii() and text.isalpha() and text.isupper()):
        raise UsageError(f"the currency {text[:20]!r} is no ISO 4217 code", "write for example EUR")
    return text


def _row(
    kind: FactorKind, amount: Banded, site: Site, unit: str, currency: str | None = None
) -> Factor:
    return Factor(
        id="",
        kind=kind,
        scope=site.id,
        value=amount.value.quantize(_PLACES),
        low=amount.low.quantize(_PLACES),
        high=amount.high.quantize(_PLACES),
        unit=unit,
        source=SOURCE,
        method=Method.SOURCED,
        recorded_us=0,
        rank=OWN,
        currency=currency,
        book=BOOK,
    )


def _confined(row: Factor, site: Site, span: Span) -> Factor | None:
    """A row of the run's own site in the run's hours only; None where it does not hold there."""
    if row.scope != site.id:
        return row
    first_us = span.start_us - span.start_us % US_PER_HOUR
    last_us = -(-max(span.end_us, span.start_us + 1) // US_PER_HOUR) * US_PER_HOUR
    start_us = max(first_us, row.valid_from_us or 0)
    end_us = last_us if row.valid_to_us is None else min(last_us, row.valid_to_us)
    if start_us >= end_us:
        return None
    return replace(row, valid_from_us=start_us, valid_to_us=end_us, book=BOOK)
