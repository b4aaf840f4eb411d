"""The agent's TCP address, for Prometheus; a private agent can do without it, and says so."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING, NamedTuple

from meter.agent.options import address, is_loopback
from meter.errors import AgentError, MeterError, UsageError
from meter.model import Notice, Severity
from meter.settings import DEFAULT_LISTEN

if TYPE_CHECKING:
    from meter.agent.options import Options
    from meter.agent.web_guard import Web
    from meter.config import Config

SERVER = "meter"
"""What the agent calls itself in its answers' Server header."""

_BACKLOG = 128
_PROBE_S = 0.25
_PROBE = b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n"


class PortTakenError(AgentError):
    """Somebody else listens at the address."""


class Listening(NamedTuple):
    """Sockets that listen; ``notices`` are for every run, ``quiet`` ones for ``--strict`` only."""

    sockets: list[socket.socket]
    notices: list[Notice]
    quiet: list[Notice]
    web: Web | None = None


def listen(config: Config, options: Options) -> Listening:
    """The socket for the configured address.

    Raises AgentError or UsageError in a node agent. A private agent goes on with a notice, and
    with none where the default port is merely held by another agent: nobody asked for that one.
    """
    try:
        web = _web(config)
        guarded = web is not None and web.config.asks_who
        remote = options.allow_remote or guarded
        return Listening([_tcp(config.listen, allow_remote=remote)], [], [], web)
    except PortTakenError as error:
        if not options.private:
            raise
        notice = Notice("port_taken", str(error), Severity.WARNING)
        quiet = config.listen == DEFAULT_LISTEN and is_agent(*address(config.listen))
        return Listening([], [], [notice]) if quiet else Listening([], [notice], [])
    except MeterError as error:
        if not options.private:
            raise
        notice = Notice("listen_failed", str(error), Severity.WARNING)
        return Listening([], [notice], [])


def is_agent(host: str, port: int, timeout_s: float = _PROBE_S) -> bool:
    """Whether a meter agent answers there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout_s) as probe:
        probe.sendall(_PROBE)
        return f"\r\nserver: {SERVER}\r\n".encode() in probe.recv(4_096).lower()
    return False


def _web(config: Config) -> Web | None:
    """The web configuration. Raises ConfigError: an address is never less guarded than asked."""
    if config.web_config is None:
        return None
    from meter.agent.web_guard import Web  # noqa: PLC0415  most agents have none

    return Web(config.web_config)


def _tcp(listen: str, *, allow_remote: bool) -> socket.socket:
    host, port = address(listen)
    if not allow_remote and not is_loopback(host):
        raise UsageError(
            f"{listen} can be reached from other machines, and the agent asks for no password",
            "listen on 127.0.0.1, give --web-config with TLS and users, or say --allow-remote",
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # with its protocol told, asyncio sends the end of an answer without awaiting an ACK
        listening = socket.socket(*found[:3])
    except OSError as error:
        raise AgentError(f"cannot listen on {listen} ({error.strerror})", "use --listen") from None
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(found[4])
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _refusal(listen, error) from None
    return listening


def _refusal(listen: str, error: OSError) -> AgentError:
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(
            f"cannot listen on {listen} for Prometheus: another program does",
            f"see which with `ss -ltnp 'sport = :{listen.rpartition(':')[2]}'`, "
            "or name another address with --listen or METER_LISTEN",
        )
    text = f"cannot listen on {listen} ({error.strerror})"
    return AgentError(text, "name another address with --listen or METER_LISTEN")
