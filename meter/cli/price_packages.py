"""Prices that a package brings: meter's own, and those of genai-prices where it is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from meter.cli.writes import Taken
from meter.errors import UsageError
from meter.factors.genai_prices import genai_rows
from meter.factors.rows import ROWS, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable

_PACKAGE = "genai-prices"


def genai_sheet() -> Sheet:
    """What the installed package knows. Raises UsageError where there is none."""
    try:
        from genai_prices.data import providers  # noqa: PLC0415 - an extra, slow to load
    except ImportError:
        raise UsageError(
            f"the package {_PACKAGE} is not installed", f"pip install 'tunemeter[{_PACKAGE}]'"
        ) from None
    return genai_rows(providers, version=version(_PACKAGE), today=datetime.now(UTC).date())


def in_parts(sheet: Sheet) -> list[Sheet]:
    """A sheet in as many as one import takes rows."""
    rows = [sheet.rows[start : start + ROWS] for start in range(0, len(sheet.rows), ROWS)]
    return [Sheet(part, sheet.notices if not index else ()) for index, part in enumerate(rows)]


def joined(parts: Iterable[tuple[Sheet, Taken]]) -> tuple[Sheet, Taken]:
    """What became of all the parts."""
    told = list(parts)
    return (
        Sheet((), tuple(notice for sheet, _ in told for notice in sheet.notices)),
        Taken(
            tuple(one for _, taken in told for one in taken.ids),
            sum(taken.known for _, taken in told),
            notices=tuple(notice for _, taken in told for notice in taken.notices),
        ),
    )
