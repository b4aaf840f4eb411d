"""Reading: a cursor of one's own, queries by name, typed rows."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import duckdb

from meter.errors import LedgerError
from meter.ledger import store
from meter.ledger.instants import micros, timestamp
from meter.ledger.migrations import check, versions
from meter.ledger.texts import Library, Text, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BEGIN = timestamp(0)
END = datetime(9999, 1, 1)  # noqa: DTZ001 - the ledger's timestamps are naive UTC
_CHUNK = 200  # rows are made while no other thread of the process may run
_READ_ONLY = "BEGIN TRANSACTION READ ONLY"  # no query; the driver's own begin() cannot say it
_READER_LIMIT_MB = 256


@cache
def _parsed() -> dict[str, duckdb.Statement]:
    """Statements of the package's own texts, none but single SELECTs; no connection's."""
    return {}


class Reader:
    """A cursor on the ledger for one thread; a context manager."""

    def __init__(self, con: duckdb.DuckDBPyConnection, library: Library | None = None) -> None:
        self._con = con
        self._load = load if library is None else library.load
        self._own = library is None  # others' texts are without end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, name: str, **params: object) -> list[dict[str, Any]]:
        """All rows of ``queries/<name>.sql``, a dictionary each.

        Instants may be given in µs; ``from_`` stands for ``from``. Of the parameters that the
        query declares, ``as_of`` defaults to the newest commit, ``from`` and ``to`` to all time;
        what narrows lines (``only_run``, ``only_kind``, ``since_seq``) to all of them.
        Raises LedgerError.
        """
        return list(self.stream(name, **params))

    def stream(self, name: str, **params: object) -> Iterator[dict[str, Any]]:
        """Like :meth:`rows`, but one at a time; read it to its end before the next query."""
        text = self._load(name)
        yield from self._run(text, self._values(text, params))

    def plain(self, name: str, **params: object) -> Iterator[tuple[Any, ...]]:
        """Like :meth:`stream`, but only the values, in the order of the query's columns."""
        text = self._load(name)
        for chunk in self._chunks(text, self._values(text, params)):
            yield from chunk

    def _run(self, text: Text, values: dict[str, object]) -> Iterator[dict[str, Any]]:
        names: list[str] = []
        for chunk in self._chunks(text, values):
            names = names or [column[0] for column in self._con.description or ()]
            for row in chunk:
                yield dict(zip(names, row, strict=True))

    def _chunks(self, text: Text, values: dict[str, object]) -> Iterator[list[tuple[Any, ...]]]:
        try:
            self._con.execute(self._statement(text), values)
            while chunk := self._con.fetchmany(_CHUNK):
                yield chunk
        except duckdb.InterruptException as error:
            raise LedgerError(
                f"the query {text.name} took too long and was given up",
                "ask for less: one run, or a shorter time; or ask when the machine is less busy",
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise LedgerError(
                f"the query {text.name} does not fit into the memory that it may have",
                "ask for less: one run, a shorter time or a longer step; or ask when no agent runs:"
                " a question may have more memory then",
            ) from error
        except duckdb.Error as error:
            raise LedgerError(
                f"the query {text.name} failed ({str(error).splitlines()[0]})",
                "try again; if it stays, run `meter doctor`",
            ) from error

    def _statement(self, text: Text) -> duckdb.Statement:
        """The text, parsed: on little data that is a fifth of a report."""
        if (known := _parsed().get(text.sql)) is not None:
            return known
        found = self._con.extract_statements(text.sql)
        if [one.type for one in found] != [duckdb.StatementType.SELECT]:
            raise LedgerError(  # a second one could end the transaction
                f"the text of the query {text.name} is no single SELECT",
                "somebody has changed it: see `meter verify`",
            )
        if self._own:
            _parsed()[text.sql] = found[0]
        return found[0]

    def one(self, name: str, **params: object) -> dict[str, Any] | None:
        """The first row, None if there is none."""
        found = self.rows(name, **params)
        return found[0] if found else None

    def params(self, name: str) -> frozenset[str]:
        """Names of the parameters that a query declares. Raises LedgerError."""
        return frozenset(self._load(name).params)

    def has(self, name: str) -> bool:
        """Whether there is such a query; texts of an earlier version may lack it."""
        try:
            self._load(name)
        except LedgerError:
            return False
        return True

    def newest_us(self) -> int:
        """Instant of the newest commit in µs: no fact in the ledger is newer."""
        last = next(self._run(load("recovery/last_commit"), {}), None)  # no part of a method
        return micros(last["recorded_at"]) if last else 0

    @contextmanager
    def by_texts(self, library: Library) -> Iterator[Reader]:
        """A reader on the same cursor by other texts: they see one state, and can only read it.

        Texts may come from the ledger, where others may have put them.
        """
        with self.snapshot():
            yield Reader(self._con, library)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Queries within see one state of the ledger; not to be nested. Raises LedgerError."""
        self._transact(lambda: self._con.execute(_READ_ONLY))
        try:
            yield
        finally:
            self._transact(self._con.rollback)

    @staticmethod
    def _transact(step: Callable[[], object]) -> None:
        try:
            step()
        except duckdb.Error as error:  # even a rollback wants memory, which others may have taken
            raise LedgerError(
                f"the ledger could not be read ({str(error).splitlines()[0]})",
                "try again; if it stays, run `meter doctor`",
            ) from error

    @contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        """A query within that runs when the limit is over is given up: raises LedgerError."""
        timer = threading.Timer(limit_s, self._con.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # it must not interrupt the next one's query

    def _values(self, text: Text, params: dict[str, object]) -> dict[str, object]:
        given = {name.rstrip("_"): value for name, value in params.items()}
        if unknown := given.keys() - text.params.keys():
            raise LedgerError(
                f"the query {text.name} has no parameter {min(unknown)!r}",
                f"give some of {', '.join(sorted(text.params)) or 'none'}",
            )
        values: dict[str, object] = {}
        for name, kind in text.params.items():
            value = given[name] if name in given else self._default(text.name, name)
            instant = kind == "TIMESTAMP" and isinstance(value, int)
            values[name] = timestamp(value) if instant else value  # type: ignore[arg-type]
        return values

    def _default(self, query: str, name: str) -> object:
        match name:
            case "as_of":
                return self.newest_us()
            case "only_run" | "only_kind" | "since_seq":
                return None
            case "from":
                return BEGIN
            case "to":
                return END
        raise LedgerError(f"the query {query} needs {name!r}", f"give {name}")

    def close(self) -> None:
        """Give the cursor back."""
        self._con.close()


def open_reader(path: Path, *, memory_limit_mb: int = _READER_LIMIT_MB) -> Reader:
    """Reader of a ledger that no agent holds; opens the file read-only.

    Raises LedgerLockedError, LedgerTooNewError, LedgerDamagedError or LedgerError.
    """
    con = store.connect(path, memory_limit_mb=memory_limit_mb, read_only=True)
    try:
        _require_newest(con, path)
    except BaseException:
        con.close()
        raise
    return Reader(con)


def _require_newest(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    if check(con, path) < max(versions()):
        raise LedgerError(
            f"the ledger {path} is of an older version",
            "bring it up to date: meter any run with this version",
        )
