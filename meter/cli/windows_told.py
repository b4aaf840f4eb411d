"""A tariff's windows in a few words."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from meter.windows import LocalWindows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.windows import Span

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def times(kept: str) -> str:
    """``mon-fri 07:00-22:00 Europe/Paris`` of windows as a row keeps them."""
    windows = LocalWindows.of_json(kept)
    inside, outside = _spans(windows.spans), _spans(windows.excluded)
    parts = [inside] if inside else []
    parts += [f"not {outside}"] if outside else []
    return f"{' '.join(parts) or 'always'} {windows.timezone}"


def _spans(spans: Iterable[Span]) -> str:
    return ", ".join(_span(span) for span in spans)


def _span(span: Span) -> str:
    days = "" if len(span.days) == len(_DAYS) else f"{_days(span.days)} "
    season = "" if span.season is None else f" {_season(span.season)}"
    return f"{days}{_time(span.start)}-{_time(span.end)}{season}"


def _days(days: Sequence[int]) -> str:
    runs = [
        [day for _, day in run]
        for _, run in groupby(enumerate(sorted(days)), lambda pair: pair[1] - pair[0])
    ]
    return "+".join(
        _DAYS[run[0]] if len(run) == 1 else f"{_DAYS[run[0]]}-{_DAYS[run[-1]]}" for run in runs
    )


def _season(season: tuple[tuple[int, int], tuple[int, int]]) -> str:
    return "/".join(f"{month:02}-{day:02}" for month, day in season)


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
