"""The uvicorn server: sockets that are bound already, deadlines, and a quiet end on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from meter.agent.door import Peer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

    from meter.agent.door import Door

REQUEST_S = 10.0
"""A request must have come in whole by then."""
DRAIN_S = 30.0
"""A client that does not read on for so long is let go, with what it has not read."""
MOST_STALLED = 32
"""Clients whose answers wait for them to read; one more is let go at once."""
STOP_S = 2
"""How long open requests may take once we were asked to end."""

UNIX_CLIENT = "unix"
"""Host of a client that came over the Unix socket; its port is the client's PID."""

UNIX_STRANGER = "unix-stranger"
"""Host of one that may not be answered."""

_CONNECTIONS = 1_000
_HEADER_BYTES = 16_384
_UNREAD_BYTES = 16_384
"""So much of an answer may wait before its client counts as one that does not read."""


class DeadlineProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for each request, and the PID of a client on this machine."""

    door: Door | None = None
    stalled: set[DeadlineProtocol]
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the first request's deadline."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_UNREAD_BYTES)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family == socket.AF_UNIX:
            found = Peer.of(peer)
            known = self.door is None or self.door.admits(found)
            self.client = (UNIX_CLIENT if known else UNIX_STRANGER, found.pid)
            self.server = (UNIX_CLIENT, None)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Stop the deadline once the request is here."""
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._arm()
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._disarm()
        self._reads()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read: it has some time for that, and few may be like it."""
        super().pause_writing()
        if len(self.stalled) >= MOST_STALLED:
            self.transport.abort()
            return
        self.stalled.add(self)
        if self._unread is None:
            self._unread = self.loop.call_later(DRAIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        self._reads()
        super().resume_writing()

    def _reads(self) -> None:
        self.stalled.discard(self)
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.close()


class Server(uvicorn.Server):
    """Serves until told to stop, by a signal or by ``stop``; then returns, whatever the signal."""

    def __init__(
        self, app: ASGIApp, name: str, door: Door | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            http=type("Protocol", (DeadlineProtocol,), {"door": door, "stalled": set()}),
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("Server", name)],
            date_header=False,
            timeout_keep_alive=75,  # longer than a scrape interval
            timeout_graceful_shutdown=STOP_S,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=_HEADER_BYTES,
        )
        super().__init__(config)
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None

    def serve_on(
        self, sockets: Sequence[socket.socket], *, started: Callable[[], Any] | None = None
    ) -> None:
        """Serve on listening sockets in this thread, which must be the main one."""
        asyncio.run(self._run(list(sockets), started))

    def stop(self) -> None:
        """Stop serving; from any thread."""
        self.should_exit = True
        loop, stopped = self._loop, self._stopped
        if loop is not None and stopped is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopped.set)

    async def _run(self, sockets: list[socket.socket], started: Callable[[], Any] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop)
        if self.should_exit:
            return
        if started is not None:
            self._loop.call_soon(started)
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on each socket; those of TCP with TLS, if there is any."""
        given = sockets or []
        plain = [one for one in given if self._tls is None or one.family == socket.AF_UNIX]
        await super().startup(plain)
        for one in given:
            if one not in plain:
                self.servers.append(
                    await asyncio.get_running_loop().create_server(
                        self._protocol, sock=one, ssl=self._tls, ssl_handshake_timeout=REQUEST_S
                    )
                )

    def _protocol(self) -> asyncio.Protocol:
        made = self.config.http_protocol_class
        return made(config=self.config, server_state=self.server_state, app_state={})  # type: ignore[call-arg]

    async def main_loop(self) -> None:
        """Sleep until stopped: uvicorn's own loop wakes ten times a second for nothing we use."""
        assert self._stopped is not None  # noqa: S101  set before serving
        await self._stopped.wait()


def tcp_hosts(listen_host: str, own_name: str) -> Iterator[str]:
    """Names that a request over TCP may ask for."""
    yield from ("localhost", own_name, own_name.partition(".")[0])
    yield listen_host
