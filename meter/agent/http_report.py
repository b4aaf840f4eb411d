"""The route of a run's report: what dashboards lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from fastapi.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from fastapi import FastAPI

Export = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], bytes]

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
}
"""The report needs no script and loads nothing: the browser is told so."""


class Reporting(Protocol):
    """What the route asks."""

    def document(
        self, run_id: str, as_of_us: int | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document."""

    def series(
        self, run_id: str, *, minutes: bool = False, as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        """A run's power over time."""


def add_report(app: FastAPI, desk: Reporting, export: Callable[[], Export]) -> None:
    """Add the route; ``export`` finds the exporter, which nobody needs before."""

    @app.get("/v1/runs/{run_id}/report", response_class=HTMLResponse)
    def report(run_id: str) -> Response:
        """Give a run's report as one HTML page, as of now; by id, unique prefix, name or `last`."""
        document = desk.document(run_id)
        series = desk.series(document["run"]["id"])
        return HTMLResponse(export()(document, series), headers=_HEADERS)
