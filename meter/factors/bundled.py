"""Facts about hardware that come with meter, as factor rows: embodied carbon, power, compute."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from meter.config import Banded
from meter.factors.books import BUNDLED, WORLD, WORLD_SCOPE, YEARLY
from meter.factors.sheets import EMBODIED, GPUS, of_device, sheet
from meter.identified import identified
from meter.model import Factor, FactorKind

if TYPE_CHECKING:
    from meter.factors.sheets import Fact

HOURS_PER_YEAR = Decimal(8766)
"""365.25 days."""

_G_PER_KG = 1000
_NINE = Decimal("1E-9")
_EMBODIED_KINDS = (FactorKind.EMBODIED_BOARD, FactorKind.EMBODIED_SERVER)


def lifetime() -> Banded:
    """Years that a server and its boards are taken to be in use, where nothing else is said."""
    (fact,) = (fact for fact in sheet(EMBODIED) if fact.kind == "lifetime")
    return Banded(fact.value, fact.low, fact.high)


def per_hour(kilograms: Banded, years: Banded) -> Banded:
    """Grams an hour of what is spread over a life, by interval arithmetic: a short life is much."""

    def rate(kg: Decimal, life: Decimal) -> Decimal:
        return nine(kg * _G_PER_KG / (life * HOURS_PER_YEAR))

    return Banded(
        rate(kilograms.value, years.value),
        rate(kilograms.low, years.high),
        rate(kilograms.high, years.low),
    )


def embodied_for(name: str, recorded_us: int) -> tuple[Factor, ...]:
    """Embodied carbon of an hour of a GPU of this name: its board's, and its share of a server."""
    facts = (of_device(_facts(EMBODIED, kind), name) for kind in _EMBODIED_KINDS)
    return tuple(_embodied(fact, recorded_us) for fact in facts if fact)


def gpu_fact(kind: FactorKind, name: str, recorded_us: int) -> Factor | None:
    """Power (W) or dense 16-bit compute (TFLOPS) of a GPU of this name; None if not known.

    The name is that of NVML, or a part of it such as ``H100``.
    """
    fact = of_device(_facts(GPUS, kind), name)
    return factor_of(fact, recorded_us) if fact else None


def hardware_factors(recorded_us: int) -> tuple[Factor, ...]:
    """Every fact about hardware: embodied carbon, power and compute of GPUs, power of servers."""
    embodied = [fact for kind in _EMBODIED_KINDS for fact in _facts(EMBODIED, kind)]
    return (
        *(_embodied(fact, recorded_us) for fact in embodied),
        *(factor_of(fact, recorded_us) for fact in sheet(GPUS)),
    )


def nine(value: Decimal) -> Decimal:
    """Rounded to the nine places that a factor is kept with."""
    return value.quantize(_NINE, rounding=ROUND_HALF_UP)


def shown(band: Banded) -> str:
    """A band in words: ``4 (3 to 6)``."""
    value, low, high = (f"{part.normalize():f}" for part in (band.value, band.low, band.high))
    return value if low == high else f"{value} ({low} to {high})"


def _facts(name: str, kind: FactorKind) -> list[Fact]:
    return [fact for fact in sheet(name) if fact.kind == kind]


def _embodied(fact: Fact, recorded_us: int) -> Factor:
    kilograms, years = Banded(fact.value, fact.low, fact.high), lifetime()
    told = f"{shown(kilograms)} kg over {shown(years)} years of {HOURS_PER_YEAR} h: {fact.detail}"
    return factor_of(fact, recorded_us, per_hour(kilograms, years), "g/h", told)


def factor_of(
    fact: Fact,
    recorded_us: int,
    band: Banded | None = None,
    unit: str | None = None,
    detail: str | None = None,
) -> Factor:
    """A fact as a row about the world; a band, unit or detail that is given goes before its own."""
    band = band or Banded(fact.value, fact.low, fact.high)
    return identified(
        Factor(
            id="",
            kind=FactorKind(fact.kind),
            scope=WORLD_SCOPE,
            value=band.value,
            low=band.low,
            high=band.high,
            unit=unit or fact.unit,
            source=fact.source,
            method=fact.method,
            recorded_us=recorded_us,
            rank=YEARLY if fact.item else WORLD,
            source_date=fact.source_date,
            licence=fact.licence,
            detail=detail or fact.detail,
            book=BUNDLED,
            item=fact.item,
        )
    )
