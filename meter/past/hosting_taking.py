"""Hours of deployed models into the ledger: each day once, as it was told first."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.errors import LedgerError
from meter.model import Outcome
from meter.past.hosted import hosting_usage
from meter.usage_entries import event_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from meter.hosted_facts import Hosting, Usage
    from meter.ledger import Ledger

_DURABLE_S = 20.0


@dataclass(frozen=True, slots=True)
class OtherHours:
    """Days of a deployment of which other hours follow from what is told now than are booked."""

    id: str
    days: int
    held: str
    told: str


@dataclass(slots=True)
class HoursTaken:
    """Days of hosting that were news, that were known, and those that are booked otherwise."""

    new: int = 0
    known: int = 0
    others: list[OtherHours] = field(default_factory=list)


def take_hours(
    ledger: Ledger, hosting: Sequence[Hosting], project: str, seen_us: int
) -> HoursTaken:
    """Book the days of deployments, durably; what is booked holds. Raises LedgerError."""
    taken = HoursTaken()
    told = [(one, usage) for one in hosting for usage in hosting_usage(one, project, seen_us)]
    if not told:
        return taken
    outcomes = awaited(ledger.take(tuple(usage for _, usage in told)))
    taken.new = outcomes.count(Outcome.STORED)
    taken.known = len(outcomes) - taken.new
    others: defaultdict[str, list[Usage]] = defaultdict(list)
    for (one, usage), outcome in zip(told, outcomes, strict=True):
        if outcome is Outcome.CONFLICT:
            others[one.id].append(usage)
    taken.others += [_other(ledger, name, usages) for name, usages in others.items()]
    return taken


def _other(ledger: Ledger, name: str, usages: Sequence[Usage]) -> OtherHours:
    """Both sides: the hours that are booked of these days, and those that follow now."""
    keys = ",".join(event_key(one.source, one.id) for one in usages)
    with ledger.reader() as reader:
        rows = reader.rows("recovery/usage_amounts", keys=keys)
    held = sum((row["quantity"] or Decimal(0) for row in rows), Decimal(0))
    told = sum((one.quantities[0].amount or Decimal(0) for one in usages), Decimal(0))
    return OtherHours(name, len(usages), f"{held.normalize():f}", f"{told.normalize():f}")


def awaited(future: Future[Any]) -> tuple[Outcome, ...]:
    """What became of something once it is durable. Raises LedgerError where that takes too long."""
    try:
        return future.result(_DURABLE_S) or ()
    except FutureTimeoutError:
        raise LedgerError(
            "the ledger has not written the jobs in time; it may do so later", "do the same again"
        ) from None
