"""The gate before the app: size of bodies, names of hosts, what a browser was tricked into."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from meter.agent.problems import problem
from meter.agent.server import UNIX_STRANGER
from meter.limits import BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class Guard:
    """ASGI middleware; ``hosts`` are the names that a request over TCP may ask for.

    ``larger`` names paths whose bodies may have more bytes than others'.
    Names, because a name can be rebound to our address by whoever owns it; an address cannot.
    With ``any_host`` all names will do: who was tricked would have no password for ours.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        *,
        body_bytes: int = BODY_BYTES,
        larger: Mapping[str, int] | None = None,
        any_host: bool = False,
    ) -> None:
        self._any_host = any_host
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._body_bytes = body_bytes
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on with the whole body read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._body_bytes)
        refusal = self._refusal(scope, most)
        if refusal is not None:
            await problem(*refusal, {"Connection": "close"})(scope, receive, send)
            return
        body = await self._body(receive, most)
        if body is None:
            text = f"the body is larger than {most} bytes"
            await problem(413, text, {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _refusal(self, scope: Scope, most: int) -> tuple[int, str] | None:
        client = scope.get("client")
        if client is not None and client[0] == UNIX_STRANGER:
            return 403, "this agent is another user's: use one of your own, or join its group"
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        over_tcp = bool(scope.get("server")) and scope["server"][1] is not None
        if over_tcp and (len(hosts) != 1 or not self._known(hosts[0].decode("latin-1"))):
            return 421, "this agent does not answer to that host name"
        for name, value in headers:
            if name == b"sec-fetch-site" and value not in (b"same-origin", b"none"):
                return 403, "requests from other sites are refused"
            if name == b"origin" and value.partition(b"://")[2] not in hosts:
                return 403, "requests from other sites are refused"
            if name == b"content-length" and int(value) > most:
                return 413, f"the body is larger than {most} bytes"
        return None

    def _known(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None or self._any_host:
            return match is not None
        name = match.group(1).strip("[]").lower()
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    async def _body(self, receive: Receive, most: int) -> bytes | None:
        """The whole body, None if it is too large or the client left."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b""
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > most:
                return None
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
