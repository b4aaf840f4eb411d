"""The Green Software Foundation's Cloud_Region_Metadata.csv as rows; pure.

The file is the user's: its licence is no reason to bundle it. Columns as in the project's
Cloud_Region_Metadata_specification.md, version 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meter.factors.cells import NEXT
from meter.factors.rows import Cell, Row, RowsError, Sheet
from meter.factors.tables import csv_rows
from meter.faults import Fault, shown
from meter.model import FactorKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meter.model import Factor

HEADER = frozenset({"year", "cloud-provider", "cloud-region"})
"""Columns that such a file has."""

_PROVIDERS = {
    "amazon web services": "aws",
    "google cloud": "gcp",
    "google cloud platform": "gcp",
    "microsoft azure": "azure",
    "oracle cloud infrastructure": "oci",
}
PROVIDERS = tuple(sorted(set(_PROVIDERS.values())))
"""Providers whose regions are places that a row may be about."""
_SOURCE = "Green Software Foundation, Cloud Region Metadata"
_LICENCE = "all rights reserved (Joint Development Foundation): own use"
_YEAR = re.compile(r"(19|20)\d{2}")
_AT_A_SITE = "250"  # above a zone's year, below its hours and a site's own values
_CLAIM = "a provider's claim: it states no quality criteria, so it counts for nothing"


@dataclass(frozen=True, slots=True)
class _Figure:
    column: str
    kind: FactorKind
    unit: str
    basis: str | None = None
    detail: str | None = None


_CONSUMPTION = _Figure(
    "grid-carbon-intensity-average-consumption-annual",
    FactorKind.GRID_INTENSITY,
    "g/kWh",
    "average, consumption, life-cycle",
)
_PRODUCTION = _Figure(
    "grid-carbon-intensity-average-production-annual",
    FactorKind.GRID_INTENSITY,
    "g/kWh",
    "average, production, life-cycle",
)
_OTHERS = (
    _Figure("power-usage-effectiveness", FactorKind.PUE, "1"),
    _Figure("water-usage-effectiveness", FactorKind.WUE, "L/kWh"),
    _Figure(
        "grid-carbon-intensity-marginal-consumption-annual",
        FactorKind.MARGINAL_INTENSITY,
        "g/kWh",
        "marginal, consumption",
    ),
    _Figure(
        "provider-carbon-intensity-market-annual",
        FactorKind.MARKET_EXCLUDED,
        "g/kWh",
        detail=_CLAIM,
    ),
)


def cloud_region_rows(text: str, *, region: str | None = None, site: str | None = None) -> Sheet:
    """Rows of each provider's region and year; those of one ``region`` as a site's, if asked.

    A region's newest year holds until a newer one is known. One with rows of one year that differ
    is told and left out: which of them is meant cannot be known. Raises RowsError.
    """
    given = csv_rows(text)
    _check(given)
    once, ambiguous = _once(given)
    if region in ambiguous:
        raise RowsError([_differing(region, ambiguous[region])])
    rows = [
        found
        for row in once
        if region is None or _scope(row) == region
        for found in _figures(row, site)
    ]
    if not rows:
        known = sorted({_scope(row) for row in once})[:5]
        reason = f"has no figure of {shown(region)}: regions are for example {', '.join(known)}"
        raise RowsError([Fault(reason if region else "has no figures")])
    names = ", ".join(sorted(ambiguous))
    said = f"Left out, because their rows of one year differ: {names}." if names else ""
    return Sheet(tuple(rows), (said,) if said and region is None else ())


def regions_of_sites(rows: Iterable[Row]) -> dict[str, str]:
    """The region that rows are of, by the site that they were taken for."""
    return {
        str(row.cells["scope"]): _region(str(row.cells.get("detail")))
        for row in rows
        if row.cells.get("source") == _SOURCE and row.cells.get("rank") == _AT_A_SITE
    }


def left(regions: Mapping[str, str], standing: Iterable[Factor]) -> list[Factor]:
    """Rows that take back what was said of a site when it was in another region."""
    return [
        replace(one, id="", recorded_us=0, value=None, low=None, high=None)
        for one in standing
        if one.scope in regions
        and (one.source, str(one.rank)) == (_SOURCE, _AT_A_SITE)
        and _region(one.detail or "") != regions[one.scope]
    ]


def _region(detail: str) -> str:
    return detail.partition(",")[0]


def _once(rows: Iterable[Row]) -> tuple[list[Row], dict[str, list[Row]]]:
    """One row of each region and year, and the rows of regions that have several that differ."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((_scope(row), str(row.cells["year"])), []).append(row)
    ambiguous: dict[str, list[Row]] = {}
    for (scope, _), group in groups.items():
        if any(_said(row) != _said(group[0]) for row in group):
            ambiguous.setdefault(scope, []).extend(group)
    return [group[0] for (scope, _), group in groups.items() if scope not in ambiguous], ambiguous


def _said(row: Row) -> list[Cell | None]:
    """The figures of a row."""
    return [row.cells.get(one.column) for one in (_CONSUMPTION, _PRODUCTION, *_OTHERS)]


def _differing(region: str, rows: list[Row]) -> Fault:
    lines = ", ".join(str(row.line) for row in rows)
    reason = f"{shown(region)} has rows of one year that differ (lines {lines}): keep those meant"
    return Fault(reason, None, rows[0].line, "cloud-region")


def _check(rows: Iterable[Row]) -> None:
    """Raises RowsError for a row without region or year."""
    faults = []
    for row in rows:
        year = str(row.cells.get("year", ""))
        if not _YEAR.fullmatch(year):
            faults.append(Fault(f"{shown(year)} is no year", None, row.line, "year"))
        faults += [
            Fault("is missing", None, row.line, name)
            for name in ("cloud-provider", "cloud-region")
            if name not in row.cells
        ]
    if faults:
        raise RowsError(faults)


def _scope(row: Row) -> str:
    provider = str(row.cells.get("cloud-provider", "")).strip().lower()
    short = _PROVIDERS.get(provider) or re.sub(r"[^a-z0-9]", "", provider)
    return f"{short}:{str(row.cells.get('cloud-region', '')).strip().lower()}"


def _figures(row: Row, site: str | None) -> Iterator[Row]:
    grid = _CONSUMPTION if _CONSUMPTION.column in row.cells else _PRODUCTION
    for figure in (grid, *_OTHERS):
        if figure.column in row.cells:
            yield Row(_cells(row, figure, site), row.line, names=_names(figure, site))


def _names(figure: _Figure, site: str | None) -> dict[str, str]:
    """What the columns of factors are in such a file."""
    scope = "--site" if site else "cloud-region"
    value = dict.fromkeys(("value", "unit"), figure.column)
    return {
        "scope": scope,
        **value,
        **dict.fromkeys(("source_date", "valid_from", "valid_to"), "year"),
    }


def _cells(row: Row, figure: _Figure, site: str | None) -> dict[str, Cell]:
    scope, year = _scope(row), str(row.cells["year"])
    cells: dict[str, Cell] = {
        "kind": figure.kind.value,
        "scope": site or scope,
        "value": row.cells[figure.column],
        "unit": figure.unit,
        "source": _SOURCE,
        "source_date": year,
        "licence": _LICENCE,
        "valid_from": f"{year}-01-01",
        "valid_to": NEXT,
        "detail": f"{scope}, {figure.column}" + (f": {figure.detail}" if figure.detail else ""),
    }
    if figure.basis:
        cells["basis"] = figure.basis
    if site:
        cells["rank"] = _AT_A_SITE
    return cells
