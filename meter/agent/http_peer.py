"""Who asks: over the Unix socket the kernel tells the client's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.agent.server import UNIX_CLIENT

if TYPE_CHECKING:
    from fastapi import Request


def over_unix(request: Request) -> bool:
    """Whether a request came over the Unix socket."""
    return request.client is not None and request.client.host == UNIX_CLIENT


def peer_pid(request: Request) -> int | None:
    """PID of a client on the Unix socket, as this process sees it."""
    return request.client.port or None if request.client and over_unix(request) else None
