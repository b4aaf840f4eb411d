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


def exporter(name: str) -> Export:
    """The exporter of a format; raises UsageError for one that is not there."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name in found:
        loaded: Export = found[name].load()
        return loaded
    if name in _BUNDLED:
        bundled: Export = EntryPoint(name, _BUNDLED[name], GROUP).load()
        return bundled
    choices = " or ".join(AVAILABLE)
    if name in LATER:
        raise UsageError(
            f"the format {name} is not available in this version", f"use --format {choices}"
        )
    raise UsageError(f"there is no format {name[:40]!r}", f"use --format {choices}")
