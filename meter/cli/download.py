"""A long answer of the agent, read block by block as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from meter.errors import AgentError, UsageError
from meter.launch.client import Exchange, NoAgentError, NoAnswerError, problem_text, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 64 << 10
_MOST_HEAD = 64 << 10


class Download(Exchange):
    """A GET whose body may be of any length; each wait is of at most ``timeout_s``."""

    __slots__ = ("_timeout_s", "fields")

    def __init__(self, socket_path: str, path: str, *, timeout_s: float) -> None:
        """Connect and ask; raises NoAgentError, NoAnswerError or ForeignAgentError."""
        super().__init__(socket_path, "GET", path, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self.fields: dict[bytes, bytes] = {}
        """Of the answer's head, once its body is read; names and values in small letters."""

    def blocks(self) -> Iterator[bytes]:
        """The body; raises AgentError where it was refused or is cut off."""
        status, chunked = self._status()
        if not 200 <= status < 300:
            code, problem = self.answer(self._timeout_s)
            said = problem_text(code, problem)
            raise UsageError(said) if code in {400, 422} else AgentError(said, "see its log")
        if not chunked:
            raise AgentError("what answers at the agent's socket is no agent of this version", "")
        yield from self._chunks()

    def _status(self) -> tuple[int, bool]:
        while (head := read_head(self._received)) is None:
            if len(self._received) > _MOST_HEAD:
                raise AgentError("what answers at the agent's socket is not an agent", "check it")
            self._more()
        status, fields, start = head
        if 200 <= status < 300:
            del self._received[:start]
            self.fields = fields
        return status, fields.get(b"transfer-encoding") == b"chunked"

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().split(b";")[0], 16):
            while len(self._received) < size + 2:
                self._more()
            yield bytes(self._received[:size])
            del self._received[: size + 2]

    def _line(self) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            self._more()
        line = bytes(self._received[:end])
        del self._received[: end + 2]
        return line

    def _more(self) -> None:
        self._socket.settimeout(self._timeout_s)
        began_s = time.monotonic()
        try:
            found = self._socket.recv(_BLOCK)
        except OSError as error:
            waited = time.monotonic() - began_s
            raise NoAnswerError(
                f"the agent did not go on for {waited:.0f} s ({error})", "see its log"
            ) from None
        if not found:
            raise NoAgentError("the agent hung up in the middle of its answer", "try again")
        self._received += found
