"""Who may ask over TCP, by the web configuration, which is read again when it changes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from meter.agent import web_config
from meter.agent.passwords import Passwords
from meter.agent.problems import problem
from meter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from meter.agent.web_config import WebConfig

_LOOK_S = 1.0
_MOST_WAITING = 16
"""Requests whose passwords wait to be compared; comparing is one at a time."""


class Web:
    """The web configuration as it is now. A change that is wrong is told, and what was holds on."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError."""
        self._path = path
        self._looked_s = 0.0
        self._take(web_config.read(path))
        self._seen = self._stamps()

    @property
    def config(self) -> WebConfig:
        """What holds."""
        return self._config

    @property
    def passwords(self) -> Passwords:
        """The users' passwords, by the file as it is now."""
        self._look()
        return self._passwords

    def context(self) -> ssl.SSLContext | None:
        """TLS for a listening socket, which follows the file; None where it is not encrypted."""
        return None if self._context is None else _Following(self)

    def current(self) -> ssl.SSLContext:
        """TLS for the next connection."""
        self._look()
        if self._context is None:
            raise TypeError("there is no TLS")
        return self._context

    def _take(self, found: WebConfig) -> None:
        passwords = Passwords(found.users)
        self._context = None if found.tls is None else web_config.context(found.tls)
        self._config, self._passwords = found, passwords

    def _look(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._take(self._no_less(web_config.read(self._path)))
        except ConfigError as error:
            sys.stderr.write(f"meter: the web configuration of before holds on: {error}\n")
            sys.stderr.flush()

    def _no_less(self, found: WebConfig) -> WebConfig:
        """The new one, unless the address would be open to more than when it was bound."""
        same_tls = (found.tls is None) == (self._config.tls is None)
        if same_tls and (found.asks_who or not self._config.asks_who):
            return found
        raise ConfigError("it would change who may ask", "start the agent again for that")

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in (self._path, *self._config.files())]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Following(ssl.SSLContext):
    """A context that hands each connection to the one that holds then."""

    def __new__(cls, web: Web) -> Self:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._web = web
        return made

    _web: Web

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        """The server's end of a connection."""
        return self._web.current().wrap_bio(*given, **named)


class WebGuard:
    """ASGI middleware: who comes over TCP has to be a user, if there are any."""

    def __init__(self, app: ASGIApp, web: Web) -> None:
        self._app = app
        self._web = web
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        over_tcp = bool(scope.get("server")) and scope["server"][1] is not None
        if scope["type"] != "http" or not over_tcp or not self._web.config.users:
            await self._app(scope, receive, send)
            return
        allowed = await self._allowed(scope["headers"])
        if allowed is None:
            text = "too many passwords wait to be compared: ask again"
            await problem(503, text, {"Connection": "close"})(scope, receive, send)
            return
        if not allowed:
            wanted = {"WWW-Authenticate": 'Basic realm="meter"', "Connection": "close"}
            await problem(401, "user and password are needed", wanted)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _allowed(self, headers: list[tuple[bytes, bytes]]) -> bool | None:
        given = [value for name, value in headers if name == b"authorization"]
        told = _told(given[0]) if len(given) == 1 else None
        if told is None:
            return False
        passwords = self._web.passwords
        known = passwords.known(*told)
        if known is not None:
            return known
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._turn:
                known = passwords.known(*told)
                if known is None:
                    known = await asyncio.to_thread(passwords.verify, *told)
                return known
        finally:
            self._waiting -= 1


def _told(header: bytes) -> tuple[str, str] | None:
    """User and password of an Authorization header, None if it has none."""
    scheme, _, value = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = (
            base64.b64decode(value.strip(), validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
