"""The facts that come with meter, as the list of factors shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.config import Banded
from meter.errors import FactorError
from meter.factors.books import (
    BUNDLED,
    OWN,
    WORLD_SCOPE,
    grid_factor,
    household_factor,
    world_factor,
)
from meter.factors.bundled import hardware_factors, shown
from meter.factors.grids import grids
from meter.factors.hosted import assumptions
from meter.factors.own import uplift_of
from meter.factors.presets import presets
from meter.identified import identified
from meter.model import Factor, FactorKind
from meter.sampling.cpu_list import list_path, read_list

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRESETS = {
    "pue": FactorKind.PUE,
    "wue": FactorKind.WUE,
    "tnd_loss": FactorKind.TND_UPLIFT,
}


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
    yield from assumptions(0)
    yield from _presets()


def listed_processors() -> int:
    """How many processors' TDP the list knows that processors are looked up in."""
    path = list_path()
    return len(read_list(path)) if path else 0


def _presets() -> Iterator[Factor]:
    """Each named assumption, of the rank that it has at a site that names it."""
    for key, kind in _PRESETS.items():
        for name, fact in presets(key).items():
            band, detail = Banded(fact.value, fact.low, fact.high), f'{key} = "{name}"'
            if kind is FactorKind.TND_UPLIFT:
                detail += f": loss of {shown(band)}, loss / (1 - loss)"
                band = uplift_of(band)
            yield identified(
                Factor(
                    id="",
                    kind=kind,
                    scope=WORLD_SCOPE,
                    value=band.value,
                    low=band.low,
                    high=band.high,
                    unit=fact.unit,
                    source=fact.source,
                    method=fact.method,
                    recorded_us=0,
                    rank=OWN,
                    source_date=fact.source_date,
                    licence=fact.licence,
                    detail="; ".join(filter(None, (detail, fact.detail))),
                    book=BUNDLED,
                    item=name,
                )
            )


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
