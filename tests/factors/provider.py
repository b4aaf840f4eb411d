"""A provider of live intensity on loopback: it answers what it is told to, and notes who asks."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

HOUR_US = 3_600_000_000
QUARTER_US = HOUR_US // 4
NOON_US = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000


def at(us: int) -> str:
    """An instant as Electricity Maps and WattTime write it."""
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat().replace("+00:00", ".000Z")


@dataclass
class Answer:
    """What is answered; ``pause_s`` after each piece of ten bytes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    pause: Callable[[], None] | None = None

    def bytes(self) -> bytes:
        return json.dumps(self.body).encode() if self.raw is None else self.raw


@dataclass
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Provider:
    """Answers by path; a function is asked for an answer to each request."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[Request], Answer]] = {}
        self.otherwise: Answer | Callable[[Request], Answer] = Answer(
            {"error": "no such path"}, 404
        )
        self.asked: list[Request] = []
        self.url = ""

    def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        found = self.answers.get(request.path, self.otherwise)
        return found(request) if callable(found) else found

    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


@contextmanager
def provider(tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    told = Provider()

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is what some tests are about."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(parts.path, dict(parse_qsl(parts.query)), dict(self.headers))
            answer = told.answer(request)
            raw = answer.bytes()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            try:
                for start in range(0, len(raw), 10 if answer.pause else len(raw) or 1):
                    if answer.pause:
                        answer.pause()
                    self.wfile.write(raw[start : start + 10] if answer.pause else raw)
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = Quiet(("127.0.0.1", 0), Handler)
    told.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def maps_hour(us: int, value: Any, **changes: Any) -> dict[str, Any]:
    """An hour of Electricity Maps."""
    return {
        "zone": "FR",
        "carbonIntensity": value,
        "datetime": at(us),
        "updatedAt": at(us),
        "createdAt": at(us),
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        "estimationMethod": None,
        "temporalGranularity": "hourly",
        **changes,
    }


def uk_half(us: int, forecast: Any, actual: Any) -> dict[str, Any]:
    """A half hour of Great Britain."""

    def minute(us: int) -> str:
        return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%dT%H:%MZ")

    return {
        "from": minute(us),
        "to": minute(us + HOUR_US // 2),
        "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
    }


def watt(values: dict[int, Any], **changes: Any) -> dict[str, Any]:
    """An answer of WattTime, values by instant."""
    meta = {
        "region": "CAISO_NORTH",
        "signal_type": "co2_moer",
        "units": "lbs_co2_per_mwh",
        "data_point_period_seconds": 300,
        "model": {"date": "2026-01-01"},
        **changes,
    }
    return {
        "data": [{"point_time": at(us), "value": value} for us, value in values.items()],
        "meta": meta,
    }
