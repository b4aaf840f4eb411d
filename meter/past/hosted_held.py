"""What of a job holds: the amounts that were booked first, whatever its provider tells later; pure.

Its usage is a fact that is never written anew. So its energy is estimated from the same amounts,
and whoever tells others is told both.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.hosted.jobs.billing import NOT_BILLED, with_quantities
from meter.hosted_facts import Meter, Quantity
from meter.model import Notice, Severity
from meter.past.hosted import job_usage, run_id_of
from meter.usage_entries import event_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.hosted_facts import HostedJob

    Amounts = Mapping[Meter, Decimal]

LATER = ":later"
"""After a job's id: its usage as an earlier version booked it, told after an unknown one."""
CONFLICT = "job_told_otherwise"
NOTHING_HELD: Amounts = {}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A job of which other amounts are told than are booked; both in words."""

    run_id: str
    held: str
    told: str

    def notice(self, job: HostedJob) -> Notice:
        """The same where the run is shown, for good."""
        text = (
            f"The provider told other amounts of this job than before: {self.told} instead of"
            f" {self.held}. What was told first holds, in usage, cost and energy; ask the provider"
            " which is right."
        )
        return Notice(CONFLICT, text, Severity.WARNING, self.run_id, at_us=job.seen_us)


def keys_of(job: HostedJob) -> tuple[str, str]:
    """Keys of the events that may have a job's usage."""
    source = f"jobs:{job.provider}"
    return event_key(source, job.id), event_key(source, f"{job.id}{LATER}")


def amounts_by_event(rows: Iterable[Mapping[str, Any]]) -> dict[str, Amounts]:
    """What events have of each meter, by their keys; rows of ``recovery/usage_amounts``."""
    found: defaultdict[str, defaultdict[Meter, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        if row["quantity"] is not None:
            found[row["event_key"]][Meter(row["meter"])] += row["quantity"]
    return {key: dict(amounts) for key, amounts in found.items()}


def as_held(job: HostedJob, held: Amounts) -> HostedJob:
    """The job with the amounts that are booked, by which its energy is estimated."""
    if not held or _told(job) == held:
        return job
    gpus = job.gpus and replace(job.gpus, seconds=held.get(Meter.GPU_SECOND, Decimal(0)))
    quantities = tuple(Quantity(meter, amount) for meter, amount in held.items())
    return replace(with_quantities(job, quantities), gpus=gpus)


def conflict_of(job: HostedJob, held: Amounts) -> Conflict | None:
    """How a job that has ended contradicts what is booked of it; None where it does not.

    One that tells no amounts contradicts nothing, unless it is said to cost nothing now.
    """
    if not held or not job.status.ended:
        return None
    told = _told(job)
    if told == held or not (told or NOT_BILLED in job.flags):
        return None
    words = _words(told) if told else "nothing that is billed"
    return Conflict(run_id_of(job.provider, job.id), _words(held), words)


def _told(job: HostedJob) -> Amounts:
    found: defaultdict[Meter, Decimal] = defaultdict(Decimal)
    for usage in job_usage(job, "", ""):
        for one in usage.quantities:
            if one.amount is not None:
                found[one.meter] += one.amount
    return dict(found)


def _words(amounts: Amounts) -> str:
    return ", ".join(f"{_number(amount)} {meter}" for meter, amount in sorted(amounts.items()))


def _number(amount: Decimal) -> str:
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
