"""The HTTP routes: plain functions that ask the desk; none touches NVML or computes a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from meter import __version__
from meter.agent import problems
from meter.agent.guard import Guard
from meter.agent.http_audit import Auditing, add_audit
from meter.agent.http_bills import LARGER_BILLS, add_bills
from meter.agent.http_books import LARGER, add_books
from meter.agent.http_history import Remembering, add_history
from meter.agent.http_jobs import LARGER_JOBS, Jobs, add_jobs
from meter.agent.http_marks import Marking, add_marks
from meter.agent.http_otlp import LARGER_OTLP, Receiving, add_otlp
from meter.agent.http_peer import over_unix, peer_pid
from meter.agent.http_period import Periods, add_period
from meter.agent.http_report import add_report
from meter.agent.http_told import LARGER_TOLD, Archiving, add_told
from meter.agent.http_usage import LARGER_USAGE, UsageTaking, add_usage
from meter.agent.requests import (  # noqa: TC001  FastAPI looks at them
    NewIntensity,
    NewLink,
    NewPastRun,
    NewRun,
    RunEnd,
)
from meter.instants import parse_us

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from starlette.types import ASGIApp

    from meter.agent.http_bills import Bills
    from meter.agent.http_books import Books
    from meter.agent.http_report import Export
    from meter.agent.web_guard import Web

_PROBLEM: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "A problem (RFC 9457)",
        "content": {problems.MEDIA_TYPE: {"schema": {"type": "object"}}},
    }
}
_REGISTERED: dict[int | str, dict[str, Any]] = {
    200: {"description": "`check` was asked for: the run would be taken; nothing was noted"},
    201: {"description": "Registered, and durable: no crash of ours loses the run"},
    202: {
        "description": "Registered and metered, but not durable yet: a notice says why "
        "(`ledger_unavailable`, `ledger_behind`)"
    },
}
_BOOKED: dict[int | str, dict[str, Any]] = {
    200: {"description": "Booked before, with the same content: nothing was written"},
    201: {"description": "Booked, and durable"},
}
_LINKED: dict[int | str, dict[str, Any]] = {
    201: {"description": "Added, or known already; durable"},
    202: {"description": "Added, but not durable yet"},
}
_LARGER = {
    **LARGER, **LARGER_TOLD, **LARGER_JOBS, **LARGER_USAGE, **LARGER_OTLP, **LARGER_BILLS,
}  # fmt: skip
_MOST_RUNS = 1_000
_AGENT_CHARS = 200
"""Of what a scraper calls itself."""
_MOST_SCOPES = 100
_CURRENCY = "^[A-Z]{3}$"


class Live(Protocol):
    """What the routes of the live state ask."""

    def status(self) -> dict[str, Any]:
        """The live state."""

    def fresh(self) -> tuple[bool, str | None]:
        """Whether samples are fresh, else why not."""

    def degraded(self) -> str | None:
        """Why what is metered is not kept, None if it is."""

    def scraped(self, scraper: str) -> None:
        """Note that somebody collects /metrics from outside."""


class Desk(Auditing, Archiving, Marking, Remembering, Protocol):
    """What the routes ask; every method may block and is called from any thread."""

    @property
    def live(self) -> Live:
        """The live state."""

    def register(self, run: NewRun, peer_pid: int | None) -> tuple[dict[str, Any], bool]:
        """Book a run from now on; whether that is durable."""

    def end(self, run_id: str, end: RunEnd, peer_pid: int | None) -> dict[str, Any]:
        """End a run; its document once all is settled and durable."""

    def link(
        self, run_id: str, link: NewLink, peer_pid: int | None = None
    ) -> tuple[dict[str, Any], bool]:
        """Add an id that somebody else gave a run; whether that is durable."""

    def add_past(self, run: NewPastRun) -> tuple[dict[str, Any], bool]:
        """Book a run that was not metered; its document, and whether it was new."""

    def budgets(self, run_id: str) -> dict[str, Any]:
        """What a run that lives has used of its budgets."""

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        """The newest runs."""

    def document(
        self, run_id: str, as_of_us: int | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document, up to date, or as known at an instant (UTC µs)."""

    def series(
        self, run_id: str, *, minutes: bool = False, as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        """A run's power over time; only minutes, or as known at an instant, where asked for."""

    def profile(self, run_id: str, as_of_us: int | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour, up to date or as known at an instant."""

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of_us: int | None = None
    ) -> list[dict[str, Any]]:
        """Factor rows of some scopes that hold between two instants (UTC µs)."""

    def sync(self, given: NewIntensity) -> dict[str, Any]:
        """Write what a provider of grid intensity told."""


class Hosted(Jobs, UsageTaking, Periods, Receiving, Protocol):
    """What the routes of hosted work ask."""


class Page(Protocol):
    """The /metrics page."""

    def render(self, accept: str | None = None, names: Sequence[str] = ()) -> tuple[bytes, str]:
        """Body and content type."""


def build(
    desk: Desk,
    page: Page,
    hosts: Collection[str],
    books: Books | None = None,
    hosted: Hosted | None = None,
    bills: Bills | None = None,
    report: Callable[[], Export] | None = None,
    web: Web | None = None,
) -> ASGIApp:
    """The app behind its guards; of what is not given, there are no routes."""
    app = FastAPI(
        title="meter agent", version=__version__, docs_url=None, redoc_url=None, responses=_PROBLEM
    )
    problems.install(app)
    add_told(app, desk)
    _add_runs(app, desk)
    add_marks(app, desk)
    _add_intensity(app, desk)
    _add_comparison(app, desk)
    add_audit(app, desk)
    add_history(app, desk)
    _add_health(app, desk.live, page)
    if books is not None:
        add_books(app, books)
    if hosted is not None:
        add_jobs(app, hosted)
        add_usage(app, hosted)
        add_period(app, hosted)
        add_otlp(app, hosted)
    if bills is not None:
        add_bills(app, bills)
    if report is not None:
        add_report(app, desk, report)
    if web is None:
        return Guard(app, hosts, larger=_LARGER)
    from meter.agent.web_guard import WebGuard  # noqa: PLC0415  most agents have none

    guard = Guard(app, hosts, larger=_LARGER, any_host=web.config.asks_who)
    return WebGuard(guard, web)


def _add_runs(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/runs", status_code=201, responses=_REGISTERED)
    def register(run: NewRun, request: Request) -> Response:
        """Register a run that has begun, or check whether one would be taken."""
        answer, durable = desk.register(run, peer_pid(request))
        return JSONResponse(answer, 200 if run.check else 201 if durable else 202)

    @app.post("/v1/runs/past", status_code=201, responses=_BOOKED)
    def past(run: NewPastRun) -> Response:
        """Book a run that was not metered, from what is stated of it, and give its document."""
        document, new = desk.add_past(run)
        return JSONResponse(document, 201 if new else 200)

    @app.get("/v1/runs")
    def runs(
        limit: Annotated[int, Query(ge=1, le=_MOST_RUNS)] = 50,
        project: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """List the newest runs."""
        return JSONResponse({"runs": desk.runs(limit, project)})

    @app.get("/v1/runs/{run_id}")
    def document(
        run_id: str,
        as_of: Annotated[str | None, Query(max_length=40)] = None,
        currency: Annotated[str | None, Query(pattern=_CURRENCY)] = None,
    ) -> Response:
        """Give a run's document (meter.run/1); by id, unique prefix, name or `last`.

        `as_of` gives it by the facts known at that instant (ISO 8601, UTC), `currency` adds all
        money in that one, by dated exchange rates.
        """
        as_of_us = None if as_of is None else parse_us(as_of, "as_of")
        return JSONResponse(desk.document(run_id, as_of_us, currency))

    @app.get("/v1/runs/{run_id}/series")
    def series(
        run_id: str,
        *,
        minutes: bool = False,
        as_of: Annotated[str | None, Query(max_length=40)] = None,
    ) -> Response:
        """Give a run's power over time; `minutes` without readings, which expire.

        `as_of` gives the minutes by what was known at that instant (ISO 8601, UTC).
        """
        as_of_us = None if as_of is None else parse_us(as_of, "as_of")
        found = desk.series(run_id, minutes=minutes, as_of_us=as_of_us)
        return JSONResponse({"series": found})

    @app.get("/v1/runs/{run_id}/budgets")
    def budgets(run_id: str) -> Response:
        """Tell what a live run has used of its budgets, and whether its job is to end."""
        return JSONResponse(desk.budgets(run_id))

    @app.patch("/v1/runs/{run_id}")
    def end(run_id: str, end: RunEnd, request: Request) -> Response:
        """End a run and give its document."""
        return JSONResponse(desk.end(run_id, end, peer_pid(request)))

    @app.post("/v1/runs/{run_id}/links", status_code=201, responses=_LINKED)
    def link(run_id: str, link: NewLink, request: Request) -> Response:
        """Add an id that somebody else gave a run, live or ended; the run keeps its own."""
        answer, durable = desk.link(run_id, link, peer_pid(request))
        return JSONResponse(answer, 201 if durable else 202)


def _add_comparison(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/runs/{run_id}/profile")
    def profile(run_id: str, as_of: Annotated[str | None, Query(max_length=40)] = None) -> Response:
        """Give a run's energy by device and quarter hour: mJ, with UTC instants in µs."""
        as_of_us = None if as_of is None else parse_us(as_of, "as_of")
        return JSONResponse(desk.profile(run_id, as_of_us))

    @app.get("/v1/rates")
    def rates(
        scope: Annotated[list[str], Query(max_length=_MOST_SCOPES)],
        since: Annotated[str, Query(alias="from", max_length=40)],
        until: Annotated[str, Query(alias="to", max_length=40)],
        as_of: Annotated[str | None, Query(max_length=40)] = None,
    ) -> Response:
        """Give the factor rows, withdrawals too, that rates between two instants stand on."""
        span_us = parse_us(since, "from"), parse_us(until, "to")
        as_of_us = None if as_of is None else parse_us(as_of, "as_of")
        return JSONResponse({"factors": desk.factor_rows(scope, span_us, as_of_us)})


def _add_intensity(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/intensity")
    def intensity(given: NewIntensity) -> Response:
        """Take live grid intensity of this site, as `meter factors sync` fetched it."""
        return JSONResponse(desk.sync(given))


def _add_health(app: FastAPI, live: Live, page: Page) -> None:
    @app.get("/v1/status")
    def status() -> Response:
        """Give the live state: devices, runs, sources, ledger."""
        return JSONResponse(live.status())

    @app.get("/healthz")
    def healthz() -> Response:
        """Tell whether samples are fresh, and whether what is metered is kept."""
        fresh, reason = live.fresh()
        if not fresh:
            return problems.problem(503, reason or "no fresh samples")
        degraded = live.degraded()
        if degraded is not None:
            return JSONResponse({"status": "degraded", "reason": degraded, "version": __version__})
        return JSONResponse({"status": "ok", "version": __version__})

    @app.get("/metrics")  # for the OpenAPI document; a 405 tells the methods of one route
    @app.api_route("/metrics", methods=["GET", "HEAD"], include_in_schema=False)
    def metrics(
        request: Request, names: Annotated[list[str] | None, Query(alias="name[]")] = None
    ) -> Response:
        """Give the live counters and gauges, as text or OpenMetrics."""
        if request.method == "GET" and not over_unix(request):
            host = request.client.host if request.client else ""
            live.scraped(f"{host} {request.headers.get('user-agent', '')[:_AGENT_CHARS]}")
        body, content_type = page.render(request.headers.get("accept"), names or ())
        return Response(body, headers={"Content-Type": content_type})
