"""A small HTTP/1.1 client for the agent's Unix socket; one request a connection."""

from __future__ import annotations

import json
import os
import socket
import struct
import time

from meter.errors import AgentError
from meter.launch.trust import peer_fault

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CHUNK_BYTES = 65_536
_MOST_BYTES = 64 << 20
_UCRED = struct.Struct("3i")


class NoAgentError(AgentError):
    """Nobody listens at the socket, or whoever did went away."""


class NoAnswerError(AgentError):
    """The agent did not answer in time."""


class ForeignAgentError(AgentError):
    """Somebody listens who must not learn of us."""


class Exchange:
    """A request on its way: sent at once, its answer read when wanted."""

    __slots__ = ("_received", "_socket", "_socket_path", "agent_pid")

    def __init__(
        self,
        socket_path: str,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout_s: float = 1.0,
    ) -> None:
        """Connect and send; raises NoAgentError, NoAnswerError or ForeignAgentError."""
        self._socket_path = socket_path
        self._received = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            self._socket.connect(socket_path)
            self.agent_pid, uid = _peer(self._socket)
            if fault := peer_fault(socket_path, uid, os.getuid()):
                self._socket.close()
                raise ForeignAgentError(fault, "name another socket with METER_SOCKET")
            self._socket.sendall(_request_bytes(method, path, body))
        except OSError as error:
            self._socket.close()
            raise self._lost(error) from None

    def fileno(self) -> int:
        """The descriptor that becomes readable when the answer arrives."""
        return self._socket.fileno()

    def close(self) -> None:
        """Forget the answer."""
        self._socket.close()

    def answer(self, timeout_s: float) -> tuple[int, dict[str, Any]]:
        """Status and JSON object, waiting for at most ``timeout_s``.

        Raises NoAnswerError (may be asked again), NoAgentError, or AgentError for nonsense.
        """
        deadline = time.monotonic() + timeout_s
        try:
            while not _complete(self._received):
                self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
                chunk = self._socket.recv(_CHUNK_BYTES)
                if not chunk:
                    break
                self._received += chunk
                if len(self._received) > _MOST_BYTES:
                    message = f"the agent's answer is longer than {_MOST_BYTES >> 20} MiB"
                    raise AgentError(message, "ask for less")
        except OSError as error:
            if not isinstance(error, TimeoutError):
                self._socket.close()
            raise self._lost(error) from None
        self._socket.close()
        if not self._received:
            message = f"the agent at {self._socket_path} hung up"
            raise NoAgentError(message, "try again")
        return _parsed(bytes(self._received))

    def _lost(self, error: OSError) -> AgentError:
        if isinstance(error, TimeoutError | BlockingIOError):
            message = f"the agent at {self._socket_path} does not answer"
            return NoAnswerError(message, "see agent.log in METER_HOME")
        reason = error.strerror or str(error)
        message = f"no agent at {self._socket_path} ({reason})"
        return NoAgentError(message, "start one with `meter agent`")


def request(
    socket_path: str,
    method: str,
    path: str,
    body: object = None,
    timeout_s: float = 5.0,
) -> tuple[int, dict[str, Any]]:
    """Ask the agent; status and JSON object. Raises AgentError when none answers in time."""
    deadline = time.monotonic() + timeout_s
    exchange = Exchange(socket_path, method, path, body, timeout_s=timeout_s)
    try:
        return exchange.answer(deadline - time.monotonic())
    finally:
        exchange.close()


def problem_text(status: int, problem: Mapping[str, Any]) -> str:
    """One line for people from a problem+json answer."""
    said = problem.get("detail") or problem.get("title") or f"HTTP status {status}"
    return " ".join(str(said).split())


def _peer(connected: socket.socket) -> tuple[int, int]:
    """PID and user of the agent, as the kernel knows them; PID 0 from another PID namespace."""
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(raw)
    return int(pid), int(uid)


class Encoded(str):
    """A body that is JSON already."""

    __slots__ = ()


def _json(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _request_bytes(method: str, path: str, body: object) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    payload = b""
    if body is not None:
        text = body if isinstance(body, Encoded) else _json(body)
        payload = text.encode("utf-8", "backslashreplace")  # half a surrogate becomes its escape
        lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
    return os.fsencode("\r\n".join(lines)) + b"\r\n\r\n" + payload


def _head_of(received: bytes | bytearray) -> tuple[dict[bytes, bytes], int] | None:
    """Header fields and where the body begins; None while the head is incomplete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    fields: dict[bytes, bytes] = {}
    for line in bytes(received[:end]).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip().lower()
    return fields, end + 4


def read_head(received: bytes | bytearray) -> tuple[int, dict[bytes, bytes], int] | None:
    """Status, header fields and where the body begins; None while the head is incomplete."""
    head = _head_of(received)
    words = received.split(b"\r\n", 1)[0].split()
    if head is None or len(words) < 2 or not words[1].isdigit():
        return None
    return int(words[1]), *head


def _complete(received: bytearray) -> bool:
    head = _head_of(received)
    if head is None:
        return False
    fields, start = head
    if fields.get(b"transfer-encoding") == b"chunked":
        return received.endswith(b"0\r\n\r\n")
    length = fields.get(b"content-length", b"")
    return length.isdigit() and len(received) >= start + int(length)


def _parsed(received: bytes) -> tuple[int, dict[str, Any]]:
    head = _head_of(received)
    words = received.split(b"\r\n", 1)[0].split()
    if head is None or len(words) < 2 or not words[1].isdigit():
        message = "what answers at the agent's socket is not an agent"
        raise AgentError(message, "check METER_SOCKET")
    fields, start = head
    body = received[start:]
    if fields.get(b"transfer-encoding") == b"chunked":
        body = _dechunked(body)
    elif len(body) < int(fields.get(b"content-length", b"0")):
        message = "the agent hung up in the middle of its answer"
        raise NoAgentError(message, "try again")
    return int(words[1]), _object(body)


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        return {"detail": body[:200].decode(errors="replace")}
    return found if isinstance(found, dict) else {"items": found}


def _dechunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    while body:
        size_text, _, rest = body.partition(b"\r\n")
        try:
            size = int(size_text.split(b";")[0], 16)
        except ValueError:
            break
        if size == 0:
            break
        parts.append(rest[:size])
        body = rest[size + 2 :]
    return b"".join(parts)
