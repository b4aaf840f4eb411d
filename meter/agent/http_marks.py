"""The route of marks: one, several, or the numbered batch of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastapi import Request  # noqa: TC002  FastAPI looks at it
from fastapi.responses import JSONResponse, Response

from meter.agent.http_peer import peer_pid
from meter.agent.requests import GivenMarks, MarkList, NewMark
from meter.errors import UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Noted; not durable yet. It is written with its energy once the devices' "
        "curves have come past it, about two seconds later. Of several marks `noted` are new, "
        "`known` were told before by the same `source` under the same number, and `invalid` "
        "names the place of each wrong one, which keeps no other out"
    },
    404: {"description": "No such run lives here, or not yet: ask again"},
    409: {"description": "The run has ended, and its figures are settled"},
    422: {"description": "The mark is wrong, or every one of several"},
}
_SHOWN = 5


class Marking(Protocol):
    """What the route asks."""

    def mark(self, run_id: str, mark: NewMark, peer_pid: int | None) -> dict[str, Any]:
        """Note an instant inside a run."""

    def marks(self, run_id: str, marks: MarkList, peer_pid: int | None) -> dict[str, Any]:
        """Note several instants inside a run."""


def add_marks(app: FastAPI, desk: Marking) -> None:
    """Add the route."""

    @app.post("/v1/runs/{run_id}/marks", status_code=202, responses=_ANSWERS)
    def mark(run_id: str, given: GivenMarks, request: Request) -> Response:
        """Note steps, epochs, phases of a run: one mark, a list, or a numbered batch."""
        if isinstance(given, NewMark):
            return JSONResponse(desk.mark(run_id, given, peer_pid(request)), 202)
        found = MarkList.of(given)
        if found.invalid and not found.marks and not found.source:
            raise UsageError(_told(found), "send marks as the OpenAPI document tells")
        return JSONResponse(desk.marks(run_id, found, peer_pid(request)), 202)


def _told(found: MarkList) -> str:
    reasons = [f"mark {place}: {reason}" for place, reason in found.invalid[:_SHOWN]]
    return "; ".join(reasons)
