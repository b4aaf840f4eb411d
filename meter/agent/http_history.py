"""The route of history: what live series would have shown, as OpenMetrics with timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from meter.instants import parse_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from fastapi import FastAPI

    from meter.agent.history_file import Written

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
LEFT_OUT = "Meter-Runs-Left-Out"
"""Header with the number of runs that are too many to have series."""
_BLOCK = 64 << 10


class Remembering(Protocol):
    """What the route asks."""

    def history(
        self, span_us: tuple[int, int], step_min: int, target: dict[str, str], *, runs: bool
    ) -> Written:
        """A file with the history, at its start; gone when it is closed."""


def add_history(app: FastAPI, desk: Remembering) -> None:
    """Add the route."""

    @app.get("/v1/history", response_class=StreamingResponse)
    def history(
        since: Annotated[str, Query(alias="from", max_length=40)],
        until: Annotated[str, Query(alias="to", max_length=40)],
        step: Annotated[int, Query(ge=1, le=60)] = 1,
        job: Annotated[str, Query(max_length=200)] = "",
        instance: Annotated[str, Query(max_length=200)] = "",
        *,
        runs: bool = True,
    ) -> Response:
        """Give what /metrics would have shown between two instants, a sample each `step` minutes.

        Whole UTC hours, by the facts known now; `job` and `instance` become labels. The header
        `Meter-Runs-Left-Out` tells how many runs have no series because there were too many.
        """
        span_us = parse_us(since, "from"), parse_us(until, "to")
        named = {"job": job, "instance": instance}
        target = {name: value for name, value in named.items() if value}
        found = desk.history(span_us, step, target, runs=runs)
        told = {LEFT_OUT: str(found.left_out)} if found.left_out else {}
        return StreamingResponse(_blocks(found.file), media_type=MEDIA_TYPE, headers=told)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block
