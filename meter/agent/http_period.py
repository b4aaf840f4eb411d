"""The route of runs side by side: of a project, of a period, or those that are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Query
from fastapi.responses import JSONResponse, Response

from meter.instants import parse_us
from meter.period_document import Asked

if TYPE_CHECKING:
    from fastapi import FastAPI

MOST_NAMED = 100
_Text = Annotated[str | None, Query(max_length=40)]


class Periods(Protocol):
    """What the route asks."""

    def period(self, asked: Asked, as_of_us: int | None) -> dict[str, Any]:
        """The document of runs side by side."""


def add_period(app: FastAPI, desk: Periods) -> None:
    """Add the route."""

    @app.get("/v1/period")
    def period(
        run: Annotated[list[str] | None, Query(max_length=MOST_NAMED)] = None,
        since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        to: _Text = None,
        project: Annotated[str | None, Query(max_length=200)] = None,
        as_of: _Text = None,
    ) -> Response:
        """Give runs side by side, own and hosted (meter.period/1).

        Those that are named (`run`, several times), or those of a project that started in a period;
        `to` is the day after the last. Hosted energy that is of no run stands apart.
        """
        asked = Asked(tuple(run or ()), project, since, to)
        as_of_us = parse_us(as_of, "as_of") if as_of else None
        return JSONResponse(desk.period(asked, as_of_us))
