"""The facts that come with meter, as the list of factors shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.errors import FactorError
from meter.factors.books import grid_factor, household_factor, world_factor
from meter.factors.bundled import hardware_factors
from meter.factors.grids import grids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.model import Factor


def bundled_rows() -> list[dict[str, Any]]:
    """Every bundled factor, as rows of the list; the ledger learns those that are used."""
    return [_row(factor) for factor in _bundled()]


def _bundled() -> Iterator[Factor]:
    yield world_factor(0)
    yield household_factor(0)
    for zone in sorted(grids()):
        try:
            yield grid_factor(zone, 0)
        except FactorError:  # a name that means several zones is none of its own
            continue
    yield from hardware_factors(0)


def _row(factor: Factor) -> dict[str, Any]:
    return {
        "id": factor.id,
        "kind": factor.kind.value,
        "scope": factor.scope,
        "item": factor.item,
        "value": None if factor.value is None else float(factor.value),
        "low": None if factor.low is None else float(factor.low),
        "high": None if factor.high is None else float(factor.high),
        "unit": factor.unit,
        "currency": factor.currency,
        "source": factor.source,
        "source_date": factor.source_date,
        "licence": factor.licence,
        "method": factor.method.value,
        "basis": factor.basis,
        "rank": factor.rank,
        "share": None,
        "valid_from": None,
        "valid_to": None,
        "windows": None,
        "detail": factor.detail,
        "book": factor.book,
        "recorded_at": None,
        "status": "bundled",
    }
