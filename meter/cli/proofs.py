"""Where `meter verify` asks, and how `meter report --seal` seals: the agent, else the file."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from meter.cli.reads import agent_reads, open_ledger, patiently
from meter.cli.writes import AgentWrites, writes
from meter.errors import AgentError
from meter.instants import parse_us
from meter.launch.client import NoAgentError, problem_text, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


class _Handover:
    """The agent's answers while it lives, the file's once it went away."""

    def __init__(self, agent: Proofs, open_file: Callable[[], Proofs]) -> None:
        self._source = agent
        self._open_file = open_file

    def overview(self) -> dict[str, Any]:
        """How far the chains go, and what is wrong with them as a whole."""
        return self._ask(lambda source: source.overview())

    def batches(self, after: int) -> dict[str, Any]:
        """The next batches after a commit, checked."""
        return self._ask(lambda source: source.batches(after))

    def proof(self, number: int) -> dict[str, Any]:
        """A statement, checked."""
        return self._ask(lambda source: source.proof(number))

    def _ask(self, question: Callable[[Proofs], dict[str, Any]]) -> dict[str, Any]:
        try:
            return question(self._source)
        except NoAgentError:
            self._source = self._open_file()
            return question(self._source)


@contextmanager
def proofs(config: Config) -> Iterator[Proofs]:
    """The agent while it answers, else the file. Raises AgentError, LedgerError."""
    with ExitStack() as stack:

        def from_file() -> Proofs:
            from meter.ledger.auditor import Auditor  # noqa: PLC0415

            return Auditor(stack.enter_context(open_ledger(config)))

        if agent_reads(config) is None:
            yield patiently(from_file, config)
        else:
            yield _Handover(AgentProofs(config.socket), lambda: patiently(from_file, config))


def seal(config: Config, run: str, as_of: str | None, reason: str | None) -> dict[str, Any]:
    """Issue a statement, or find the one that says it already; JSON with its document.

    Raises UsageError where it may not be issued, AgentError, LedgerError.
    """
    try:
        return _seal(config, run, as_of, reason)
    except NoAgentError:  # a private agent ended meanwhile; what it sealed is not sealed again
        return _seal(config, run, as_of, reason)


def _seal(config: Config, run: str, as_of: str | None, reason: str | None) -> dict[str, Any]:
    with writes(config) as target:
        if isinstance(target, AgentWrites):
            asked = {"run": run, "as_of": as_of, "reason": reason}
            given = {name: value for name, value in asked.items() if value is not None}
            return target.post("/v1/statements", given)
        from meter.ledger.sealing import seal as seal_in  # noqa: PLC0415

        as_of_us = parse_us(as_of, "--as-of") if as_of else None
        return seal_in(target.ledger, run, as_of_us=as_of_us, reason=reason).json()
