"""The route of runs that another tool told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from meter.agent.requests import Label  # noqa: TC001  FastAPI looks at it
from meter.factors.rows import BYTES, ROWS

if TYPE_CHECKING:
    from fastapi import FastAPI

    from meter.past import Imported

PATH = "/v1/runs/import"
LARGER_TOLD = {PATH: 2 * BYTES}
"""Its bodies may be larger than others'."""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    201: {"description": "Durable; `new` of the runs were news, the ledger knew the others"},
    422: {"description": "Some are wrong, `errors` tells each: nothing was written"},
}


class ToldRuns(BaseModel):
    """Rows of codecarbon's emissions.csv, by column; `timezone` is that of their instants."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: Literal["codecarbon"]
    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=ROWS)]
    timezone: Annotated[str, Field(max_length=64)] = "UTC"
    project: Label | None = None


class Archiving(Protocol):
    """What the route asks."""

    def take_runs(self, given: ToldRuns) -> Imported:
        """Book runs that another tool told, all or none."""


def add_told(app: FastAPI, desk: Archiving) -> None:
    """Add the route."""

    @app.post(PATH, status_code=201, responses=_ANSWERS)
    def take(given: ToldRuns) -> Response:
        """Book runs that codecarbon told, each once: all of them, or none."""
        taken = desk.take_runs(given)
        told = {"new": len(taken.ids), "known": taken.known, "ids": taken.ids}
        return JSONResponse({**told, "notices": list(taken.notices)}, 201)
