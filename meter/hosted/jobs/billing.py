"""What providers mean by their amounts: hours, money in parts, tokens, and who bills what."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from meter.currencies import fault_of
from meter.errors import UsageError
from meter.hosted.bounds import MONEY, NANOS, check_job
from meter.hosted_facts import JobStatus, Meter, Money, Quantity
from meter.units import US_PER_HOUR, US_PER_S

if TYPE_CHECKING:
    from meter.hosted.jobs.fields import Fields
    from meter.hosted_facts import HostedJob

NOT_BILLED = "not_billed"
"""The provider bills nothing for this job, whatever it counted."""
COMPLETED_STEPS_ONLY = "completed_steps_only"
"""The provider bills what was trained until the job ended."""
BILLING_UNCLEAR = "billing_unclear"
"""The job did not succeed, and nothing public says what is billed then."""
TOKENS_UNKNOWN = "tokens_unknown"
HOURS_UPPER_BOUND = "hours_upper_bound"
"""Only created and finished are known: queueing is inside, so the billed hours are fewer."""
PACKING_OFF = "packing_off"
"""Examples are padded: billed tokens are more than the tokens of the data."""
EPOCHS_UNCLEAR = "epochs_unclear"
"""Nothing public says whether the tokens told contain the epochs."""
ENDED_IS_LAST_UPDATE = "ended_is_last_update"
"""The provider tells no end; the last change of the job stands for it."""
UNKNOWN_STATUS = "unknown_status"
"""A word for the status that is new to us; the job counts as running."""
TIMES_OUT_OF_ORDER = "times_out_of_order"
CREATED_IN_FUTURE = "created_in_future"
"""The provider's clock, or the one here, is wrong."""

_HOUR_S = 3_600
_CENT = Decimal("0.01")
_DAY_US = 24 * US_PER_HOUR
_SKEW_US = 300 * US_PER_S
_LONGEST_US = 100 * _DAY_US  # of a training; no provider's takes weeks


def rft_hours(seconds: Decimal | int) -> Decimal:
    """Hours as reinforcement fine-tuning is billed: to the second, rounded to two decimals."""
    return (Decimal(seconds) / _HOUR_S).quantize(_CENT, ROUND_HALF_UP)


def of_nanos(nanos: int) -> Decimal:
    """An amount that is told in billionths."""
    return Decimal(nanos).scaleb(-9)


def money(fields: Fields, name: str, amount: Decimal | None, currency: str | None) -> Money | None:
    """An amount and its currency; None without an amount; raises UsageError for no currency."""
    if amount is None:
        return None
    if currency is None:
        raise fields.fault(name, "has no currency beside it")
    code = currency.upper()
    if fault_of(code):
        raise fields.fault(name, "is in no currency of ISO 4217")
    return Money(amount, code)


def units_and_nanos(fields: Fields) -> Money | None:
    """Google's way of money: whole units and billionths of one, which are added."""
    units, nanos = fields.whole("units", MONEY), fields.whole("nanos", NANOS)
    if units is None and nanos is None:
        return None
    return money(
        fields, "units", Decimal(units or 0) + of_nanos(nanos or 0), fields.text("currencyCode")
    )


def train_tokens(count: int | None) -> tuple[Quantity, ...]:
    """Billed tokens of training, epochs included; null is unknown and never 0."""
    return () if count is None else (Quantity(Meter.TRAIN_TOKEN, Decimal(count)),)


def checked(job: HostedJob, created: str = "created_at") -> HostedJob:
    """The job with what every provider's jobs have in common.

    One that succeeded without an amount has an unknown one: something was trained. Times that run
    backwards are flagged; a start that cannot be is left out, an end is moved to the creation, or
    to now if it is still to come. Of one that took longer than any training no duration is
    believed: its energy would lie in years that nobody metered.
    Raises UsageError for a job whose creation, in the field ``created``, is more than a day from
    now, and for one with a sum out of all bounds.
    """
    if job.created_us > job.seen_us + _DAY_US:
        raise UsageError(
            f"{created} is more than a day from now", "set this machine's clock, then take it again"
        )
    check_job(job)
    job = _in_order(job)
    if job.quantities or not job.status.ended:
        return job
    if job.status is JobStatus.SUCCEEDED:
        job = replace(job, quantities=(Quantity(Meter.UNKNOWN, None),))
    return flagged(job, TOKENS_UNKNOWN)


def flagged(job: HostedJob, *flags: str) -> HostedJob:
    """The job with more flags, each once."""
    return replace(job, flags=tuple(dict.fromkeys((*job.flags, *flags))))


def with_quantities(job: HostedJob, quantities: tuple[Quantity, ...]) -> HostedJob:
    """The job with amounts learned later, in the place of none or of an unknown one."""
    stale = {TOKENS_UNKNOWN, HOURS_UPPER_BOUND}
    flags = tuple(flag for flag in job.flags if flag not in stale)
    told = tuple(pair for pair in job.told if pair[0] != HOURS_UPPER_BOUND)
    return replace(job, quantities=quantities, flags=flags, told=told)


def _in_order(job: HostedJob) -> HostedJob:
    if job.created_us > job.seen_us + _SKEW_US:
        job = flagged(job, CREATED_IN_FUTURE)
    if job.ended_us is not None and job.ended_us > job.seen_us + _SKEW_US:
        job = flagged(replace(job, ended_us=job.seen_us), TIMES_OUT_OF_ORDER)
    if job.ended_us is not None and job.ended_us < job.created_us:
        job = flagged(replace(job, ended_us=job.created_us), TIMES_OUT_OF_ORDER)
    if job.started_us is not None:
        last_us = job.started_us if job.ended_us is None else job.ended_us
        if not job.created_us <= job.started_us <= last_us:
            job = flagged(replace(job, started_us=None), TIMES_OUT_OF_ORDER)
    begin_us = job.created_us if job.started_us is None else job.started_us
    if job.ended_us is not None and job.ended_us - begin_us > _LONGEST_US:
        job = flagged(replace(job, started_us=job.ended_us), TIMES_OUT_OF_ORDER)
    return job
