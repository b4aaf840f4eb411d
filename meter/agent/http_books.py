"""The routes of the books: lists of facts, and rows that are taken all or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from meter.factors.rows import BYTES
from meter.instants import parse_us
from meter.ledger.books import MOST, Asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

    from meter.ledger.learning import Learned

LARGER = {"/v1/factors": 2 * BYTES, "/v1/prices": 2 * BYTES}
"""Routes whose bodies may be larger than others: a year of hours is one."""
_LIMIT = 1_000
_TAKEN: dict[int | str, dict[str, Any]] = {
    201: {"description": "Durable; `new` of them were news, the others the ledger knew"},
    422: {"description": "Some are wrong, `errors` tells each: nothing was written"},
}
_Word = Annotated[str | None, Query(max_length=200)]
_Limit = Annotated[int, Query(ge=1, le=MOST)]
_All = Annotated[bool, Query(alias="all")]


class FactorRows(BaseModel):
    """Rows by column, as in a sheet of factors."""

    model_config = ConfigDict(extra="forbid")
    factors: list[dict[str, Any]]


class PriceRows(BaseModel):
    """Rows by column, as in a sheet of prices."""

    model_config = ConfigDict(extra="forbid")
    prices: list[dict[str, Any]]


class Books(Protocol):
    """What these routes ask."""

    def factors(self, asked: Asked) -> list[dict[str, Any]]:
        """Rows of the factor book."""

    def prices(self, asked: Asked) -> list[dict[str, Any]]:
        """Rows of the price book."""

    def history(self, text: str) -> list[dict[str, Any]]:
        """Every row about the same thing as a factor."""

    def take_factors(self, rows: Sequence[Mapping[str, Any]]) -> Learned:
        """Learn factors, all or none; what was news, and what is withdrawn for it."""

    def take_prices(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Learn prices, all or none; ids of what was news."""


def add_books(app: FastAPI, books: Books) -> None:
    """Add the routes."""

    @app.get("/v1/factors")
    def factors(
        kind: _Word = None,
        scope: _Word = None,
        book: _Word = None,
        as_of: Annotated[str | None, Query(max_length=40)] = None,
        everything: _All = False,  # noqa: FBT002  a query parameter
        limit: _Limit = _LIMIT,
    ) -> Response:
        """List factors that stand, or with `all` each one; as known at `as_of`."""
        asked = Asked(
            kind=kind,
            scope=scope,
            book=book,
            as_of_us=_instant(as_of),
            everything=everything,
            limit=limit,
        )
        return JSONResponse({"factors": books.factors(asked)})

    @app.post("/v1/factors", status_code=201, responses=_TAKEN)
    def take_factors(rows: FactorRows) -> Response:
        """Take factors into the book `import`: all of them, or none."""
        learned = books.take_factors(rows.factors)
        ids = [factor.id for factor in learned.factors]
        return _taken(ids, len(rows.factors), len(learned.withdrawn))

    @app.get("/v1/factors/{factor_id:path}")
    def history(factor_id: str) -> Response:
        """Give a factor, and each row about the same thing, newest first."""
        return JSONResponse({"history": books.history(factor_id)})

    @app.get("/v1/prices")
    def prices(
        provider: _Word = None,
        model: _Word = None,
        as_of: Annotated[str | None, Query(max_length=40)] = None,
        everything: _All = False,  # noqa: FBT002  a query parameter
        limit: _Limit = _LIMIT,
    ) -> Response:
        """List prices that stand, or with `all` each one; as known at `as_of`."""
        asked = Asked(
            provider=provider,
            model=model,
            as_of_us=_instant(as_of),
            everything=everything,
            limit=limit,
        )
        return JSONResponse({"prices": books.prices(asked)})

    @app.post("/v1/prices", status_code=201, responses=_TAKEN)
    def take_prices(rows: PriceRows) -> Response:
        """Take prices into the book `import`: all of them, or none."""
        return _taken(books.take_prices(rows.prices), len(rows.prices))


def _taken(ids: list[str], given: int, withdrawn: int = 0) -> Response:
    told = {"new": len(ids), "known": given - len(ids), "ids": ids}
    return JSONResponse({**told, "withdrawn": withdrawn} if withdrawn else told, 201)


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_us(text, "as_of")
