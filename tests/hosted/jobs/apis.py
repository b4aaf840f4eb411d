"""The job APIs of all providers on loopback, with the faults that a test wishes."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from meter.hosted.access import Access, access_of
from meter.hosted.jobs.registry import hosting_provider, provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "sk-CANARY0123456789"
VARIABLES = {
    "OPENAI_API_KEY": CANARY,
    "AZURE_OPENAI_API_KEY": CANARY,
    "TOGETHER_API_KEY": CANARY,
    "FIREWORKS_API_KEY": CANARY,
    "GOOGLE_OAUTH_ACCESS_TOKEN": CANARY,
    "MISTRAL_API_KEY": CANARY,
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_REGION": "us-east-1",
    "FIREWORKS_ACCOUNT_ID": "example",
    "GOOGLE_CLOUD_PROJECT": "123",
    "GOOGLE_CLOUD_LOCATION": "us-central1",
    "AZURE_MANAGEMENT_TOKEN": CANARY,
    "AZURE_SUBSCRIPTION_ID": "0000-1111",
    "AZURE_RESOURCE_GROUP": "rg_of(us)",
    "AZURE_OPENAI_ACCOUNT": "acc",
}


@dataclass
class Fault:
    """What is answered instead; ``cut`` closes after half of the body."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Api:
    """Jobs by their collection's path; ``faults`` are answered to the requests of those numbers."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.singles: dict[str, Any] = {}
        self.faults: dict[int, Fault] = {}
        self.always: Callable[[Asked], Fault | None] = lambda _asked: None
        self.most = 100  # entries of a page, whatever is asked for
        self.asked: list[Asked] = []
        self.url = ""
        self.link_host: str | None = None  # which the next page is said to be at; None: here

    def access(self, name: str, **variables: str) -> Access:
        """How a provider is asked here."""
        return access_of(provider(name), VARIABLES | variables, base_url=self.url)

    def hosting_access(self, name: str, **variables: str) -> Access:
        """How who lists a provider's deployments is asked here."""
        return access_of(hosting_provider(name), VARIABLES | variables, base_url=self.url)

    def counts(self) -> Counter[str]:
        """How often each path was asked."""
        return Counter(asked.path for asked in self.asked)

    def answer(self, asked: Asked) -> Fault | Any:
        number = len(self.asked)
        self.asked.append(asked)
        fault = self.faults.get(number) or self.always(asked)
        if fault is not None and not fault.cut and (fault.status != 200 or fault.body is not None):
            return fault
        body = self.body(asked)
        if fault is not None:
            fault.body = _json(body)
            return fault
        return Fault(404, b'{"error": {"code": "not_found"}}') if body is None else body

    def body(self, asked: Asked) -> Any:
        if asked.path in self.singles:
            return self.singles[asked.path]
        entries = self.lists.get(asked.path)
        if entries is None:
            return None
        if "/Microsoft.CognitiveServices/" in asked.path:
            return self._linked(asked, entries)
        return _page(asked, entries, self.most)

    def _linked(self, asked: Asked, entries: list[dict[str, Any]]) -> Any:
        """A page of Azure's management plane, which has the address of the next one in it."""
        if "api-version" not in asked.query:
            return Fault(400, b'{"error": {"code": "MissingApiVersionParameter"}}')
        start = int(asked.query.get("$skiptoken", "0"))
        end = start + self.most
        page: dict[str, Any] = {"value": entries[start:end]}
        if end < len(entries):
            host = self.link_host or self.url
            version = asked.query["api-version"]
            page["nextLink"] = f"{host}{asked.path}?api-version={version}&%24skiptoken={end}"
        return page


def _json(value: Any) -> bytes:
    return json.dumps(value, default=float).encode()


def _page(asked: Asked, entries: list[dict[str, Any]], most: int) -> Any:
    query, kind = asked.query, asked.path.rsplit("/", 1)[-1]
    if "maxResults" in query:
        return _token_page(entries, query.get("nextToken"), int(query["maxResults"]), most,
                           "modelCustomizationJobSummaries", "nextToken")  # fmt: skip
    if "pageSize" in query:
        return _token_page(
            entries, query.get("pageToken"), int(query["pageSize"]), most, kind, "nextPageToken"
        )
    if "page" in query:
        size = min(int(query["page_size"]), most)
        start = int(query["page"]) * size
        return {"object": "list", "total": len(entries), "data": entries[start : start + size]}
    if "limit" in query:
        ids = [entry["id"] for entry in entries]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        end = start + min(int(query["limit"]), most)
        return {"object": "list", "data": entries[start:end], "has_more": end < len(entries)}
    return {"data": entries}


def _token_page(
    entries: list[dict[str, Any]], token: str | None, asked: int, most: int, kind: str, name: str
) -> Any:
    start = int(token) if token else 0
    end = start + min(asked, most)
    page: dict[str, Any] = {kind: entries[start:end]} if entries else {}
    return page | ({name: str(end)} if end < len(entries) else {})


@contextmanager
def serving() -> Iterator[Api]:
    """An API that answers while the block runs."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(unquote(parts.path), dict(parse_qsl(parts.query)), headers)
            asked.headers["raw-path"] = self.path
            answer = api.answer(asked)
            fault = answer if isinstance(answer, Fault) else Fault(200, _json(answer))
            body = fault.body or b""
            self.send_response(fault.status)
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault.cut else body)
            self.close_connection = True

        def log_message(self, *_words: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
