"""What a job tells of the energy that it used: GPU time, duration, amounts; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.hosted_facts import Meter
from meter.model import FactorKind
from meter.units import US_PER_HOUR, US_PER_S

NODES = "nodes"
"""Told by a job: how many servers it had."""

if TYPE_CHECKING:
    from meter.hosted.constants import Band, Board, Constants
    from meter.hosted_facts import HostedJob


@dataclass(frozen=True, slots=True)
class Facility:
    """What is around the GPUs of a provider."""

    pue: Band
    load: Band


def boards_of(job: HostedJob, constants: Constants) -> tuple[Board, ...]:
    """The board that the provider names; where it names none, those that were usual then."""
    if job.gpus is not None:
        board = constants.board(job.gpus.name, job.provider)
        return (board,) if board else ()
    year = datetime.fromtimestamp(job.created_us // US_PER_S, UTC).year
    return constants.usual_boards(job.provider, year)


def facility_of(job: HostedJob, constants: Constants) -> Facility | None:
    """What is around a provider's GPUs; None where the books lack it."""
    pue = constants.find(FactorKind.PUE, job.provider)
    load = constants.find(FactorKind.GPU_LOAD, job.provider)
    return Facility(pue, load) if pue and load else None


def gpu_seconds_of(job: HostedJob) -> Fraction:
    """GPU time of all GPUs together; 0 where none is told."""
    told = Fraction(job.gpus.seconds) if job.gpus else Fraction(0)
    return told if told > 0 else amount_of(job, Meter.GPU_SECOND)


def duration_of(job: HostedJob) -> tuple[Fraction, str] | None:
    """Hours: those billed, else those between start and end, else since the job was created."""
    hours = amount_of(job, Meter.TRAIN_HOUR)
    if hours:
        return hours, "the training, as billed,"
    end_us, until = (job.ended_us, "") if job.ended_us else (job.seen_us, ", until last seen,")
    start_us, of = job.created_us, "the job with its queue"
    if job.started_us is not None:
        start_us, of = job.started_us, "the job"
    elapsed_us = end_us - start_us
    return (Fraction(elapsed_us, US_PER_HOUR), of + until) if elapsed_us > 0 else None


def nodes_of(job: HostedJob) -> int:
    """Servers that the provider tells; 1 where it tells none."""
    told = dict(job.told).get(NODES, "")
    return max(1, int(told)) if told.isascii() and told.isdecimal() else 1


def amount_of(job: HostedJob, meter: Meter) -> Fraction:
    """What a job has of a meter; 0 where nothing is told."""
    amounts = (one.amount for one in job.quantities if one.meter is meter)
    return sum((Fraction(amount) for amount in amounts if amount is not None), Fraction(0))
