"""Contractual instruments as rows: those that count, and those that fail a quality criterion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.factors.own import Told, own_row
from meter.identified import identified
from meter.model import Factor, FactorKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.config import Config, Instrument
    from meter.model import Site

RANKS = {"certificate": 440, "ppa": 430, "supplier": 420, "residual": 210}
"""Rank by type: the order in which instruments cover a consumption."""

CONFIGURATION = "configuration"
_KINDS = frozenset({FactorKind.MARKET_INTENSITY, FactorKind.MARKET_EXCLUDED})


def instrument_rows(
    config: Config, site: Site, recorded_us: int, known: Iterable[Factor] = ()
) -> list[Factor]:
    """A row for each instrument, and a withdrawal of each known one that is not stated any more.

    ``known`` are the ledger's rows: an instrument that is taken out of the configuration, or
    begins to fail a criterion, does not count from then on.
    """
    stated = [_row(each, site, recorded_us) for each in config.instruments]
    keys = {(row.kind, row.item) for row in stated}
    gone = {
        (row.kind, row.item, row.rank)
        for row in known
        if row.kind in _KINDS and row.scope == site.id and row.book == CONFIGURATION
        and (row.kind, row.item) not in keys
    }  # fmt: skip
    nothing = [
        _placed(own_row(kind, None, site, recorded_us), item, rank)
        for kind, item, rank in sorted(gone, key=repr)
    ]
    return [*stated, *nothing]


def _row(instrument: Instrument, site: Site, recorded_us: int) -> Factor:
    kind = FactorKind.MARKET_EXCLUDED if instrument.lacking else FactorKind.MARKET_INTENSITY
    detail = (
        f"does not count: {', '.join(instrument.lacking)}"
        if instrument.lacking
        else "states each quality criterion of the GHG Protocol's Scope 2 Guidance that applies"
        if instrument.type != "residual"
        else "the mix of what nobody has claimed"
    )
    told = Told(source=instrument.source, detail=detail, source_date=instrument.source_date)
    row = own_row(kind, instrument.g_per_kwh, site, recorded_us, told)
    row = replace(
        row,
        share=instrument.share,
        valid_from_us=instrument.valid_from_us,
        valid_to_us=instrument.valid_to_us,
    )
    return _placed(row, instrument.name, RANKS[instrument.type])


def _placed(row: Factor, item: str | None, rank: int) -> Factor:
    return identified(replace(row, item=item, rank=rank))
