"""The HTTP routes of statements and of the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import FastAPI, Path, Query
from fastapi.responses import JSONResponse, Response

from meter.agent.requests import NewStatement  # noqa: TC001  FastAPI looks at it
from meter.instants import parse_us

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from meter.ledger.auditor import Auditor

_BIGINT = 2**63 - 1
_Number = Annotated[int, Path(ge=1, le=_BIGINT)]
_ISSUED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The newest statement of the run says the same; nothing was issued"},
    201: {"description": "Issued, and durable"},
}


class Auditing(Protocol):
    """What the routes ask; every method may block and is called from any thread."""

    def seal(
        self, run: str, as_of_us: int | None, reason: str | None
    ) -> tuple[dict[str, Any], bool]:
        """Issue a statement of a run that has ended; whether one was issued."""

    def audit(self) -> AbstractContextManager[Auditor]:
        """An auditor of the ledger."""


def add_audit(app: FastAPI, desk: Auditing) -> None:
    """Statements, and what `meter verify` asks."""

    @app.post("/v1/statements", status_code=201, responses=_ISSUED)
    def seal(wanted: NewStatement) -> Response:
        """Issue a statement of a run that has ended, or give the one that says it already."""
        as_of_us = None if wanted.as_of is None else parse_us(wanted.as_of, "as_of")
        answer, issued = desk.seal(wanted.run, as_of_us, wanted.reason)
        return JSONResponse(answer, 201 if issued else 200)

    @app.get("/v1/statements")
    def statements() -> Response:
        """List the statements, without their documents."""
        with desk.audit() as auditor:
            return JSONResponse({"statements": auditor.statements()})

    @app.get("/v1/statements/{number}")
    def statement(number: _Number) -> Response:
        """Give a statement with its document, and what it changes of the one that it replaces."""
        with desk.audit() as auditor:
            return JSONResponse(auditor.statement(number))

    @app.get("/v1/verify")
    def verify() -> Response:
        """Tell how far the audit chains go, and what is wrong with them as a whole."""
        with desk.audit() as auditor:
            return JSONResponse(auditor.overview())

    @app.get("/v1/verify/batches")
    def batches(after: Annotated[int, Query(ge=-1, le=_BIGINT)] = -1) -> Response:
        """Check the next batches after a commit; `last` is null where there are none."""
        with desk.audit() as auditor:
            return JSONResponse(auditor.batches(after))

    @app.get("/v1/verify/statements/{number}")
    def proof(number: _Number) -> Response:
        """Check a statement and derive it again."""
        with desk.audit() as auditor:
            return JSONResponse(auditor.proof(number))
