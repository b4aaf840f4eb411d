"""Asks an ASGI app without a server between: one request, one answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import ASGIApp, Message


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def ask(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    body: Any = None,
    chunks: Iterable[bytes] = (),
    headers: Mapping[str, str] | None = None,
    server: tuple[str, int | None] = ("127.0.0.1", 9850),
) -> Answer:
    """Send JSON, or raw chunks; over TCP unless ``server`` says otherwise."""
    pieces = list(chunks) or [b"" if body is None else json.dumps(body).encode()]
    given = {"host": "127.0.0.1:9850", "content-type": "application/json", **(headers or {})}
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": server,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        if not pieces:
            await asyncio.Event().wait()
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def call() -> None:
        with contextlib.suppress(RuntimeError):  # raised again after its 500 was sent
            await app(scope, receive, send)

    asyncio.run(call())
    body_text = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], head, body_text.decode())
