"""Energy of GPU time that a provider told as usage, and that is of no job; pure.

It is tier 1 of the evidence: GPU-seconds by type of GPU. Modelled, never measured, facility
included, and in no sum: the same time may be a job's that is estimated by other evidence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.hosted.energy import estimates
from meter.hosted_facts import Gpus, HostedJob, JobStatus, Meter, Quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meter.hosted.constants import Constants
    from meter.hosted_facts import Estimate

_GPUS = ("accelerator_type", "accelerator", "gpu")
"""Words that providers have for the type of their GPUs."""
_MJ_PER_J = 1_000


@dataclass(frozen=True, slots=True)
class GpuTime:
    """GPU time of a model in one UTC day; ``gpus`` is the provider's word, None if not told."""

    project: str
    provider: str
    model: str
    region: str | None
    gpus: str | None
    day_us: int
    seconds: Decimal
    events: int


def gpus_told(told: str | None) -> str | None:
    """The type of GPU in what a provider told besides (a JSON object)."""
    words: Mapping[str, Any] = json.loads(told) if told else {}
    return next((str(words[name]) for name in _GPUS if words.get(name)), None)


def gpu_time_estimates(
    times: Iterable[GpuTime], constants_at: Callable[[int], Constants]
) -> list[dict[str, Any]]:
    """An estimate for each project, model, region and type of GPU, in the order given.

    The joules are None where nothing is known of the GPUs: ``reason`` says what is missing.
    """
    groups: dict[tuple[str | None, ...], list[GpuTime]] = {}
    for one in times:
        key = (one.project, one.provider, one.model, one.region, one.gpus)
        groups.setdefault(key, []).append(one)
    return [_estimate(days, constants_at) for days in groups.values()]


def _estimate(days: Sequence[GpuTime], constants_at: Callable[[int], Constants]) -> dict[str, Any]:
    found = [estimates(_as_job(day), constants_at(day.day_us))[0] for day in days]
    first = days[0]
    known = all(one.has_number for one in found)
    return {
        "project": first.project,
        "provider": first.provider,
        "model": first.model,
        "region": first.region,
        "gpus": first.gpus,
        "gpu_seconds": float(sum(day.seconds for day in days)),
        "events": sum(day.events for day in days),
        "tier": 1 if known else 4,
        "method": "modelled",
        **(_joules(found) if known else {"value_j": None, "low_j": None, "high_j": None}),
        "reason": next((one.reason for one in found if not one.has_number), _reason(days)),
        "inputs": {name: text for name, text in found[-1].inputs if name != "gpu_seconds"},
        "factors": sorted({id_ for one in found for id_ in one.factor_ids}) if known else [],
    }


def _reason(days: Sequence[GpuTime]) -> str:
    seconds = sum((day.seconds for day in days), Decimal(0)).normalize()
    return (
        f"{seconds:f} GPU-seconds told as usage, of {days[0].gpus or 'GPUs not named'}; at the "
        "boards' power limit, with the rest of their servers and the facility."
    )


def _joules(found: Sequence[Estimate]) -> dict[str, float]:
    return {
        "value_j": sum(one.mid_mj or 0 for one in found) / _MJ_PER_J,
        "low_j": sum(one.low_mj for one in found) / _MJ_PER_J,
        "high_j": sum(one.high_mj for one in found) / _MJ_PER_J,
    }


def _as_job(time: GpuTime) -> HostedJob:
    """The time as that of a job of which nothing else is told."""
    return HostedJob(
        provider=time.provider,
        id=time.model,
        status=JobStatus.SUCCEEDED,
        provider_status="",
        created_us=time.day_us,
        seen_us=time.day_us,
        base_model=time.model,
        quantities=(Quantity(Meter.GPU_SECOND, time.seconds),),
        gpus=None if time.gpus is None else Gpus(time.gpus, time.seconds),
    )
