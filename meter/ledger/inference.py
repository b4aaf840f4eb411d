"""Energy of inference, estimated when it is asked for from the ledger's tokens and factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter import inference
from meter.instants import parse_us
from meter.ledger.books import Asked, standing
from meter.ledger.instants import micros

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.ledger.reader import Reader

QUERY = "report/inference"


def listed(reader: Reader, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """An estimate for each project and model; ``asked`` as in a query of /v1/usage.

    Without a row of the energy of a token there is none at all. Raises UsageError for an instant
    that is none.
    """
    span = {
        name: parse_us(asked[word], word)
        for name, word in (("from_", "from"), ("to", "to"))
        if asked.get(word)
    }
    return _estimates(reader, None, {"project": asked.get("project"), **span})


def within(
    reader: Reader, as_of_us: int, project: str | None, span: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Estimates of a project and a span as known at an instant."""
    return _estimates(reader, as_of_us, {"project": project, "as_of": as_of_us, **span})


def of_run(reader: Reader, of_run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Estimates of a run's usage; ``of_run`` are parameters of the query, ``as_of`` among them."""
    names = ("only_run", "as_of", "from", "to")
    params = {"project": None, **{name: of_run[name] for name in names}}
    return _estimates(reader, micros(of_run["as_of"]), params)


def _estimates(
    reader: Reader, as_of_us: int | None, params: Mapping[str, Any]
) -> list[dict[str, Any]]:
    rows = reader.rows(QUERY, **params)
    books = _books(reader, as_of_us) if rows else None
    if books is None or not books.tell:
        return []
    return inference.estimates((_output(row) for row in rows), books)


def _books(reader: Reader, as_of_us: int | None) -> inference.Books:
    return inference.Books.of(
        row
        for kind in inference.KINDS
        for row in standing(reader, Asked(kind=kind.value, as_of_us=as_of_us))
    )


def _output(row: Mapping[str, Any]) -> inference.Output:
    return inference.Output(
        project=row["project"],
        provider=row["provider"],
        model=row["model"],
        base_model=row["base_model"],
        region=row["region"],
        service_tier=row["service_tier"],
        day_us=micros(row["day"]),
        tokens=row["tokens"],
        events=row["event_count"],
    )
