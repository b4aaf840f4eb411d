"""Assumptions about hosted training that come with meter, as factor rows; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.factors.books import WORLD
from meter.factors.bundled import factor_of, hardware_factors
from meter.factors.factor_rows import HOSTED as SCOPE
from meter.factors.sheets import HOSTED, sheet
from meter.identified import identified
from meter.model import FactorKind

if TYPE_CHECKING:
    from meter.factors.sheets import Fact
    from meter.model import Factor

ANYBODY = f"{SCOPE}:any"
_HARDWARE = frozenset({FactorKind.GPU_POWER, FactorKind.GPU_COMPUTE, FactorKind.NODE_POWER})


def hosted_factors(recorded_us: int) -> tuple[Factor, ...]:
    """Every row that estimates of hosted training stand on, boards and servers included.

    Their scope is a provider, so that none of them is taken for a site's.
    """
    hardware = (row for row in hardware_factors(recorded_us) if row.kind in _HARDWARE)
    return (*hardware, *assumptions(recorded_us))


def assumptions(recorded_us: int) -> tuple[Factor, ...]:
    """The rows that are of hosted training alone."""
    return tuple(_row(fact, recorded_us) for fact in sheet(HOSTED))


def _row(fact: Fact, recorded_us: int) -> Factor:
    """Its item is the provider where it is about a facility."""
    row = replace(factor_of(fact, recorded_us), rank=WORLD, scope=ANYBODY)
    if row.kind is FactorKind.PUE and row.item:
        row = replace(row, scope=f"{SCOPE}:{row.item}", item=None)
    return identified(row)
