"""Where commands write to: the agent if its socket answers, else the ledger's file."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from meter.cli.reads import CLOSING_S, LEDGER_NAME, held
from meter.errors import AgentError, LedgerLockedError, UsageError
from meter.factors.rows import RowsError
from meter.faults import Fault
from meter.launch.client import NoAgentError, problem_text, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from meter.config import Config
    from meter.factors.rows import Row
    from meter.hosted_facts import Charge, Usage
    from meter.ledger import Ledger

T = TypeVar("T")

IMPORT_PATH = "/v1/runs/import"
_UNPROCESSABLE = 422
_TIMEOUT_S = 60.0
_AGAIN_S = 0.2
_PART = 1_000  # events of usage in a request


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of rows: ids of those that were news, and how many the ledger knew.

    ``withdrawn`` counts rows of a site's earlier cloud region that were taken back.
    """

    ids: tuple[str, ...]
    known: int
    withdrawn: int = 0
    notices: tuple[str, ...] = ()


class Writes(Protocol):
    """What can be written, through an agent or to a file."""

    def factors(self, rows: Sequence[Row]) -> Taken:
        """Take factors, all or none. Raises RowsError."""

    def prices(self, rows: Sequence[Row]) -> Taken:
        """Take prices, all or none. Raises RowsError."""

    def runs(self, rows: Sequence[Row], timezone: str, project: str | None) -> Taken:
        """Take runs of codecarbon, all or none. Raises RowsError."""

    def charges(self, charges: Sequence[Charge]) -> list[str]:
        """Take charges in one commit; what became of each, as words of ``Outcome``."""

    def usage(self, usages: Sequence[Usage]) -> list[dict[str, Any]]:
        """Take usage; what became of each event, of a conflict with both sides."""


class AgentWrites:
    """Writes through an agent's socket."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def factors(self, rows: Sequence[Row]) -> Taken:
        """Take factors."""
        return self._rows("factors", rows)

    def prices(self, rows: Sequence[Row]) -> Taken:
        """Take prices."""
        return self._rows("prices", rows)

    def runs(self, rows: Sequence[Row], timezone: str, project: str | None) -> Taken:
        """Take runs."""
        body: dict[str, Any] = {"source": "codecarbon", "timezone": timezone, "project": project}
        return self._taken(IMPORT_PATH, {**body, "rows": _cells(rows)}, rows)

    def charges(self, charges: Sequence[Charge]) -> list[str]:
        """Take charges."""
        from meter.hosted.bills.wire import charge_json  # noqa: PLC0415 - only bills need it

        told = [charge_json(one) for one in charges]
        return [str(one["status"]) for one in self._results("/v1/charges", told)]

    def usage(self, usages: Sequence[Usage]) -> list[dict[str, Any]]:
        """Take usage, in parts that fit a request."""
        from meter.hosted.bills.wire import usage_json  # noqa: PLC0415

        events = [usage_json(one) for one in usages]
        parts = (events[n : n + _PART] for n in range(0, len(events), _PART))
        return [one for part in parts for one in self._results("/v1/usage", part)]

    def _results(self, path: str, told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What became of each. Raises AgentError where the agent judges otherwise than we did."""
        results: list[dict[str, Any]] = self.post(path, told).get("results", [])
        words = [one.get("status") for one in results]
        if len(words) != len(told) or not all(words) or "invalid" in words:
            raise AgentError(
                "the agent takes this otherwise than this command does",
                "they are of different versions: start the agent again",
            )
        return results

    def post(self, path: str, body: object) -> dict[str, Any]:
        """The agent's answer. Raises UsageError where it refuses what was sent, AgentError."""
        status, answer = self.ask(path, body)
        if 200 <= status < 300:
            return answer
        said = problem_text(status, answer)
        if 400 <= status < 500:
            raise UsageError(f"the agent refuses: {said}")
        raise AgentError(f"the agent cannot write: {said}", "see its log")

    def get(self, path: str) -> dict[str, Any]:
        """What the agent tells. Raises AgentError."""
        status, answer = request(str(self.config.socket), "GET", path, timeout_s=_TIMEOUT_S)
        if status != 200:
            raise AgentError(f"the agent refuses: {problem_text(status, answer)}", "see its log")
        return answer

    def ask(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        """Status and answer. Raises AgentError where there is none."""
        return request(str(self.config.socket), "POST", path, body, timeout_s=_TIMEOUT_S)

    def _rows(self, book: str, rows: Sequence[Row]) -> Taken:
        return self._taken(f"/v1/{book}", {book: _cells(rows)}, rows)

    def _taken(self, path: str, body: Mapping[str, Any], rows: Sequence[Row]) -> Taken:
        status, answer = self.ask(path, body)
        if status == _UNPROCESSABLE and answer.get("errors"):
            raise _rows_error(answer, rows)
        if not 200 <= status < 300:
            raise AgentError(f"the agent refuses: {problem_text(status, answer)}", "see its log")
        notices = tuple(answer.get("notices", ()))
        return Taken(tuple(answer["ids"]), answer["known"], answer.get("withdrawn", 0), notices)


class FileWrites:
    """Writes to the ledger's file, which this process holds meanwhile."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self.config = config
        self.ledger = ledger

    def factors(self, rows: Sequence[Row]) -> Taken:
        """Take factors."""
        from meter.intake import take_factors  # noqa: PLC0415 - DuckDB is imported when needed

        learned = take_factors(self.ledger, rows, [self.config.site_name])
        ids = tuple(one.id for one in learned.factors)
        return Taken(ids, len(rows) - len(ids), len(learned.withdrawn))

    def prices(self, rows: Sequence[Row]) -> Taken:
        """Take prices."""
        from meter.intake import take_prices  # noqa: PLC0415

        learned = take_prices(self.ledger, rows).prices
        return Taken(tuple(one.id for one in learned), len(rows) - len(learned))

    def runs(self, rows: Sequence[Row], timezone: str, project: str | None) -> Taken:
        """Take runs."""
        from meter.past import RowsTold, take_runs  # noqa: PLC0415

        told = RowsTold(rows, timezone, project)
        taken = take_runs(self.ledger, told, self.config, time.time_ns() // 1_000)
        return Taken(tuple(taken.ids), taken.known, notices=taken.notices)

    def charges(self, charges: Sequence[Charge]) -> list[str]:
        """Take charges."""
        from meter.billing import take_charges  # noqa: PLC0415

        return [one.value for one in take_charges(self.ledger, charges)]

    def usage(self, usages: Sequence[Usage]) -> list[dict[str, Any]]:
        """Take usage."""
        from meter.usage_intake import take_events  # noqa: PLC0415

        return [one.json() for one in take_events(self.ledger, usages)]


def _cells(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(row.cells) for row in rows]


def _rows_error(answer: Mapping[str, Any], rows: Sequence[Row]) -> RowsError:
    """The agent's faults, with the lines of the file."""
    faults = [_fault(one, rows) for one in answer["errors"]]
    return RowsError(faults, more=int(answer.get("more") or 0))


def _fault(told: Mapping[str, Any], rows: Sequence[Row]) -> Fault:
    index, column = told.get("row"), told.get("column")
    row = rows[index] if isinstance(index, int) and 0 <= index < len(rows) else None
    line = row.lines.get(column or "", row.line) if row else None
    return Fault(str(told.get("reason")), index, line, row.named(column) if row else column)


def repeated(config: Config, what: Callable[[Writes], T]) -> T:
    """What is written, once more where the agent went away meanwhile.

    Only for what may be written twice. Raises AgentError, LedgerError.
    """
    try:
        with writes(config) as found:
            return what(found)
    except NoAgentError:
        with writes(config) as found:
            return what(found)


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
