"""The bundled books as factor rows: a zone's grid intensity, the world's, the yardstick."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from meter.factors.grids import LICENCE, grids, world
from meter.factors.zones import zone_of
from meter.identified import identified
from meter.model import Factor, FactorKind, Method

OWN = 400
"""Rank of a value that the configuration gives for a site."""
IMPORTED_OWN = 410
"""Rank of an imported value of a site: it goes before the configuration, whichever came last."""
HOURLY = 300
YEARLY = 200
WORLD = 100

WORLD_SCOPE = "world"
BUNDLED = "bundled"
_NINE = Decimal("1E-9")


def grid_factor(zone: str, recorded_us: int) -> Factor:
    """Yearly mean intensity of a zone; the scope is the zone as written.

    Raises FactorError, with the nearest zones, if there is none.
    """
    grid = grids()[zone_of(zone)]
    return identified(
        Factor(
            id="",
            kind=FactorKind.GRID_INTENSITY,
            scope=zone,
            value=grid.intensity,
            low=grid.intensity,
            high=grid.intensity,
            unit="g/kWh",
            source=grid.source,
            method=grid.method,
            recorded_us=recorded_us,
            rank=YEARLY,
            source_date=grid.year,
            licence=LICENCE,
            detail=grid.detail,
            book=BUNDLED,
            basis=grid.basis,
        )
    )


def world_factor(recorded_us: int) -> Factor:
    """The world's mean intensity between its cleanest and its dirtiest grid: an assumption."""
    found = world()
    return identified(
        Factor(
            id="",
            kind=FactorKind.GRID_INTENSITY,
            scope=WORLD_SCOPE,
            value=found.intensity,
            low=found.low,
            high=found.high,
            unit="g/kWh",
            source=found.source,
            method=Method.ASSUMED,
            recorded_us=recorded_us,
            rank=WORLD,
            source_date=found.year,
            licence=LICENCE,
            detail=found.detail,
            book=BUNDLED,
            basis="average, production, life-cycle",
        )
    )


def household_factor(recorded_us: int) -> Factor:
    """Electricity of a household in a day: the yardstick that energy is compared with."""
    path = Path(__file__).parent / "data" / "household.json"
    read = json.loads(path.read_text(encoding="utf-8"))

    def daily(key: str) -> Decimal:
        return (Decimal(read[key]) / Decimal(read["days"])).quantize(_NINE, rounding=ROUND_HALF_UP)

    return identified(
        Factor(
            id="",
            kind=FactorKind.HOUSEHOLD_ENERGY,
            scope=read["scope"],
            value=daily("kwh_per_year"),
            low=daily("low_kwh_per_year"),
            high=daily("high_kwh_per_year"),
            unit="kWh/day",
            source=read["source"],
            method=Method.SOURCED,
            recorded_us=recorded_us,
            rank=YEARLY,
            source_date=read["source_date"],
            licence=read["licence"],
            detail=read["detail"],
            book=BUNDLED,
        )
    )
