"""The routes of bills: charges are taken one by one, and compared with usage."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from meter.agent.problems import problem
from meter.errors import LimitError, UsageError
from meter.hosted.bills.rows import CHARGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

LARGER_BILLS = {"/v1/charges": 16 << 20}
"""Routes whose bodies may be larger than others': a month's bill is one."""
_INVALID = "invalid"
_STATUS = {"stored": 201, "corrected": 201, "duplicate": 200, _INVALID: 422}
_TAKEN: dict[int | str, dict[str, Any]] = {
    200: {"description": "A list: `results` tells of each; one alone: known, nothing was written"},
    201: {"description": "One alone: durable, `stored` or `corrected`"},
    422: {"description": "One alone: `errors` tells what is wrong with it; or no JSON"},
}
_FIELDS = "source, id, provider, start, end, amount, currency, line_item"
_BODY = {
    "requestBody": {
        "required": True,
        "description": f"A charge ({_FIELDS}; if told project, model, job, quantity, unit), "
        "a list of them, or an object whose `charges` is the list",
        "content": {"application/json": {"schema": {}}},
    }
}
_Text = Annotated[str | None, Query(max_length=40)]


class Bills(Protocol):
    """What these routes ask."""

    def take(self, told: Sequence[object]) -> list[dict[str, Any]]:
        """What became of each charge."""

    def document(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What was billed beside what was computed."""


async def _body(request: Request) -> bytes:
    return await request.body()


def add_bills(app: FastAPI, bills: Bills) -> None:
    """Add the routes."""

    @app.post("/v1/charges", status_code=201, responses=_TAKEN, openapi_extra=_BODY)
    def take(body: Annotated[bytes, Depends(_body)]) -> Response:
        """Take what a provider says it billed: stored, duplicate, corrected or invalid.

        The newest word on a charge (`source` and `id`) holds. Those of a list that are right are
        written in one commit, whatever is wrong with others.
        """
        told = _parsed(body)
        many = told.get("charges") if isinstance(told, dict) and "charges" in told else told
        if isinstance(many, list):
            if len(many) > CHARGES:
                raise LimitError(f"more than {CHARGES:,} charges in one request", "split it")
            return JSONResponse({"results": bills.take(many)}, 200)
        (answer,) = bills.take([many])
        outcome = answer["status"]
        if outcome == _INVALID:
            said = {name: value for name, value in answer.items() if name != "status"}
            return problem(_STATUS[outcome], "the charge is wrong", outcome=outcome, **said)
        return JSONResponse(answer, _STATUS[outcome])

    @app.get("/v1/bills")
    def document(
        since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        to: _Text = None,
        project: Annotated[str | None, Query(max_length=200)] = None,
        as_of: _Text = None,
    ) -> Response:
        """Give what was billed beside what was computed from usage (meter.bill/1).

        By UTC day, provider, project and line; `to` is the day after the last. Hosted models that
        were asked nothing are listed with their hours.
        """
        asked = {"from": since, "to": to, "project": project, "as_of": as_of}
        given = {name: value for name, value in asked.items() if value is not None}
        return JSONResponse(bills.document(given))


def _parsed(body: bytes) -> object:
    """JSON with its numbers exactly as written. Raises UsageError."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        raise UsageError("the body is no JSON", f"send {_FIELDS}") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
