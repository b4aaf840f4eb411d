"""Where commands write to: the agent if its socket answers, else the ledger's file."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from meter.cli.reads import CLOSING_S, LEDGER_NAME, held
from meter.errors import AgentError, LedgerLockedError, UsageError
from meter.launch.client import NoAgentError, problem_text, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meter.config import Config
    from meter.ledger import Ledger

_TIMEOUT_S = 60.0
_AGAIN_S = 0.2


class Writes(Protocol):
    """What can be written, through an agent or to a file."""


class AgentWrites:
    """Writes through an agent's socket."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The agent's answer. Raises UsageError where it refuses what was sent, AgentError."""
        socket = str(self.config.socket)
        status, answer = request(socket, "POST", path, body, timeout_s=_TIMEOUT_S)
        if 200 <= status < 300:
            return answer
        said = problem_text(status, answer)
        if 400 <= status < 500:
            raise UsageError(f"the agent refuses: {said}")
        raise AgentError(f"the agent cannot write: {said}", "see its log")


class FileWrites:
    """Writes to the ledger's file, which this process holds meanwhile."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger


@contextmanager
def writes(config: Config) -> Iterator[AgentWrites | FileWrites]:
    """The agent if it answers, else the file, made where there is none.

    An agent that is just starting or ending is waited for. Raises AgentError, LedgerError.
    """
    deadline = time.monotonic() + CLOSING_S
    while not _answers(config):
        try:
            ledger = _open(config)
        except LedgerLockedError as error:
            if time.monotonic() < deadline:
                time.sleep(_AGAIN_S)
                continue
            raise held(config, error) from error
        with ledger:
            yield FileWrites(config, ledger)
        return
    yield AgentWrites(config)


def _answers(config: Config) -> bool:
    try:
        request(str(config.socket), "GET", "/healthz", timeout_s=_TIMEOUT_S)
    except NoAgentError:
        return False
    return True


def _open(config: Config) -> Ledger:
    from meter.ledger import Ledger  # noqa: PLC0415 - DuckDB is imported when needed

    return Ledger.open(config.home / LEDGER_NAME, retention_days=config.retention_days)
