"""Finds exporters by entry point, so that others can add theirs; imports none by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from meter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Export = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], bytes]

GROUP = "meter.exporters"
AVAILABLE = ("html", "json")
LATER = (
    *("pdf", "md", "csv", "parquet", "focus", "sci", "boamps", "cyclonedx", "model-card"),
    *("ai-act", "esrs", "codecarbon"),
)
_BUNDLED = {  # for a checkout that is on the path but not installed
    "html": "meter_exporters.html_report:export",
    "json": "meter_exporters.json_document:export",
}


PERIOD_GROUP = "meter.period_exporters"
"""Exporters of several runs: of a ``meter.period/1`` document, which has no series."""
OF_SEVERAL = ("html", "json", "md")
_BUNDLED_PERIOD = {
    "html": "meter_exporters.period_html:export",
    "json": "meter_exporters.json_document:export",
    "md": "meter_exporters.period_md:export",
}


def exporter(name: str) -> Export:
    """The exporter of a format; raises UsageError for one that is not there."""
    if name in OF_SEVERAL and name not in AVAILABLE:
        raise UsageError(
            f"the format {name} is not available of one run in this version",
            f"use --format {' or '.join(AVAILABLE)}, or name several runs or a --project",
        )
    return _exporter(name, GROUP, _BUNDLED, AVAILABLE)


def period_exporter(name: str) -> Export:
    """The exporter of a format of several runs; raises UsageError for one that is not there."""
    return _exporter(name, PERIOD_GROUP, _BUNDLED_PERIOD, OF_SEVERAL)


def _exporter(
    name: str, group: str, bundled_points: Mapping[str, str], available: Sequence[str]
) -> Export:
    found = {point.name: point for point in entry_points(group=group)}
    if name in found:
        loaded: Export = found[name].load()
        return loaded
    if name in bundled_points:
        bundled: Export = EntryPoint(name, bundled_points[name], group).load()
        return bundled
    choices = " or ".join(available)
    if name in LATER:
        raise UsageError(
            f"the format {name} is not available in this version", f"use --format {choices}"
        )
    raise UsageError(f"there is no format {name[:40]!r}", f"use --format {choices}")
