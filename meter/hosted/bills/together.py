"""What Together billed for fine-tunes: the total price of its jobs, in nano-dollars; pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from meter.faults import Fault
from meter.hosted.bills.rows import BillError, BillRow, refused
from meter.hosted.bills.wanted import Sheet, Wanted, without_none
from meter.hosted.jobs import together
from meter.hosted.jobs.importing import jobs_of
from meter.instants import instant
from meter.units import US_PER_S

if TYPE_CHECKING:
    from meter.hosted_facts import HostedJob

SOURCE = "together-jobs"
LINE_ITEM = "fine-tuning"
"""Our word: Together gives a job's price in one number."""
_LEFT = {
    "open": "{n} not ended yet: their price can still change, so they are left out.",
    "unpriced": "{n} without total_price: import the jobs in full, not as a list.",
}


def sheet(text: str, wanted: Wanted, now_us: int) -> Sheet:
    """A charge for each job that ended and has a price. Raises BillError.

    The day on which Together books a job is not known: a charge spans the job.
    """
    jobs, faults = jobs_of(text, together.PROVIDER, now_us)
    if faults:
        raise BillError([_fault(one.place, one.what, one.message) for one in faults])
    left = Counter(
        "open" if not job.status.ended else "unpriced" for job in jobs if job.billed is None
    )
    rows = tuple(_row(job, wanted) for job in jobs if job.billed is not None)
    notices = tuple(_LEFT[why].format(n=_jobs(count)) for why, count in sorted(left.items()))
    if not rows:
        raise refused(f"there is no job with a final price in it. {' '.join(notices)}".strip())
    return Sheet(rows, notices=notices)


def _fault(place: int, what: str, message: str) -> Fault:
    return Fault(message, None if what == "line" else place - 1, place if what == "line" else None)


def _jobs(count: int) -> str:
    return f"{count:,} job{'' if count == 1 else 's'}"


def _row(job: HostedJob, wanted: Wanted) -> BillRow:
    start_us = job.created_us if job.started_us is None else job.started_us
    end_us = max(job.ended_us or 0, start_us + US_PER_S)
    money = job.billed
    cells = {
        "source": SOURCE,
        "id": job.id,
        "provider": wanted.provider,
        "start": instant(start_us),
        "end": instant(end_us),
        "amount": None if money is None else f"{money.amount:f}",
        "currency": None if money is None else money.currency,
        "line_item": LINE_ITEM,
        "project": wanted.project_of(None),
        "model": job.base_model,
        "job": job.id,
    }
    tokens = next((one.amount for one in job.quantities), None)
    if tokens is not None:
        cells |= {"quantity": f"{tokens:f}", "unit": "tokens"}
    return BillRow(without_none(cells), names={"amount": "total_price"})
