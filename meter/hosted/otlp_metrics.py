"""OTLP's GenAI metrics as usage: what counts since the last time, and what counts in all; pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from meter.errors import UsageError
from meter.hosted import moments, numbers
from meter.hosted.models import base_model
from meter.hosted.otlp_attributes import (
    MODEL,
    OPERATION,
    PROJECT,
    PROVIDER,
    RUN,
    SOURCE,
    TIER,
    Attributes,
    attributes,
    project,
    provider_and_model,
    run,
    scoped,
    text,
    tier,
    us_of,
)
from meter.hosted.responses import fields
from meter.hosted.tokens import Tokens, split
from meter.hosted_facts import Meter, Quantity, Usage, as_told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HISTOGRAM: Final = "gen_ai.client.token.usage"
_NEW: Final = "gen_ai.client.inference.usage."
_COUNTERS = MappingProxyType(
    {
        f"{_NEW}input_tokens": "input",
        f"{_NEW}output_tokens": "output",
        f"{_NEW}cache_read.input_tokens": "cached",
        f"{_NEW}cache_write.input_tokens": "written",
    }
)
_IGNORED = MappingProxyType(
    {
        f"{_NEW}reasoning.output_tokens": "is inside output_tokens",
        "gen_ai.client.inference.operation.input_tokens": "shows sizes; counters are beside it",
        "gen_ai.client.inference.operation.output_tokens": "shows sizes; counters are beside it",
    }
)
_TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  an attribute's name
_MODALITY = "gen_ai.token.modality"
_TYPES = MappingProxyType({"input": "input", "output": "output", "completion": "output"})
_OF_POINTS = frozenset({
    *PROVIDER, *MODEL, *TIER, OPERATION, PROJECT, RUN, _TOKEN_TYPE, _MODALITY,
    "server.address", "server.port",
})  # fmt: skip
_OF_RESOURCES = frozenset({
    PROJECT, RUN, "service.name", "service.namespace", "service.instance.id", "host.name",
    "process.pid", "k8s.pod.name",
})  # fmt: skip
_NAME_CHARS = 100
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


@dataclass(frozen=True, slots=True)
class Series:
    """A counter as it stood: ``usage`` holds all that was counted since ``start_us``.

    Usage of a span is the difference of two with the same ``key`` and ``start_us``, meter by
    meter; with a new ``start_us`` the counter began again at zero. Meters are disjoint.
    """

    key: str
    start_us: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Refused:
    """A metric or span that was not counted, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class OtlpMetrics:
    """What a request of metrics told: usage to add, counters to take differences of, the rest."""

    usages: tuple[Usage, ...]
    series: tuple[Series, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class _Point:
    """Tokens of one data point: ``part`` is the field of Tokens that they are."""

    group: tuple[tuple[str, str], ...]
    start_us: int
    at_us: int
    cumulative: bool
    metric: str
    part: str
    tokens: object
    told: Attributes


def metrics(body: object, now_us: int) -> OtlpMetrics:
    """Usage of an ``ExportMetricsServiceRequest``.

    Gauges are refused: what they show cannot be added up. Where a request has both the new
    counters and the old histogram, the counters are taken. Raises UsageError for a body that
    is none; a data point that cannot be read is refused alone.
    """
    found = list(scoped(body, "resourceMetrics", "scopeMetrics", "metrics"))
    has_counters = any(_name(metric) in _COUNTERS for _, metric in found)
    refused: list[Refused] = []
    groups: dict[tuple[object, ...], list[_Point]] = defaultdict(list)
    for resource, metric in found:
        reason = _refusal(metric, has_counters=has_counters)
        if reason is not None:
            refused.append(Refused(_name(metric), reason))
        elif _name(metric) in _COUNTERS or _name(metric) == _HISTOGRAM:
            for point in _points(resource, metric):
                groups[point.group, point.start_us, point.at_us, point.cumulative].append(point)
    usages: list[tuple[_Point, Usage]] = []
    for points in groups.values():
        try:
            usages.append((points[0], _usage(points, now_us)))
        except UsageError as error:
            refused.append(Refused(points[0].metric, str(error)))
    return OtlpMetrics(
        usages=tuple(usage for point, usage in usages if not point.cumulative),
        series=tuple(
            Series(_key(point), point.start_us, usage)
            for point, usage in usages
            if point.cumulative
        ),
        refused=tuple(refused),
    )


def _refusal(metric: Mapping[str, object], *, has_counters: bool) -> str | None:
    """Why a GenAI metric is not counted; None for one that is, and for those of others."""
    name = _name(metric)
    if fields.has(metric, "gauge"):
        ours = name.startswith("gen_ai.") or _is_genai(fields.mapping(metric, "gauge"))
        return "is a gauge: its values cannot be added up" if ours else None
    if name in _IGNORED:
        return _IGNORED[name]
    if name == _HISTOGRAM and has_counters:
        return "counts what the new counters beside it count"
    if name not in _COUNTERS and name != _HISTOGRAM:
        return None
    data = _data(metric)
    if name in _COUNTERS and data.get("isMonotonic") is not True:
        return "is no counter: its values can fall"
    if data.get("aggregationTemporality") not in (*_DELTA, *_CUMULATIVE):
        return "does not say whether it counts in all or since the last time"
    return None


def _name(metric: Mapping[str, object]) -> str:
    name = metric.get("name")
    return name[:_NAME_CHARS] if isinstance(name, str) else ""


def _is_genai(data: Mapping[str, object]) -> bool:
    return any(attributes(one, _OF_POINTS) for one in fields.objects(data, "dataPoints"))


def _data(metric: Mapping[str, object]) -> Mapping[str, object]:
    name = "histogram" if _name(metric) == _HISTOGRAM else "sum"
    if not fields.has(metric, name) and fields.has(metric, "exponentialHistogram"):
        name = "exponentialHistogram"
    return fields.mapping(metric, name)


def _points(resource: Mapping[str, object], metric: Mapping[str, object]) -> Iterator[_Point]:
    data = _data(metric)
    cumulative = data.get("aggregationTemporality") in _CUMULATIVE
    of_resource = attributes(resource, _OF_RESOURCES)
    for one in fields.objects(data, "dataPoints"):
        told = attributes(one, _OF_POINTS)
        part = _COUNTERS.get(_name(metric)) or _TYPES.get(text(told, _TOKEN_TYPE) or "")
        if part is None:
            continue  # a type of tokens that neither is nor holds what is billed
        same = {name: value for name, value in told.items() if name != _TOKEN_TYPE}
        yield _Point(
            group=as_told({**of_resource, **same}),
            start_us=us_of(one, "startTimeUnixNano") or 0,
            at_us=us_of(one, "timeUnixNano") or 0,
            cumulative=cumulative,
            metric=_name(metric),
            part=part,
            tokens=_tokens(one),
            told={**of_resource, **told},
        )


def _tokens(point: Mapping[str, object]) -> object:
    names = ("asInt", "asDouble", "sum")
    return next((point[name] for name in names if name in point), None)


def _usage(points: list[_Point], now_us: int) -> Usage:
    """The points of one time and the same attributes together, so that none counts twice."""
    first = points[0]
    provider, model = provider_and_model(first.told)
    at_us, flags = moments.checked_us(first.at_us, now_us, "a data point's time")
    sums: dict[str, int] = defaultdict(int)
    for point in points:
        sums[point.part] += numbers.count(point.tokens, point.metric)
    # A counter that is absent counted nothing, and parts without their total add nothing: the
    # total may have come apart from them, and be counted whole.
    counted = split(
        Tokens(
            input=sums["input"],
            output=sums["output"],
            cached=sums["cached"],
            written=sums["written"],
        )
    )
    return Usage(
        source=SOURCE,
        id=f"{_key(first)}:{first.start_us}:{at_us}",
        at_us=at_us,
        provider=provider,
        model=model,
        quantities=_of_modality(counted.quantities, text(first.told, _MODALITY)),
        base_model=base_model(model),
        project=project(first.told),
        run_id=run(first.told),
        service_tier=tier(first.told),
        flags=tuple(sorted({*flags, *counted.flags})),
        told=as_told(dict(counted.told)),
    )


def _of_modality(quantities: tuple[Quantity, ...], modality: str | None) -> tuple[Quantity, ...]:
    if modality != "audio":
        return quantities
    audio = {Meter.INPUT: Meter.INPUT_AUDIO, Meter.OUTPUT: Meter.OUTPUT_AUDIO}
    return tuple(Quantity(audio.get(one.meter, one.meter), one.amount) for one in quantities)


def _key(point: _Point) -> str:
    return f"series:{hashlib.sha256(repr(point.group).encode()).hexdigest()[:32]}"
