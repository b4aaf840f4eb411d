"""OpenAI's own count of tokens by day: pages of ``GET /v1/organization/usage/completions``; pure.

Source: API reference and types of the openai package 3.54.0. ``input_tokens`` has what came from
the cache and what was written to it; a batch has its own results. Ids of users and keys are left
alone. A day that is not over is left out: an event stands for what will not change.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from meter.errors import UsageError
from meter.faults import Fault
from meter.hosted.bills.openai import buckets, unfinished
from meter.hosted.bills.rows import BillError, derived_id, refused
from meter.hosted.bills.wanted import Sheet
from meter.hosted.models import base_model
from meter.hosted_facts import Meter, Quantity, Usage
from meter.instants import instant

if TYPE_CHECKING:
    from meter.hosted.bills.wanted import Wanted
    from meter.hosted.jobs.fields import Fields

SOURCE = "openai-usage"
PATH = "/v1/organization/usage/completions"
RESULT = "organization.usage.completions.result"
_BATCH = "batch"
_UNGROUPED = (
    "is not told: ask with group_by=project_id, model, batch and service_tier, "
    "or no price would fit"
)
_NOTICE = (
    "OpenAI's own count of tokens is taken as usage. "
    "The same requests told from elsewhere as well would count twice."
)


class _Key(NamedTuple):
    """What one event is about."""

    start_us: int
    end_us: int
    project: str | None
    model: str
    tier: str | None


def is_usage(value: object) -> bool:
    """Whether a JSON value is pages of usage."""
    try:
        results = (one for bucket in buckets(value) for one in bucket.items("results"))
        first = next(results, None)
        return first is not None and first.text("object") == RESULT
    except UsageError:
        return False


def sheet(value: object, wanted: Wanted, now_us: int) -> Sheet:
    """Usage of a page or several: each day that is over, project, model and tier once.

    Raises BillError naming the field that is wrong.
    """
    sums: defaultdict[_Key, defaultdict[Meter, int]] = defaultdict(lambda: defaultdict(int))
    try:
        for number, bucket in enumerate(buckets(value)):
            start_us = bucket.needed_instant_us("start_time")
            end_us = bucket.needed_instant_us("end_time")
            for result in bucket.items("results"):
                result.one_of("object", RESULT)
                key = _Key(start_us, end_us, result.text("project_id"), *_sort(result, number))
                for meter, count in _counts(result).items():
                    sums[key][meter] += count
    except UsageError as error:
        raise refused(error.message) from None
    usages = (
        _usage(key, meter, count, wanted)
        for key, counts in sums.items()
        if key.end_us <= now_us
        for meter, count in counts.items()
        if count
    )
    return Sheet(usages=tuple(usages), notices=(_NOTICE, *unfinished(value)))


def _sort(result: Fields, number: int) -> tuple[str, str | None]:
    """Model and tier; a batch is a tier of its own, whatever tier is told beside."""
    model = result.text("model")
    if model is None:
        raise BillError([Fault(_UNGROUPED, number, None, "model")])
    return model, _BATCH if result.truth("batch") else result.text("service_tier")


def _counts(result: Fields) -> dict[Meter, int]:
    """Disjoint meters: audio, cache and the rest of the input; audio and the rest of the output."""

    def told(name: str) -> int:
        return result.whole(name) or 0

    cached, written = told("input_cached_tokens"), told("input_cache_write_tokens")
    rest, said = told("input_tokens") - cached - written, told("output_tokens")
    if rest < 0:
        raise result.fault("input_tokens", "is less than what came from the cache or went there")
    heard = min(told("input_audio_tokens"), rest)  # some of it may be from the cache
    spoken = min(told("output_audio_tokens"), said)
    return {
        Meter.INPUT: rest - heard, Meter.CACHED_INPUT: cached, Meter.CACHE_WRITE: written,
        Meter.INPUT_AUDIO: heard, Meter.OUTPUT: said - spoken, Meter.OUTPUT_AUDIO: spoken,
    }  # fmt: skip


def _usage(key: _Key, meter: Meter, count: int, wanted: Wanted) -> Usage:
    about = derived_id(instant(key.start_us), key.project, key.model, key.tier)
    return Usage(
        source=SOURCE,
        id=f"{about}:{meter.value}",
        at_us=key.start_us,
        provider=wanted.provider,
        model=key.model,
        quantities=(Quantity(meter, Decimal(count)),),
        base_model=base_model(key.model),
        project=wanted.project_of(key.project),
        service_tier=None if key.tier is None else key.tier.lower(),
    )
