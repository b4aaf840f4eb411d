"""Bills and the ledger: charges are taken, and compared with what usage costs by the books."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter import bill_document
from meter.errors import LedgerError, UsageError
from meter.hosted.bills.line_items import billed_as, metered
from meter.hosting import hostings_of
from meter.instants import parse_us
from meter.ledger.instants import micros
from meter.ledger.learning import DURABLE_S
from meter.missing_prices import missing_prices
from meter.reconciliation import DAY_US, Billed, Computed, Names, reconciled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from meter.hosted_facts import Charge
    from meter.ledger import Ledger
    from meter.ledger.reader import Reader
    from meter.model import Outcome

DAYS = 31
"""How many days are shown if nobody says."""
_MOST_DAYS = 1_100
_NAMES = Names(metered, billed_as)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days, ``to_us`` being the day after the last, of which project, as known when."""

    from_us: int
    to_us: int
    project: str | None = None
    as_of_us: int | None = None

    @classmethod
    def of_query(cls, asked: Mapping[str, str], now_us: int) -> Asked:
        """What a query of /v1/bills asks: from, to, project, as_of. Raises UsageError."""
        to, as_of = asked.get("to"), asked.get("as_of")
        to_us = now_us if to is None else parse_us(to, "to")
        to_us += -to_us % DAY_US
        from_us = to_us - DAYS * DAY_US
        if "from" in asked:
            from_us = parse_us(asked["from"], "from")
            from_us -= from_us % DAY_US
        if from_us >= to_us:
            raise UsageError("from is not before to", "to is the day after the last")
        if to_us - from_us > _MOST_DAYS * DAY_US:
            raise UsageError(f"more than {_MOST_DAYS} days are asked for", "ask for fewer")
        as_of_us = None if as_of is None else parse_us(as_of, "as_of")
        return cls(from_us, to_us, asked.get("project"), as_of_us)


def take_charges(ledger: Ledger, charges: Sequence[Charge]) -> tuple[Outcome, ...]:
    """Write charges, all in one commit; what became of each, once durable. Raises LedgerError."""
    return _durable(ledger.bill(tuple(charges)), ledger) if charges else ()


def _durable(written: Future[tuple[Outcome, ...]], ledger: Ledger) -> tuple[Outcome, ...]:
    try:
        return written.result(DURABLE_S)
    except FutureTimeoutError:
        reason = ledger.health().last_error or "it is busy"
        raise LedgerError(
            f"the ledger has not written the bill in time ({reason}); it may do so later",
            "send it again: a repetition is no news",
        ) from None


def bill_document_of(reader: Reader, asked: Asked) -> dict[str, Any]:
    """What was billed beside what was computed, and idle hosting: ``meter.bill/1``.

    A day more on each side is looked at, so that a job across midnight is understood.
    """
    as_of_us = reader.newest_us() if asked.as_of_us is None else asked.as_of_us
    common = {"project": asked.project, "as_of": as_of_us}
    from_us, to_us = max(0, asked.from_us - DAY_US), asked.to_us + DAY_US
    billed = [
        _billed(row)
        for row in reader.rows("report/billed", from_=from_us, to=to_us, **common)
    ]  # fmt: skip
    from_us = min([from_us, *(one.start_us - one.start_us % DAY_US for one in billed)])
    to_us = max([to_us, *(one.end_us + -one.end_us % DAY_US for one in billed)])
    used = reader.rows("report/computed", from_=from_us, to=to_us, only_run=None, **common)
    found = reconciled(billed, [_computed(row) for row in used], _NAMES)
    span = {"from_": asked.from_us, "to": asked.to_us}
    hosted = hostings_of(reader, {**span, **common})
    lacks = reader.rows("report/missing_prices", **span, **common) if found.unpriced else ()
    days_us = (asked.from_us, asked.to_us)
    return bill_document.document(found, hosted, days_us, as_of_us, missing_prices(lacks))


def _billed(row: Mapping[str, Any]) -> Billed:
    return Billed(
        micros(row["start_at"]), micros(row["end_at"]), row["provider"], row["project"],
        row["line_item"], row["model"], row["currency"], row["amount"],
        int(row["charge_count"]), int(row["credit_count"]),
    )  # fmt: skip


def _computed(row: Mapping[str, Any]) -> Computed:
    return Computed(
        micros(row["day"]), row["provider"], row["project"], row["model"], row["meter"],
        row["currency"], row["amount"], row["quantity"],
        tuple(row["price_ids"].split(",")) if row["price_ids"] else (),
    )  # fmt: skip
