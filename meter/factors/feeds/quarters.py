"""Points of a feed as factor rows, whose times begin and end on quarter hours; pure."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from meter.factors.books import HOURLY
from meter.factors.feeds.feed import Point
from meter.identified import identified
from meter.model import Factor, Method
from meter.units import US_PER_MINUTE, US_PER_QUARTER, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.factors.feeds.feed import About

_EXACT = Context(prec=50, rounding=ROUND_HALF_UP)
_NINE = Decimal("1E-9")


def factors_of_points(
    points: Iterable[Point], about: About, site_id: str, recorded_us: int = 0
) -> list[Factor]:
    """A row for each time, by time; without an instant the ledger gives it."""
    return [_factor(point, about, site_id, recorded_us) for point in on_quarters(points)]


def on_quarters(points: Iterable[Point]) -> list[Point]:
    """Points that begin and end on quarter hours, by time; of the same time the last counts.

    What begins or ends inside a quarter hour is averaged over it, weighed by time.
    """
    newest = {(point.start_us, point.end_us): point for point in points}
    whole = {key: point for key, point in newest.items() if _aligned(point)}
    for point in _pooled(point for point in newest.values() if not _aligned(point)):
        whole.setdefault((point.start_us, point.end_us), point)
    return [whole[key] for key in sorted(whole)]


def _aligned(point: Point) -> bool:
    return point.start_us % US_PER_QUARTER == 0 and point.end_us % US_PER_QUARTER == 0


def _pooled(points: Iterable[Point]) -> list[Point]:
    """The mean of each quarter hour that something is known of, with words on how it was made."""
    by_quarter: defaultdict[int, list[tuple[int, Point]]] = defaultdict(list)
    for point in points:
        first = point.start_us - point.start_us % US_PER_QUARTER
        for start in range(first, point.end_us, US_PER_QUARTER):
            end = start + US_PER_QUARTER
            overlap = min(end, point.end_us) - max(start, point.start_us)
            by_quarter[start].append((overlap, point))
    return [_mean(start, shares) for start, shares in by_quarter.items()]


def _mean(start: int, shares: list[tuple[int, Point]]) -> Point:
    known_us = sum(overlap for overlap, _ in shares)
    total = sum((_EXACT.multiply(point.value, Decimal(us)) for us, point in shares), Decimal(0))
    value = _EXACT.quantize(_EXACT.divide(total, Decimal(known_us)), _NINE)
    states = sorted({point.state for _, point in shares if point.state})
    lengths = {point.end_us - point.start_us for _, point in shares}
    length = f" of {lengths.pop() // US_PER_MINUTE} min" if len(lengths) == 1 else ""
    words = f"mean of {len(shares)} points{length}, weighed by time"
    if known_us < US_PER_QUARTER:
        words += f"; {known_us // US_PER_S} of 900 s known"
    return Point(start, start + US_PER_QUARTER, value, "; ".join([*states, words]))


def _factor(point: Point, about: About, site_id: str, recorded_us: int) -> Factor:
    detail = "; ".join(part for part in (point.state, about.detail) if part)
    return identified(
        Factor(
            id="",
            kind=about.kind,
            scope=site_id,
            value=point.value,
            low=point.value,
            high=point.value,
            unit="g/kWh",
            source=about.source,
            method=Method.SOURCED,
            recorded_us=recorded_us,
            rank=HOURLY,
            valid_from_us=point.start_us,
            valid_to_us=point.end_us,
            source_date=f"{datetime.fromtimestamp(point.start_us // US_PER_S, UTC):%Y-%m-%d}",
            licence=about.licence,
            detail=detail or None,
            book=about.book,
            basis=about.basis,
        )
    )
