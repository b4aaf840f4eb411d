"""Where a run was that was not metered, and the factor rows that hold for it alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from meter import currencies
from meter.errors import FactorError, UsageError
from meter.factors import factors_of, site_of
from meter.factors.books import OWN, grid_factor
from meter.factors.bundled import embodied_for
from meter.factors.money_limits import beyond
from meter.factors.zones import zone_of
from meter.identified import identified
from meter.model import ANYWHERE, HOURLY_KINDS, WHOLE_BOOKS, Factor, FactorKind, Method, Site
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
_WITH_CODE = re.compile(r"([^A-Z]*?)\s*([A-Z]{3})(?:/kWh)?")
_MOST_MONEY = Decimal(10) ** 8
_PUE = Range("pue", "", Decimal(1), Decimal(5), "give facility energy / IT energy")
_INTENSITY = Range(
    "intensity", "g/kWh", Decimal(3), Decimal(3_000), "give grams: 0.385 kg/kWh are 385 g/kWh"
)
_PRICE = Range("price", "for a kWh", Decimal(0), _MOST_MONEY)
_GPU_RATE = Range("gpu-rate", "for a GPU-hour", Decimal(0), _MOST_MONEY)
_WORDS = {
    FactorKind.GRID_INTENSITY: "grid intensity",
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

    ``configured`` names what is the configuration's, ``known`` what other books have, in words.
    """

    site: Site
    factors: tuple[Factor, ...]
    stated: tuple[Factor, ...]
    configured: tuple[str, ...]
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is taken to have been: the configuration, and what the books have of its site."""

    config: Config
    known: tuple[Factor, ...] = ()


def facts_of(stated: Statement, place: Place, run_id: str, span: Span, device_name: str) -> Facts:
    """What is stated of the run, in its hours, and what the configuration has for its site.

    Of all that is not stated the site's rows hold, as they do for metered runs. Of a run that was
    elsewhere, as its own zone or intensity tells, only those of the kinds in ANYWHERE do. The rows
    leave their instant to the ledger.

    Raises UsageError for a wrong statement, FactorError for a wrong configuration.
    """
    home = site_of(place.config)
    site = _site(stated, home, run_id)
    own = _stated(stated, site)
    # what is not configured here may be where others meter: nothing of theirs is withdrawn
    configured = [
        row for row in factors_of(place.config, home, 0, place.known) if row.value is not None
    ]
    grid = [] if site.zone in {None, home.zone} else [grid_factor(site.zone or "", 0)]
    embodied = embodied_for(device_name, 0)
    missing = _Missing(site, span, frozenset(row.kind for row in own))
    zone = [f"zone {site.zone}"] if site.zone and stated.zone is None else []
    books = [row for row in place.known if row.book not in WHOLE_BOOKS]
    return Facts(
        site,
        tuple(
            identified(row)
            for row in (
                *configured,
                *grid,
                *(_confined(replace(row, scope=site.id), span) for row in embodied),
                *(_confined(row, span) for row in own),
            )
        ),
        tuple(own),
        (*zone, *missing.told(row for row in configured if row.scope == home.id)),
        tuple(missing.told(books)),
    )


@dataclass(frozen=True, slots=True)
class _Missing:
    """What a statement leaves to the books of the site."""

    site: Site
    span: Span
    kinds: frozenset[FactorKind]

    def told(self, rows: Iterable[Factor]) -> dict[str, None]:
        """The kinds of rows that stand in for something, in words."""
        return dict.fromkeys(
            _WORDS.get(row.kind, row.kind.value) for row in rows if self._stands_in(row)
        )

    def _stands_in(self, row: Factor) -> bool:
        if row.value is None or row.kind in self.kinds or row.kind not in HOURLY_KINDS:
            return False
        start_us, end_us = _hours(self.span)
        begins, ends = row.valid_from_us, row.valid_to_us
        holds = (begins is None or begins < end_us) and (ends is None or ends > start_us)
        return holds and (row.kind in ANYWHERE or not self.site.elsewhere)


def _site(stated: Statement, home: Site, run_id: str) -> Site:
    """A place for this run alone within the site, so that no other run's factors are touched."""
    if stated.intensity is not None:
        zone = None
    elif stated.zone is not None:
        try:
            zone = zone_of(stated.zone)
        except FactorError as error:
            raise UsageError(error.message, error.remedy) from None
    else:
        zone = home.zone
    elsewhere = stated.zone is not None or stated.intensity is not None
    name = home.name if zone else "not known"
    return Site(f"past:{run_id}", name, zone, within=home.id, elsewhere=elsewhere)


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
        _refuse_absurd("price", "/kWh", currency, amount)
        found.append(_row(FactorKind.ELECTRICITY_PRICE, amount, site, unit, currency))
    if stated.gpu_rate is not None:
        amount = band(stated.gpu_rate, _GPU_RATE)
        unit = f"{currency}/h"
        _refuse_absurd("gpu-rate", "/h", currency, amount)
        found.append(_row(FactorKind.GPU_HOUR_RATE, amount, site, unit, currency))
    return found


def _refuse_absurd(what: str, per: str, currency: str, amount: Banded) -> None:
    if fault := beyond(per, currency, (amount.value, amount.low, amount.high)):
        raise UsageError(f"{what}: {fault}", "state it for one")


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
    if fault := currencies.fault_of(text):
        raise UsageError(f"the currency {fault}", "write for example EUR")
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


def _confined(row: Factor, span: Span) -> Factor:
    """A row of the run alone, in the run's hours only."""
    start_us, end_us = _hours(span)
    return replace(row, valid_from_us=start_us, valid_to_us=end_us)


def _hours(span: Span) -> tuple[int, int]:
    """Start of a run's first UTC hour, and end of its last."""
    first_us = span.start_us - span.start_us % US_PER_HOUR
    return first_us, -(-max(span.end_us, span.start_us + 1) // US_PER_HOUR) * US_PER_HOUR
