"""What is stated of a run that was not metered, and how much GPU time and power that is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from meter import limits
from meter.errors import UsageError
from meter.instants import parse_us
from meter.past.amounts import Range, number, whole
from meter.past.power import Power, power_of
from meter.units import US_PER_HOUR

_LONGEST_H = Decimal(366 * 24)  # longer ones are booked in parts: 96 rows a day
_US_PER_DAY = 24 * US_PER_HOUR

GPU_HOURS = Range("gpu-hours", "h", Decimal("0.000001"), Decimal(10) ** 9)
WALL_HOURS = Range("wall-hours", "h", Decimal("0.000001"), _LONGEST_H)
COUNT = Range("count", "GPUs", Decimal(1), Decimal(10) ** 6, "count the GPUs of the run")
WATTS = Range("watts", "W", Decimal(1), Decimal(5_000), "give the mean power of one GPU, in watts")


@dataclass(frozen=True, slots=True)
class Statement:
    """A run as it is told: texts, as they were written; None is "not told".

    ``gpu_hours`` are of all GPUs together, ``watts`` and ``gpu`` of one. Amounts may have bounds,
    ``VALUE:LOW:HIGH``: watts, pue (facility over IT energy), intensity (g/kWh), price (of a kWh)
    and gpu_rate (of a GPU-hour).
    """

    name: str
    gpu_hours: str | None = None
    wall_hours: str | None = None
    count: str | None = None
    watts: str | None = None
    gpu: str | None = None
    start: str | None = None
    end: str | None = None
    pue: str | None = None
    intensity: str | None = None
    zone: str | None = None
    price: str | None = None
    gpu_rate: str | None = None
    currency: str | None = None
    project: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """When a run was; of equal instants, how long it took is not known."""

    start_us: int
    end_us: int
    dated: bool  # whether the statement says when

    @property
    def timed(self) -> bool:
        """Whether it is known how long it took."""
        return self.end_us > self.start_us


@dataclass(frozen=True, slots=True)
class Effort:
    """GPU time, power and span of a run."""

    gpu_hours: Fraction
    count: int | None
    power: Power
    span: Span


def effort_of(stated: Statement, now_us: int) -> Effort:
    """How much a run was, at an instant that is now; raises UsageError where that is not clear."""
    _refuse_ambiguous(stated)
    count = None if stated.count is None else whole(stated.count, COUNT)
    span = span_of(stated, now_us)
    if stated.gpu_hours is not None:
        hours = Fraction(number(stated.gpu_hours, GPU_HOURS))
    else:
        hours = Fraction((count or 0) * (span.end_us - span.start_us), US_PER_HOUR)
    if span.timed and hours * US_PER_HOUR > COUNT.most * (span.end_us - span.start_us):
        raise UsageError(
            "the gpu-hours are those of more than a million GPUs at once",
            "check gpu-hours and wall-hours",
        )
    return Effort(hours, count, power_of(stated.watts, stated.gpu, WATTS), span)


def _refuse_ambiguous(stated: Statement) -> None:
    """Two ways to say one thing, or none."""
    timed = stated.wall_hours is not None or (stated.start is not None and stated.end is not None)
    if stated.gpu_hours is not None and stated.count is not None:
        raise UsageError(
            "gpu-hours and count are both given, so the gpu-hours may be of one GPU or of all",
            "give gpu-hours of all GPUs together, or wall-hours and count",
        )
    if stated.gpu_hours is None and not (timed and stated.count is not None):
        raise UsageError(
            "how long GPUs worked is not known",
            "give gpu-hours, or count with wall-hours or with start and end",
        )
    if stated.wall_hours is not None and stated.start is not None and stated.end is not None:
        raise UsageError("start, end and wall-hours are all given", "leave one of them out")
    if stated.end is not None and stated.start is None and stated.wall_hours is None:
        raise UsageError("an end without a start or wall-hours says too little", "give one of them")
    if stated.intensity is not None and stated.zone is not None:
        raise UsageError("intensity and zone are both given", "give one of them")


def span_of(stated: Statement, now_us: int) -> Span:
    """When the run was; without a date, it is taken to have ended now. Raises UsageError."""
    start = None if stated.start is None else parse_us(stated.start, "start")
    end = None if stated.end is None else parse_us(stated.end, "end")
    length = 0
    if stated.wall_hours is not None:
        length = int(number(stated.wall_hours, WALL_HOURS) * US_PER_HOUR)
    if start is not None:
        span = Span(start, start + length if end is None else end, dated=True)
        if end is not None and end <= start:
            raise UsageError("the run ends before it starts", "check start and end")
    else:
        last = now_us if end is None else end
        span = Span(last - length, last, dated=end is not None)
    check_span(span, now_us)
    return span


def check_span(span: Span, now_us: int) -> None:
    """Raises UsageError for a run before 1970, in the future, or of more than a year."""
    if span.start_us < 0:
        raise UsageError("the run starts before 1970", "check start, end and wall-hours")
    if max(span.start_us, span.end_us) > now_us + _US_PER_DAY:
        raise UsageError(
            "the run lies in the future", "book it when it is over, or meter it with `meter run`"
        )
    if span.end_us - span.start_us > _LONGEST_H * US_PER_HOUR:
        raise UsageError(
            "the run takes more than a year", "check start and end, or book it in parts"
        )


def checked_tags(stated: Statement) -> tuple[tuple[str, str], ...]:
    """Tags in their order; raises UsageError."""
    if len(dict(stated.tags)) != len(stated.tags):
        raise UsageError("a tag is given twice", "name each tag once")
    limits.check_tags(dict(stated.tags))
    return tuple(sorted(stated.tags))
