"""Runs side by side as one HTML file, like a run's report: no script, nothing loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter import __version__, figures, side_told
from meter_exporters import period_rows
from meter_exporters.html_report import environment, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def export(document: Mapping[str, Any], series: Sequence[Mapping[str, Any]]) -> bytes:
    """The page in UTF-8; there is no series of several runs."""
    del series
    page = environment().get_template("period.html.j2").render(_context(document))
    return page.encode("utf-8", "replace")


def _context(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "document": document,
        "title": period_rows.title(document),
        "told": side_told,
        "rows": period_rows,
        "badge_of": _badge,
        "part": _part,
        "notes": list(side_told.notes(document["runs"])) if document["runs"] else [],
        "notices": sorted(document["notices"], key=lambda one: one["severity"] != "warning"),
        "money": figures.money,
        "version": __version__,
        "fingerprint": fingerprint(document),
    }


def _badge(row: Mapping[str, Any]) -> str:
    """The label of a row's evidence; an upper bound is an assumption."""
    found = period_rows.evidence(row)
    return "assumed" if found == "upper bound" else found


def _part(row: Mapping[str, Any]) -> str:
    """What a row's energy is of, where it is not the facility's."""
    return {"it": "IT alone", "facility in part": "facility in part"}.get(row["energy_basis"], "")
