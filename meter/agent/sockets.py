# ruff: noqa: PTH108  paths are strings where a start is short
"""The agent's Unix socket; imported once the sampler starts, because sockets cost milliseconds."""

from __future__ import annotations

import contextlib
import os
import socket

from meter.errors import AgentError

_BACKLOG = 128


def answers(path: str) -> bool:
    """Whether the holder of the lock listens; else it is just beginning or ending."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def bind(path: str, *, private: bool) -> socket.socket:
    """A listening socket in place of a dead one; call it under the lock."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177 if private else 0o117)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listening.bind(path)
    except OSError as error:
        listening.close()
        text = error.strerror or str(error)
        raise AgentError(f"cannot listen at {path} ({text})", "set METER_SOCKET") from None
    finally:
        os.umask(before)
    listening.listen(_BACKLOG)
    return listening
