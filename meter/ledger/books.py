"""The books as they are listed: rows as JSON has them, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.errors import UsageError
from meter.instants import parse_us
from meter.ledger.rows import factor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.ledger.reader import Reader
    from meter.model import Factor

MOST = 100_000
"""Most rows of one list."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows of a book: None is any; without ``everything`` only those that stand."""

    kind: str | None = None
    scope: str | None = None
    book: str | None = None
    provider: str | None = None
    model: str | None = None
    as_of_us: int | None = None
    everything: bool = False
    limit: int = MOST

    @classmethod
    def of_query(cls, asked: Mapping[str, str]) -> Asked:
        """What a query of /v1/factors or /v1/prices asks. Raises UsageError."""
        as_of = asked.get("as_of")
        return cls(
            kind=asked.get("kind"),
            scope=asked.get("scope"),
            book=asked.get("book"),
            provider=asked.get("provider"),
            model=asked.get("model"),
            as_of_us=None if as_of is None else parse_us(as_of, "as_of"),
            everything=asked.get("all") == "true",
            limit=min(int(asked.get("limit", MOST)), MOST),
        )


def factors(reader: Reader, asked: Asked) -> list[dict[str, Any]]:
    """Rows of the factor book."""
    return [factor_json(row) for row in _factors(reader, asked)]


def standing(reader: Reader, asked: Asked) -> list[Factor]:
    """Rows of the factor book, as factors."""
    return [factor_of(row) for row in _factors(reader, asked)]


def _factors(reader: Reader, asked: Asked) -> list[dict[str, Any]]:
    return reader.rows(
        "report/factors",
        kind=asked.kind,
        scope=asked.scope,
        book=asked.book,
        everything=asked.everything,
        limit=asked.limit,
        **_as_of(asked),
    )


def prices(reader: Reader, asked: Asked) -> list[dict[str, Any]]:
    """Rows of the price book."""
    found = reader.rows(
        "report/prices",
        provider=asked.provider,
        model=asked.model,
        everything=asked.everything,
        limit=asked.limit,
        **_as_of(asked),
    )
    return [_json(row, money=True) for row in found]


def history(reader: Reader, text: str) -> list[dict[str, Any]]:
    """Every row about the same thing as the factor that a text means, newest first.

    The first key of each, ``meant``, tells which one was meant. Raises UsageError if none, or
    several, are meant.
    """
    ids = [str(row["id"]) for row in reader.rows("report/find_factors", text=text)]
    if text in ids:
        ids = [text]
    if not ids:
        raise UsageError(f"there is no factor {text!r}", "`meter factors list --all` lists them")
    if len(ids) > 1:
        some = ", ".join(ids[:_SHOWN])
        raise UsageError(f"{text!r} may mean {some}", "give more of its id")
    found = reader.rows("report/factor_history", id=ids[0])
    return [{"meant": row["id"] == ids[0], **factor_json(row)} for row in found]


def site_ids(reader: Reader) -> list[str]:
    """Sites that the ledger knows."""
    return [str(row["id"]) for row in reader.rows("report/sites")]


def factor_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A factor as documents have it, with all that the book knows of it."""
    return _json(row, money=row["currency"] is not None)


def _json(row: Mapping[str, Any], *, money: bool) -> dict[str, Any]:
    names = {"amount": "value", "evidence_rank": "rank"}
    found = {
        names.get(name, name): _plain(value, money=money and name in {"amount", "low", "high"})
        for name, value in row.items()
    }
    recorded: datetime = row["recorded_at"]  # always as long: these are compared as text
    return {**found, "recorded_at": f"{recorded.isoformat(timespec='microseconds')}Z"}


def _plain(value: object, *, money: bool) -> object:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}Z"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if money else float(value)
    return value


def _as_of(asked: Asked) -> dict[str, int]:
    return {} if asked.as_of_us is None else {"as_of": asked.as_of_us}
