"""Learning of factors and prices: written, waited for, and what of it was news."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from meter.errors import LedgerError
from meter.ledger import rows
from meter.model import Factor, LedgerBatch, Price

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.ledger.ledger import Ledger
    from meter.ledger.reader import Reader

T = TypeVar("T", Factor, Price)

DURABLE_S = 45.0
"""How long is waited for a commit; a big import on a slow disk needs some of it."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The rows that were news, as the ledger keeps them: with their id and instant.

    ``withdrawn`` are what these take the place of, where that had to be said.
    """

    factors: tuple[Factor, ...] = ()
    prices: tuple[Price, ...] = ()
    withdrawn: tuple[Factor, ...] = ()


def learn(
    ledger: Ledger,
    factors: Sequence[Factor] = (),
    prices: Sequence[Price] = (),
    *,
    timeout_s: float = DURABLE_S,
) -> Learned:
    """Write rows whose ``recorded_us`` is 0, all or none; returns what was news, once durable.

    May be called from any thread but the ledger's. Raises LedgerError if it cannot be written.
    """
    with ledger.reader() as reader:
        since_seq = _newest(reader)
    batch = LedgerBatch(factors=tuple(factors), prices=tuple(prices))
    written = ledger.write(batch, urgent=True)
    try:
        written.result(timeout_s)
    except FutureTimeoutError:
        reason = ledger.health().last_error or "it is busy"
        raise LedgerError(
            f"the ledger has not written the rows in time ({reason}); it may do so later",
            "send them again: a repetition is no news",
        ) from None
    with ledger.reader() as reader:
        return Learned(
            _among(factors, factors_since(reader, since_seq)) if factors else (),
            _among(prices, prices_since(reader, since_seq)) if prices else (),
        )


def factors_since(reader: Reader, seq: int) -> list[Factor]:
    """Factors that later commits than this one brought."""
    return [rows.factor_of(row) for row in reader.rows("recovery/factors", since_seq=seq)]


def prices_since(reader: Reader, seq: int) -> list[Price]:
    """Prices that later commits than this one brought."""
    return [rows.price_of(row) for row in reader.rows("recovery/prices", since_seq=seq)]


def _newest(reader: Reader) -> int:
    last = reader.one("recovery/last_commit")
    return int(last["seq"]) if last else 0


def _among(given: Iterable[T], found: Iterable[T]) -> tuple[T, ...]:
    """Those found that say what was given: others may have been written beside them."""
    said = {_said(one) for one in given}
    return tuple(one for one in found if _said(one) in said)


def _said(row: T) -> T:
    return replace(row, id="", recorded_us=0)
