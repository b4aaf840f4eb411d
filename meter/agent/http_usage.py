"""The route of usage: one event or response, or several, each answered for itself."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from meter.agent.problems import problem
from meter.errors import LimitError, UsageError
from meter.hosted.jsonl import parse_each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

    from meter.usage_intake import Answer

PATH = "/v1/usage"
LARGER_USAGE = {PATH: 16 << 20}
"""Its bodies may be larger than others': responses have texts, which are not kept."""
MOST_EVENTS = 10_000
_UNPACKED_BYTES = 64 << 20
_ONE = {"stored": 201, "duplicate": 200, "unused": 200, "conflict": 409, "invalid": 422}
_BODY = {
    "requestBody": {
        "required": True,
        "description": 'A normalised event, `{"source","id","provider","response":{…}}`, '
        "a provider's response, or a list of these; gzip is taken",
        "content": {"application/json": {"schema": {"type": ["object", "array"]}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One that was known, or used nothing; of several, what became of each in "
        "`results`"
    },
    201: {"description": "One event, stored: durable"},
    409: {"description": "Its id stands for other content: both are shown"},
    422: {"description": "It is wrong, or too many"},
}


class UsageTaking(Protocol):
    """What the route asks."""

    def take_usage(self, told: Sequence[object]) -> list[Answer]:
        """Take events, durably; what became of each."""

    def usage(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Usage by project, model and meter, with its cost."""

    def inference(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """What requests are estimated to have used."""

    def gpu_time(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """What GPU time of no job is estimated to have used."""

    def costs(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Runs, own and hosted, side by side."""


def add_usage(app: FastAPI, desk: UsageTaking) -> None:
    """Add the route."""

    @app.post(PATH, status_code=201, responses=_ANSWERS, openapi_extra=_BODY)
    async def take(request: Request) -> Response:
        """Take usage of hosted models; prompts and answers are never stored."""
        body = await request.body()
        encoding = request.headers.get("content-encoding", "")
        return await run_in_threadpool(_taken, desk, body, encoding)

    @app.get(PATH)
    def usage(
        since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        to: Annotated[str | None, Query(max_length=40)] = None,
        project: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """List usage by project, model and meter with its cost, in whole UTC hours."""
        return JSONResponse({"usage": desk.usage(_given(since, to, project))})

    @app.get("/v1/inference")
    def inference(
        since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        to: Annotated[str | None, Query(max_length=40)] = None,
        project: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """List modelled energy of requests by project and model, J between bounds, in no sum."""
        return JSONResponse({"inference": desk.inference(_given(since, to, project))})

    @app.get("/v1/gpu_time")
    def gpu_time(
        since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        to: Annotated[str | None, Query(max_length=40)] = None,
        project: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """List modelled energy of GPU time of no job by project, model and type of GPU."""
        return JSONResponse({"gpu_time": desk.gpu_time(_given(since, to, project))})

    @app.get("/v1/costs")
    def costs(
        limit: Annotated[int, Query(ge=1, le=1_000)] = 20,
        project: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """List runs, own and hosted, side by side: tokens, money, energy and carbon."""
        asked = {"limit": str(limit), **({"project": project} if project else {})}
        return JSONResponse({"costs": desk.costs(asked)})


def _given(since: str | None, to: str | None, project: str | None) -> dict[str, str]:
    asked = {"from": since, "to": to, "project": project}
    return {name: word for name, word in asked.items() if word is not None}


def _taken(desk: UsageTaking, body: bytes, encoding: str) -> Response:
    told = parse_each(unpacked(body, encoding), MOST_EVENTS)
    if not isinstance(told, list):
        (answer,) = desk.take_usage([told])
        return _single(answer)
    if len(told) > MOST_EVENTS:
        raise LimitError(f"{len(told):,} events are too many", f"send {MOST_EVENTS:,} at most")
    answers = desk.take_usage(told)
    counts: dict[str, int] = dict.fromkeys(_ONE, 0)
    for answer in answers:
        counts[answer.outcome] += 1
    return JSONResponse({**counts, "results": [answer.json() for answer in answers]})


def _single(answer: Answer) -> Response:
    status = _ONE[answer.outcome]
    if status < 400:
        return JSONResponse(answer.json(), status)
    more: Mapping[str, Any] = {
        k: v for k, v in answer.json().items() if k not in {"status", "reason"}
    }
    return problem(status, answer.reason or "it is wrong", outcome=answer.outcome, **more)


def unpacked(body: bytes, encoding: str) -> bytes:
    """A body without its encoding. Raises UsageError, LimitError for one that grows too much."""
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise UsageError("the content encoding is not known", "send gzip, or none")
    worker = zlib.decompressobj(wbits=31)
    try:
        text = worker.decompress(body, _UNPACKED_BYTES)
    except zlib.error:
        raise UsageError("the body is no gzip", "send what the header says") from None
    if worker.unconsumed_tail:
        raise LimitError(f"the body has more than {_UNPACKED_BYTES:,} bytes unpacked", "send less")
    if not worker.eof or worker.unused_data:
        raise UsageError("the gzip is cut off, or something follows it", "send one whole gzip")
    return text
