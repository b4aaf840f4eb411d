"""Energy of hosted training by tiers of evidence, all that apply side by side; pure, exact.

Facility energy in mJ: servers and cooling are in it. Bounds are products of bounds, no confidence.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.hosted.constants import Band, short
from meter.hosted.evidence import (
    amount_of,
    boards_of,
    duration_of,
    facility_of,
    gpu_seconds_of,
    nodes_of,
)
from meter.hosted.flop import flop_of
from meter.hosted.parameters import parameters_of
from meter.hosted_facts import Estimate, Meter, Training
from meter.model import FactorKind
from meter.units import MJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.hosted.constants import Board, Constants
    from meter.hosted.evidence import Facility
    from meter.hosted_facts import HostedJob

_GPUS_OF_A_NODE = 8
_MOST_MJ = 2**63 - 1
_TERA, _BILLION = 10**12, 10**9
_ONE = Fraction(1)
_BEYOND = "what is told is more than a training can be"


def estimates(job: HostedJob, constants: Constants) -> tuple[Estimate, ...]:
    """Every estimate of a job's energy that its facts allow, the best evidence first.

    Tier 4 stands alone: it says why there is no number, and its zeros are none
    (``Estimate.has_number``).
    """
    made = (
        _of_gpu_seconds(job, constants),
        _of_duration(job, constants),
        _of_tokens(job, constants),
    )
    found = tuple(one for one in made if one is not None and one.high_mj <= _MOST_MJ)
    if found:
        return found
    too_much = any(one is not None for one in made)
    return (_nothing(_BEYOND if too_much else _missing(job, constants), job),)


def gpu_mj(seconds: Fraction, watts: Fraction, ratio: Fraction, pue: Fraction) -> Fraction:
    """Energy of GPU time: the boards', their servers', the facility's."""
    return seconds * watts * ratio * pue * MJ_PER_J


def training_gpu_seconds(flop: Fraction, teraflops: Fraction, mfu: Fraction) -> Fraction:
    """GPU time that arithmetic takes at a share of the peak."""
    return flop / (teraflops * _TERA * mfu)


def _of_gpu_seconds(job: HostedJob, constants: Constants) -> Estimate | None:
    """Tier 1: GPU time that the provider counted, times the boards' power."""
    seconds, around = gpu_seconds_of(job), facility_of(job, constants)
    boards = [one for one in boards_of(job, constants) if one.server_ratio is not None]
    if not seconds or around is None or not boards:
        return None
    parts = [_gpu_part(seconds, board, around) for board in boards]
    named = job.gpus is not None
    of = f"of {boards[0].name}" if named else f"of GPUs not named ({_names(boards)} are taken)"
    return _estimate(
        1,
        parts,
        f"The provider counted {short(seconds)} GPU-seconds {of}; at the boards' power limit, "
        "with the rest of their servers and the facility.",
        (("gpu_seconds", short(seconds)), ("gpus", _names(boards)),
         *_told(boards, around), ("gpu_load", around.load.text)),
        (*(one.watts for one in boards), *_ratios(boards), around.load, around.pue),
    )  # fmt: skip


def _gpu_part(seconds: Fraction, board: Board, around: Facility) -> Band:
    watts, load, ratio, pue = board.watts, around.load, _ratio(board), around.pue
    return Band(
        gpu_mj(seconds, watts.low * load.low, ratio.low, pue.low),
        gpu_mj(seconds, watts.mid * load.mid, ratio.mid, pue.mid),
        gpu_mj(seconds, watts.high * load.high, ratio.high, pue.high),
    )


def _of_duration(job: HostedJob, constants: Constants) -> Estimate | None:
    """Tier 2: a server for as long as the job took. From below, a duration says nothing."""
    told, around = duration_of(job), facility_of(job, constants)
    nodes = [one.node_watts for one in boards_of(job, constants) if one.node_watts is not None]
    if told is None or around is None or not nodes:
        return None
    hours, said = told
    node = max(nodes, key=lambda one: one.high)
    count = _nodes(job, hours)
    most = hours * 3600 * node.high * count * around.pue.high * MJ_PER_J
    what = f"{count} servers" if count > 1 else "one server"
    return Estimate(
        tier=2,
        low_mj=0,
        mid_mj=None,
        high_mj=math.ceil(most),
        reason=(
            f"{said[0].upper()}{said[1:]} took {short(hours)} h: no more than {what} of "
            f"{_GPUS_OF_A_NODE} GPUs at full power for that time, if it did not use more of them; "
            "how much less is not known."
        ),
        inputs=(
            ("hours", short(hours)), ("nodes", str(count)), ("node_watts", short(node.high)),
            ("pue", short(around.pue.high)),
        ),
        factor_ids=_ids((node, around.pue)),
    )  # fmt: skip


def _nodes(job: HostedJob, hours: Fraction) -> int:
    """Servers that a job had at least: those told, for the GPUs told, for the GPU time told."""
    gpus = max(Fraction((job.gpus and job.gpus.count) or 1), gpu_seconds_of(job) / (hours * 3600))
    return max(nodes_of(job), math.ceil(gpus / _GPUS_OF_A_NODE))


def _of_tokens(job: HostedJob, constants: Constants) -> Estimate | None:
    """Tier 3: the arithmetic that tokens and parameters take, at a share of the boards' peak."""
    tokens, size = amount_of(job, Meter.TRAIN_TOKEN), parameters_of(job, constants)
    around = facility_of(job, constants)
    mfu = constants.find(FactorKind.MFU, job.provider)
    flops, assumed = flop_of(job, constants)
    boards = [one for one in boards_of(job, constants) if one.server_ratio and one.teraflops]
    if not tokens or size is None or around is None or mfu is None or not flops or not boards:
        return None
    billions, where = size
    parts = [
        _token_part(tokens * _BILLION, (flop, billions, mfu), board, around.pue)
        for flop in flops
        for board in boards
    ]
    return _estimate(
        3,
        parts,
        f"{short(tokens)} trained tokens times {billions.text} billion parameters ({where})"
        f"{assumed}, on {_names(boards)} at {mfu.text} of their peak, which no provider publishes.",
        (("trained_tokens", short(tokens)), ("parameters_b", billions.text),
         ("flop", _span(flops)), ("mfu", mfu.text), ("gpus", _names(boards)),
         *_told(boards, around)),
        (*flops, billions, mfu, *(one.watts for one in boards), *_ratios(boards),
         *(one.teraflops for one in boards if one.teraflops), around.pue),
    )  # fmt: skip


def _token_part(tokens: Fraction, needed: tuple[Band, Band, Band], board: Board, pue: Band) -> Band:
    """Least: the least arithmetic at the best share of the peak; most: the other ends.

    A board counts at its limit and its peak, which belong together: their bounds are of variants.
    """
    flop, billions, mfu = needed
    ratio, watts = _ratio(board), board.watts.mid
    peak = board.teraflops.mid if board.teraflops else _ONE

    def mj(flop: Fraction, billions: Fraction, mfu: Fraction, around: Fraction) -> Fraction:
        seconds = training_gpu_seconds(flop * billions * tokens, peak, mfu)
        return gpu_mj(seconds, watts, around, _ONE)

    return Band(
        mj(flop.low, billions.low, mfu.high, ratio.low * pue.low),
        mj(flop.mid, billions.mid, mfu.mid, ratio.mid * pue.mid),
        mj(flop.high, billions.high, mfu.low, ratio.high * pue.high),
    )


def _nothing(why: str, job: HostedJob) -> Estimate:
    """Tier 4: no number, and why."""
    return Estimate(4, 0, None, 0, f"No number: {why}.", (("base_model", job.base_model),))


def _missing(job: HostedJob, constants: Constants) -> str:
    """What an estimate by each of the tiers would need."""
    missing = []
    if job.gpus is not None and not boards_of(job, constants):
        missing.append(f"the power of its GPUs ({job.gpus.name[:40]}) is not in the books")
    elif not gpu_seconds_of(job):
        missing.append("no GPU time is told")
    if duration_of(job) is None:
        missing.append("no duration is told")
    if not amount_of(job, Meter.TRAIN_TOKEN):
        missing.append("no trained tokens are told")
    elif job.training is Training.RFT:
        missing.append("tokens do not tell the arithmetic of reinforcement")
    elif parameters_of(job, constants) is None:
        missing.append("the size of its base model is not known")
    return "; ".join(missing) or "the books lack the rows that estimates stand on"


def _estimate(
    tier: int,
    parts: Sequence[Band],
    reason: str,
    inputs: tuple[tuple[str, str], ...],
    bands: Iterable[Band],
) -> Estimate:
    """From the least to the most of what may have been; the middle is the mean of the middles."""
    mid = sum((part.mid for part in parts), Fraction(0)) / len(parts)
    return Estimate(
        tier=tier,
        low_mj=math.floor(min(part.low for part in parts)),
        mid_mj=round(mid),
        high_mj=math.ceil(max(part.high for part in parts)),
        reason=reason,
        inputs=inputs,
        factor_ids=_ids(bands),
    )


def _told(boards: Sequence[Board], around: Facility) -> tuple[tuple[str, str], ...]:
    return (("server_ratio", _span(_ratios(boards))), ("pue", around.pue.text))


def _ratio(board: Board) -> Band:
    return board.server_ratio or Band(_ONE, _ONE, _ONE)


def _ratios(boards: Iterable[Board]) -> list[Band]:
    return [_ratio(board) for board in boards]


def _span(bands: Sequence[Band]) -> str:
    low, high = min(one.low for one in bands), max(one.high for one in bands)
    return Band(low, low, high).text


def _names(boards: Sequence[Board]) -> str:
    return ", ".join(board.name for board in boards)


def _ids(bands: Iterable[Band]) -> tuple[str, ...]:
    """Each row once, sorted."""
    return tuple(sorted({band.factor_id for band in bands if band.factor_id}))
