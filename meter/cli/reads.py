"""Where commands read from: the agent if its socket answers, else the ledger's file."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from meter.cli.download import Download
from meter.errors import AgentError, LedgerError, LedgerLockedError, UsageError
from meter.instants import instant, parse_us
from meter.launch.client import NoAgentError, problem_text, request
from meter.summary import IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from meter.config import Config
    from meter.ledger import Reader
    from meter.period_document import Asked

T = TypeVar("T")
Tell = Callable[[str], None]

LEDGER_NAME = "ledger.duckdb"
_TIMEOUT_S = 30.0
_HISTORY_S = 90.0
_LEFT_OUT = b"meter-runs-left-out"
HISTORY = "meter_exporters.openmetrics"
"""Writes history; found by name, because the meter does not depend on its exporters."""
_NOT_FOUND = 404
CLOSING_S = 5.0
"""A private agent closes its ledger within this time of its last run."""


def keeps(status: Mapping[str, Any]) -> bool:
    """Whether an agent of this status keeps what it meters; one with its ledger in memory won't."""
    ledger = status.get("ledger") or {}
    return bool(ledger.get("keeps", ledger.get("path") != IN_MEMORY))


def keeping_nothing(socket: Path) -> str:
    """What is said of an agent that keeps nothing."""
    return f"the agent at {socket} has its ledger in memory: its runs end with it"


class Reads(Protocol):
    """What can be asked, of an agent or a file."""

    def keeps(self) -> bool:
        """Whether what is read is kept."""

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        """The newest runs, each with what it cost."""

    def document(
        self, run: str, as_of: str | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document, by id, unique prefix, name or ``last``; as known at an instant.

        With a currency also all money in that one.
        """

    def series(self, run_id: str, minutes_as_of: str | None = None) -> list[dict[str, Any]]:
        """A run's power over time; with an instant its minutes as known then, not readings."""

    def profile(self, run: str, as_of: str | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour, found like its document."""

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of: str | None = None
    ) -> list[dict[str, Any]]:
        """Factor rows of some scopes that hold between two instants (UTC µs)."""

    def listed(self, book: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of a book, of usage or of estimates; ``asked`` as in a query of /v1/factors."""

    def history(self, factor: str) -> list[dict[str, Any]]:
        """A factor and each row about the same thing, newest first."""

    def bill(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What was billed beside what was computed; ``asked`` as in a query of /v1/bills."""

    def period(self, asked: Asked, as_of: str | None = None) -> dict[str, Any]:
        """Runs side by side, of a project or a period, or those that are named."""

    def openmetrics(self, asked: Mapping[str, str], tell: Tell) -> Iterator[bytes]:
        """History as OpenMetrics, block by block; ``asked`` as in a query of /v1/history.

        ``tell`` gets what is to be said of what is left out, before the first block.
        """


class AgentReads:
    """Reads through an agent's socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)

    def status(self) -> dict[str, Any]:
        """The agent's live state."""
        return self._get("/v1/status")

    def keeps(self) -> bool:
        """Whether the agent keeps what it meters; true of one that does not tell."""
        try:
            return keeps(self.status())
        except (AgentError, UsageError):
            return True

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        """The newest runs."""
        query = {"limit": str(limit)} | ({"project": project} if project else {})
        found: list[dict[str, Any]] = self._get(f"/v1/runs?{urlencode(query)}")["runs"]
        return found

    def document(
        self, run: str, as_of: str | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document, up to date or as known at an instant."""
        asked = {"as_of": as_of, "currency": currency}
        given = {name: value for name, value in asked.items() if value}
        query = f"?{urlencode(given)}" if given else ""
        return self._get(f"/v1/runs/{quote(run, safe='')}{query}")

    def series(self, run_id: str, minutes_as_of: str | None = None) -> list[dict[str, Any]]:
        """A run's power over time."""
        asked = {"minutes": "true", "as_of": minutes_as_of} if minutes_as_of else {}
        query = f"?{urlencode(asked)}" if asked else ""
        path = f"/v1/runs/{quote(run_id, safe='')}/series{query}"
        found: list[dict[str, Any]] = self._get(path)["series"]
        return found

    def profile(self, run: str, as_of: str | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour."""
        query = f"?{urlencode({'as_of': as_of})}" if as_of else ""
        return self._get(f"/v1/runs/{quote(run, safe='')}/profile{query}")

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of: str | None = None
    ) -> list[dict[str, Any]]:
        """Factor rows of some scopes that hold between two instants."""
        asked = [("scope", scope) for scope in scopes]
        asked += [("from", instant(span_us[0])), ("to", instant(span_us[1]))]
        asked += [("as_of", as_of)] if as_of else []
        found: list[dict[str, Any]] = self._get(f"/v1/rates?{urlencode(asked)}")["factors"]
        return found

    def listed(self, book: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of factors, prices or usage."""
        found: list[dict[str, Any]] = self._get(f"/v1/{book}?{urlencode(asked)}")[book]
        return found

    def history(self, factor: str) -> list[dict[str, Any]]:
        """A factor and each row about the same thing."""
        found: list[dict[str, Any]] = self._get(f"/v1/factors/{quote(factor)}")["history"]
        return found

    def bill(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What was billed beside what was computed."""
        return self._get(f"/v1/bills?{urlencode(asked)}")

    def period(self, asked: Asked, as_of: str | None = None) -> dict[str, Any]:
        """Runs side by side."""
        given = {
            "run": list(asked.runs), "project": asked.project, "from": asked.from_,
            "to": asked.to, "as_of": as_of,
        }  # fmt: skip
        query = urlencode({name: word for name, word in given.items() if word}, doseq=True)
        return self._get(f"/v1/period?{query}")

    def openmetrics(self, asked: Mapping[str, str], tell: Tell) -> Iterator[bytes]:
        """History as OpenMetrics."""
        from meter.ledger.history import left_out_text  # noqa: PLC0415

        path = f"/v1/history?{urlencode(asked)}"
        with closing(Download(self._socket, path, timeout_s=_HISTORY_S)) as download:
            for number, block in enumerate(download.blocks()):
                left_out = int(download.fields.get(_LEFT_OUT, b"0"))
                if left_out and not number:
                    tell(left_out_text(left_out))
                yield block

    def _get(self, path: str) -> dict[str, Any]:
        status, answer = request(self._socket, "GET", path, timeout_s=_TIMEOUT_S)
        if status == _NOT_FOUND:
            said = problem_text(status, answer)
            raise UsageError(said, "" if "`meter " in said else "see `meter runs`")
        if not 200 <= status < 300:
            raise AgentError(f"the agent refuses: {problem_text(status, answer)}", "see its log")
        return answer


class FileReads:
    """Reads from the ledger's file, which nobody else holds."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def keeps(self) -> bool:
        """A file does."""
        return True

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        """The newest runs."""
        from meter.ledger import usage  # noqa: PLC0415 - DuckDB is imported when needed

        asked = {"limit": str(limit), **({"project": project} if project else {})}
        return usage.costs(self._reader, asked)

    def document(
        self, run: str, as_of: str | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document."""
        from meter.ledger import reports  # noqa: PLC0415

        as_of_us = parse_us(as_of, "--as-of") if as_of else None
        found = reports.find_run(self._reader, run)
        return reports.run_document(self._reader, found, as_of_us=as_of_us, currency=currency)

    def series(self, run_id: str, minutes_as_of: str | None = None) -> list[dict[str, Any]]:
        """A run's power over time; with an instant its minutes as known then, not readings."""
        from meter.ledger import reports  # noqa: PLC0415

        as_of_us = parse_us(minutes_as_of, "--as-of") if minutes_as_of else None
        points = reports.run_series(
            self._reader, run_id, minutes=minutes_as_of is not None, as_of_us=as_of_us
        )
        return [point_of(point) for point in points]

    def profile(self, run: str, as_of: str | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour."""
        from meter.ledger import profiles, reports  # noqa: PLC0415

        as_of_us = parse_us(as_of, "--as-of") if as_of else None
        found = reports.find_run(self._reader, run)
        return profiles.run_profile(self._reader, found, as_of_us=as_of_us)

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of: str | None = None
    ) -> list[dict[str, Any]]:
        """Factor rows of some scopes that hold between two instants."""
        from meter.ledger import profiles  # noqa: PLC0415

        as_of_us = parse_us(as_of, "--as-of") if as_of else None
        return profiles.factor_rows(self._reader, scopes, span_us, as_of_us=as_of_us)

    def listed(self, book: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of factors, prices or usage."""
        from meter import gpu_time  # noqa: PLC0415
        from meter.ledger import books, inference, usage  # noqa: PLC0415

        lists = {
            "usage": usage.listed, "costs": usage.costs, "inference": inference.listed,
            "gpu_time": gpu_time.listed,
        }  # fmt: skip
        if book in lists:
            return lists[book](self._reader, asked)
        listing = books.factors if book == "factors" else books.prices
        return listing(self._reader, books.Asked.of_query(asked))

    def history(self, factor: str) -> list[dict[str, Any]]:
        """A factor and each row about the same thing."""
        from meter.ledger import books  # noqa: PLC0415

        return books.history(self._reader, factor)

    def bill(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What was billed beside what was computed."""
        from meter import billing  # noqa: PLC0415

        now_us = time.time_ns() // 1_000
        return billing.bill_document_of(self._reader, billing.Asked.of_query(asked, now_us))

    def period(self, asked: Asked, as_of: str | None = None) -> dict[str, Any]:
        """Runs side by side."""
        from meter.period import period_of  # noqa: PLC0415

        return period_of(self._reader, asked, parse_us(as_of, "--as-of") if as_of else None)

    def openmetrics(self, asked: Mapping[str, str], tell: Tell) -> Iterator[bytes]:
        """History as OpenMetrics."""
        from meter.ledger import history  # noqa: PLC0415

        found = history.Asked.of(
            parse_us(asked["from"], "--from"),
            parse_us(asked["to"], "--to"),
            int(asked["step"]),
            runs=asked["runs"] == "true",
        )
        target = {name: asked[name] for name in ("job", "instance") if asked.get(name)}
        write = importlib.import_module(HISTORY).history
        bounds = history.Bounds(left_out=lambda count: tell(history.left_out_text(count)))
        yield from write(history.samples(self._reader, found, bounds), target)


def point_of(point: Any) -> dict[str, Any]:
    """A point of a series as the exporters take it."""
    names = ("device_id", "at_us", "power_w", "energy_j")
    return {name: getattr(point, name) for name in names}


def agent_reads(config: Config) -> AgentReads | None:
    """The agent, if one answers at the socket."""
    try:
        request(str(config.socket), "GET", "/healthz", timeout_s=_TIMEOUT_S)
    except NoAgentError:
        return None
    return AgentReads(config.socket)


class Handover:
    """The agent's answers while it lives, the file's once it went away.

    A private agent ends with its last run, perhaps between two questions.
    """

    def __init__(self, agent: Reads, open_file: Callable[[], Reads]) -> None:
        self._source = agent
        self._open_file = open_file

    def keeps(self) -> bool:
        """Whether what is read is kept."""
        return self._source.keeps()

    def runs(self, limit: int, project: str | None) -> list[dict[str, Any]]:
        """The newest runs."""
        return self._ask(lambda source: source.runs(limit, project))

    def document(
        self, run: str, as_of: str | None = None, currency: str | None = None
    ) -> dict[str, Any]:
        """A run's document."""
        return self._ask(lambda source: source.document(run, as_of, currency))

    def series(self, run_id: str, minutes_as_of: str | None = None) -> list[dict[str, Any]]:
        """A run's power over time; with an instant its minutes as known then, not readings."""
        if minutes_as_of is None:
            return self._ask(lambda source: source.series(run_id))
        return self._ask(lambda source: source.series(run_id, minutes_as_of))

    def profile(self, run: str, as_of: str | None = None) -> dict[str, Any]:
        """A run's energy by device and quarter hour."""
        return self._ask(lambda source: source.profile(run, as_of))

    def factor_rows(
        self, scopes: Sequence[str], span_us: tuple[int, int], as_of: str | None = None
    ) -> list[dict[str, Any]]:
        """Factor rows of some scopes that hold between two instants."""
        return self._ask(lambda source: source.factor_rows(scopes, span_us, as_of))

    def listed(self, book: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of factors, prices or usage."""
        return self._ask(lambda source: source.listed(book, asked))

    def history(self, factor: str) -> list[dict[str, Any]]:
        """A factor and each row about the same thing."""
        return self._ask(lambda source: source.history(factor))

    def bill(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """What was billed beside what was computed."""
        return self._ask(lambda source: source.bill(asked))

    def period(self, asked: Asked, as_of: str | None = None) -> dict[str, Any]:
        """Runs side by side."""
        return self._ask(lambda source: source.period(asked, as_of))

    def openmetrics(self, asked: Mapping[str, str], tell: Tell) -> Iterator[bytes]:
        """History as OpenMetrics; of an agent that went away before its first block, the file's."""

        def begun(source: Reads) -> tuple[bytes, Iterator[bytes]]:
            blocks = source.openmetrics(asked, tell)
            return next(blocks), blocks

        first, rest = self._ask(begun)
        yield first
        yield from rest

    def _ask(self, question: Callable[[Reads], T]) -> T:
        try:
            return question(self._source)
        except NoAgentError:
            self._source = self._open_file()
            return question(self._source)


@contextmanager
def reads(config: Config) -> Iterator[Reads]:
    """The agent if it answers, else the file. Raises AgentError, LedgerError."""
    deadline = time.monotonic() + CLOSING_S
    with ExitStack() as stack:

        def from_file() -> Reads:
            return FileReads(stack.enter_context(open_ledger(config)))

        while True:
            agent = agent_reads(config)
            if agent is not None:
                yield Handover(agent, lambda: patiently(from_file, config))
                return
            try:
                found = from_file()
            except LedgerLockedError as error:
                if time.monotonic() < deadline:  # an agent that is just starting or ending
                    time.sleep(0.2)
                    continue
                raise held(config, error) from error
            yield found
            return


def patiently(open_file: Callable[[], T], config: Config) -> T:
    """The file once the agent that is ending has let go of it."""
    deadline = time.monotonic() + CLOSING_S
    while True:
        try:
            return open_file()
        except LedgerLockedError as error:
            if time.monotonic() >= deadline:
                raise held(config, error) from error
            time.sleep(0.2)


def open_ledger(config: Config) -> Reader:
    """A reader of the ledger's file. Raises LedgerError."""
    path = config.home / LEDGER_NAME
    if not path.exists():
        raise LedgerError(
            f"there is no ledger at {path} yet",
            "meter something first, `meter run -- COMMAND`, or set METER_HOME",
        )
    from meter.ledger import open_reader  # noqa: PLC0415

    return open_reader(path)


def held(config: Config, error: LedgerLockedError) -> LedgerError:
    """The error where a ledger is held by somebody who does not answer."""
    holder = f"process {error.pid}" if error.pid else "another process"
    return LedgerLockedError(
        f"the ledger {config.home / LEDGER_NAME} is held by {holder}, "
        f"and no agent answers at {config.socket}",
        "name that agent's socket with --socket, or wait until it ended",
        pid=error.pid,
    )


def of_document(document: Mapping[str, Any]) -> str:
    """A document's run id."""
    return str(document["run"]["id"])
