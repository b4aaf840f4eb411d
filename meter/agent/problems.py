"""Errors as problem+json (RFC 9457); what a client sent is never echoed."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from meter.errors import (
    AgentError,
    ConflictError,
    LedgerError,
    LimitError,
    MeterError,
    ReportError,
    UsageError,
)
from meter.factors.rows import RowsError
from meter.faults import SHOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
_SHOWN_ERRORS = 5


class NotFoundError(UsageError):
    """What was asked for is not there."""


_STATUS: tuple[tuple[type[MeterError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (LimitError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE),
    (AgentError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ReportError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    """An answer that says what is wrong."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    app.add_exception_handler(MeterError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _ours(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RowsError):
        return _rows(error)
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return problem(status, str(error), code=kind.__name__)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def _rows(error: RowsError) -> JSONResponse:
    """Each row that is wrong, the first so many: whoever sent them has to find them."""
    told = [
        {"row": fault.row, "column": fault.column, "reason": fault.reason}
        for fault in error.faults[:SHOWN]
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, str(error), code="RowsError", errors=told, more=error.more
    )


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Places and reasons only: FastAPI's own answer repeats the input."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    reasons = []
    for each in found[:_SHOWN_ERRORS]:
        if each["type"] == "extra_forbidden":
            reasons.append("a field that is not known")
            continue
        named = [str(part) for part in each["loc"][1:] if not str(part).startswith("(")]
        place = "".join(named[:1])  # deeper keys are the client's
        message = str(each["msg"]).removeprefix("Value error, ")
        reasons.append(f"{place}: {message}" if place else message)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(reasons) or "unreadable request")


def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return _unexpected(_, error)
    return problem(error.status_code, str(error.detail), error.headers)


def _unexpected(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"unexpected {type(error).__name__}")
