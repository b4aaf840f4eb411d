"""The routes of jobs at providers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from meter.agent.requests import Label  # noqa: TC001  FastAPI looks at it

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

    from meter.past.hosted_taking import JobsTaken

PATH = "/v1/jobs"
LARGER_JOBS = {PATH: 8 << 20}
"""Its bodies may be larger than others'."""
MOST_JOBS = 500
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Durable: runs that are `new`, `updated`, and how many were `known`"},
    422: {"description": "One is wrong: nothing was written"},
}
_Dicts = Annotated[list[dict[str, Any]], Field(max_length=MOST_JOBS)]


class ToldJobs(BaseModel):
    """Jobs and deployments in our own form, as `meter jobs import` reads them from providers'."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    jobs: _Dicts = Field(default_factory=list)
    hosting: _Dicts = Field(default_factory=list)
    project: Label | None = None


class Jobs(Protocol):
    """What the routes ask."""

    def known_jobs(self, provider: str) -> dict[str, list[str]]:
        """Ids of jobs that ran when last seen, and of those that have ended."""

    def take_jobs(
        self,
        jobs: Sequence[Mapping[str, Any]],
        hosting: Sequence[Mapping[str, Any]],
        project: str | None,
    ) -> JobsTaken:
        """Book jobs as told, durably."""


def add_jobs(app: FastAPI, desk: Jobs) -> None:
    """Add the routes."""

    @app.get(PATH)
    def known(provider: Annotated[str, Query(max_length=64)]) -> Response:
        """List the jobs of a provider that are open, and those that are settled."""
        return JSONResponse(desk.known_jobs(provider))

    @app.post(PATH, responses=_ANSWERS)
    def take(told: ToldJobs) -> Response:
        """Book jobs as told by their provider: each a run, its usage and energy once it ended."""
        return JSONResponse(answer(desk.take_jobs(told.jobs, told.hosting, told.project)))


def answer(taken: JobsTaken) -> dict[str, Any]:
    """What became of them, as JSON."""
    return {
        "new": taken.new, "updated": taken.updated, "known": taken.known,
        "hosting_days": taken.hours.new, "hosting_known": taken.hours.known,
        "hosting_otherwise": [asdict(one) for one in taken.hours.others], "changed": taken.changed,
        "conflicts": [asdict(one) for one in taken.conflicts], "again": taken.again,
    }  # fmt: skip
