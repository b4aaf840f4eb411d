"""The receiver of telemetry about generative models: OTLP over HTTP, in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastapi import Request  # noqa: TC002  FastAPI looks at it
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from meter.agent.http_usage import unpacked
from meter.agent.problems import problem
from meter.hosted.jsonl import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from meter.otlp_intake import Telemetry

TRACES, METRICS = "/v1/otlp/v1/traces", "/v1/otlp/v1/metrics"
LARGER_OTLP = {TRACES: 16 << 20, METRICS: 16 << 20}
"""Their bodies may be larger than others'."""
_JSON = "application/json"
_SHOWN = 5
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An export request of OTLP in JSON; gzip is taken",
        "content": {_JSON: {"schema": {"type": "object"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Durable; `partialSuccess` tells what was not counted, and why"},
    415: {"description": "Protobuf: set the exporter to `http/json`"},
}


class Receiving(Protocol):
    """What the routes ask."""

    def otlp_spans(self, body: object) -> Telemetry:
        """Take spans, durably."""

    def otlp_metrics(self, body: object) -> Telemetry:
        """Take metrics, durably."""


def add_otlp(app: FastAPI, desk: Receiving) -> None:
    """Add the routes."""

    @app.post(TRACES, responses=_ANSWERS, openapi_extra=_BODY)
    async def traces(request: Request) -> Response:
        """Take spans of generative models: their tokens; no prompts and no answers."""
        return await _taken(request, desk.otlp_spans, "rejectedSpans")

    @app.post(METRICS, responses=_ANSWERS, openapi_extra=_BODY)
    async def metrics(request: Request) -> Response:
        """Take token counters of generative models; gauges are refused."""
        return await _taken(request, desk.otlp_metrics, "rejectedDataPoints")


async def _taken(request: Request, take: Callable[[object], Telemetry], rejected: str) -> Response:
    if request.headers.get("content-type", _JSON).partition(";")[0].strip() != _JSON:
        return problem(415, "only JSON is taken: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json")
    body = await request.body()
    encoding = request.headers.get("content-encoding", "")
    told = await run_in_threadpool(lambda: take(parse(unpacked(body, encoding))))
    if not told.refused:
        return JSONResponse({})
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in told.refused[:_SHOWN])
    partial = {rejected: len(told.refused), "errorMessage": reasons}
    return JSONResponse({"partialSuccess": partial})
