"""Where `meter verify` asks, and how `meter report --seal` seals: the agent, else the file."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from meter.cli.reads import agent_reads, open_ledger, patiently
from meter.cli.writes import AgentWrites, writes
from meter.errors import AgentError
from meter.instants import parse_us
from meter.launch.client import problem_text, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meter.config import Config

_TIMEOUT_S = 120.0


class Proofs(Protocol):
    """What an auditor asks; see :class:`meter.ledger.auditor.Auditor`."""

    def overview(self) -> dict[str, Any]:
        """How far the chains go, and what is wrong with them as a whole."""

    def batches(self, after: int) -> dict[str, Any]:
        """The next batches after a commit, checked."""

    def proof(self, number: int) -> dict[str, Any]:
        """A statement, checked."""


class AgentProofs:
    """Asks through an agent's socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)

    def overview(self) -> dict[str, Any]:
        """How far the chains go, and what is wrong with them as a whole."""
        return self._get("/v1/verify")

    def batches(self, after: int) -> dict[str, Any]:
        """The next batches after a commit, checked."""
        return self._get(f"/v1/verify/batches?after={after}")

    def proof(self, number: int) -> dict[str, Any]:
        """A statement, checked."""
        return self._get(f"/v1/verify/statements/{number}")

    def _get(self, path: str) -> dict[str, Any]:
        status, answer = request(self._socket, "GET", path, timeout_s=_TIMEOUT_S)
        if not 200 <= status < 300:
            raise AgentError(f"the agent cannot check: {problem_text(status, answer)}", "try again")
        return answer


@contextmanager
def proofs(config: Config) -> Iterator[Proofs]:
    """The agent if it answers, else the file. Raises AgentError, LedgerError."""
    if agent_reads(config) is not None:
        yield AgentProofs(config.socket)
        return
    with ExitStack() as stack:
        reader = patiently(lambda: stack.enter_context(open_ledger(config)), config)
        from meter.ledger.auditor import Auditor  # noqa: PLC0415

        yield Auditor(reader)


def seal(config: Config, run: str, as_of: str | None, reason: str | None) -> dict[str, Any]:
    """Issue a statement, or find the one that says it already; JSON with its document.

    Raises UsageError where it may not be issued, AgentError, LedgerError.
    """
    with writes(config) as target:
        if isinstance(target, AgentWrites):
            asked = {"run": run, "as_of": as_of, "reason": reason}
            given = {name: value for name, value in asked.items() if value is not None}
            return target.post("/v1/statements", given)
        from meter.ledger.sealing import seal as seal_in  # noqa: PLC0415

        as_of_us = parse_us(as_of, "--as-of") if as_of else None
        return seal_in(target.ledger, run, as_of_us=as_of_us, reason=reason).json()
