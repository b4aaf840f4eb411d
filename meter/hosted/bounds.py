"""The most that is believed of what a provider tells of a job: more is a mistake; pure.

A number beyond its bound would overflow the ledger or a sum, so its entry is refused, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted_facts import MOST, MOST_OTHER, TOKEN_METERS
from meter.instants import parse_us

if TYPE_CHECKING:
    from meter.hosted_facts import HostedJob, Hosting, Meter


@dataclass(frozen=True, slots=True)
class Bound:
    """Numbers from 0 to below ``end``, which messages call ``shown``."""

    end: Decimal
    shown: str

    @classmethod
    def below(cls, end: Decimal | int) -> Bound:
        """The bound that is shown as it is."""
        return cls(Decimal(end), f"{end:,}")

    def fault(self, value: Decimal) -> str | None:
        """What is wrong with a number, None where it is within."""
        if value < 0:
            return f"is negative: 0 to below {self.shown} is taken"
        return None if value < self.end else f"is {self.shown} or more"


WHOLE = Bound(Decimal(2**63), "2^63")
"""Of what is kept as told."""
TOKENS = Bound.below(MOST)
OTHER = Bound.below(MOST_OTHER)
"""Of hours, GPU-seconds and requests."""
EPOCHS = Bound.below(10**6)
STEPS = Bound.below(10**12)
PARAMETERS = Bound.below(10**14)
"""Of a model: a hundred thousand billions."""
MONEY = Bound.below(10**9)
"""Of one job, in any currency."""
NANOS = Bound.below(10**9)
"""Of a unit of money, beside whole units."""
NANO_MONEY = Bound.below(10**18)
"""Money of one job, told in billionths."""
UNITS = Bound.below(10**6)
"""GPUs or provisioned units of a deployment."""

EARLIEST_US = parse_us("2015-01-01")
LATEST_US = parse_us("2100-01-01")
TIME_FAULT = "is before 2015 or after 2099"


def of_meter(meter: Meter) -> Bound:
    """The bound of a quantity."""
    return TOKENS if meter in TOKEN_METERS else OTHER


def check_job(job: HostedJob) -> None:
    """Raises UsageError, naming what, for a job with a number or an instant out of all bounds."""
    for one in job.quantities:
        if one.amount is not None:
            _check(f"its {one.meter.value}", one.amount, of_meter(one.meter))
    numbers: tuple[tuple[str, Decimal | int | None, Bound], ...] = (
        ("its epochs", job.epochs, EPOCHS),
        ("its steps", job.steps, STEPS),
        ("its billions of parameters", job.parameters_b, Bound.below(PARAMETERS.end / MOST_OTHER)),
        ("its GPU-seconds", job.gpus.seconds if job.gpus else None, OTHER),
        ("its number of GPUs", job.gpus.count if job.gpus else None, UNITS),
        ("what it is billed", job.billed.amount if job.billed else None, MONEY),
        ("what it is estimated to cost", job.estimated.amount if job.estimated else None, MONEY),
    )
    for what, number, bound in numbers:
        _check(what, number, bound)
    points = (one.created_us for one in job.checkpoints)
    for at_us in (job.created_us, job.started_us, job.ended_us, *points):
        _check_time("a time of the job", at_us)


def check_hosting(hosting: Hosting) -> None:
    """Raises UsageError, naming what, for a deployment out of all bounds."""
    _check("its units", hosting.units, UNITS)
    for at_us in (hosting.started_us, hosting.ended_us):
        _check_time("a time of the deployment", at_us)


def _check(what: str, value: Decimal | int | None, bound: Bound) -> None:
    found = None if value is None else bound.fault(Decimal(value))
    if found:
        raise UsageError(f"{what} {found}", "give what the provider told")


def _check_time(what: str, at_us: int | None) -> None:
    if at_us is not None and not EARLIEST_US <= at_us < LATEST_US:
        raise UsageError(f"{what} {TIME_FAULT}", "give what the provider told")
