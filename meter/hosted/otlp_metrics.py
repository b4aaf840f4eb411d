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
from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
_METERS = MappingProxyType(
    {
        "input": Meter.INPUT,
        "cached": Meter.CACHED_INPUT,
        "written": Meter.CACHE_WRITE,
        "output": Meter.OUTPUT,
    }
)
_AUDIO = MappingProxyType({Meter.INPUT: Meter.INPUT_AUDIO, Meter.OUTPUT: Meter.OUTPUT_AUDIO})
_INSIDE = frozenset({"cached", "written"})  # of the input
_ONE_EXPORT_US = US_PER_S  # an SDK looks at its instruments one after the other
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


@dataclass(frozen=True, slots=True)
class Series:
    """Counters of one set of attributes as they stood: ``usage`` holds all that they counted.

    ``starts`` has when the counter behind a meter began. Usage of a span is the difference of two
    with the same ``key``, meter by meter, as long as the meter's start is the same; with a new one
    it began again at zero. Meters are disjoint.
    """

    key: str
    starts: Mapping[Meter, int]
    usage: Usage

    def events(self, quantities: Sequence[Quantity]) -> tuple[Usage, ...]:
        """Quantities of its usage as events, one for those that began at one instant.

        Their ids begin with ``beginning``, so what a counter told before is found by its start.
        """
        by_start: dict[int, list[Quantity]] = defaultdict(list)
        for one in quantities:
            by_start[self.starts[one.meter]].append(one)
        return tuple(
            self.usage._replace(
                id=f"{self.beginning(start_us)}{self.usage.at_us}", quantities=tuple(parts)
            )
            for start_us, parts in by_start.items()
        )

    def beginning(self, start_us: int) -> str:
        """What the ids of all events begin with whose counters began at an instant."""
        return f"{self.key}:{start_us}:"


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
    instrument: tuple[str, str | None]
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
                groups[point.group, point.cumulative].append(point)
    deltas: list[Usage] = []
    totals: list[Series] = []
    for told in (export for points in groups.values() for export in _exports(points)):
        whole, alone = _with_totals(told)
        refused += alone
        try:
            series = _series(whole, now_us) if whole else None
        except UsageError as error:
            refused.append(Refused(whole[0].metric, str(error)))
            continue
        if series is not None and whole[0].cumulative:
            totals.append(series)
        elif series is not None:
            deltas += series.events(series.usage.quantities)
    return OtlpMetrics(tuple(deltas), tuple(totals), tuple(refused))


def _exports(points: Iterable[_Point]) -> Iterator[list[_Point]]:
    """Points of one set of attributes by the export that told them, each instrument once.

    Starts and times of one export are equal or not: an SDK may take each instrument's own, some
    microseconds apart.
    """
    export: list[_Point] = []
    for point in sorted(points, key=lambda one: one.at_us):
        if export and not _is_of(point, export):
            yield export
            export = []
        export.append(point)
    if export:
        yield export


def _is_of(point: _Point, export: Sequence[_Point]) -> bool:
    if point.at_us - export[0].at_us > _ONE_EXPORT_US:
        return False
    times = point.start_us, point.at_us
    return all(
        one.instrument != point.instrument or (one.start_us, one.at_us) == times for one in export
    )


def _with_totals(points: list[_Point]) -> tuple[list[_Point], list[Refused]]:
    """Points that can be counted, and counters of parts whose total is not told beside them.

    Of what counts in all nobody could say later which of the total they were. What counts since
    the last time is kept with a flag.
    """
    if not points[0].cumulative or any(one.part == "input" for one in points):
        return points, []
    reason = "tells a part of input_tokens, which its request does not tell: export both together"
    alone = [Refused(one.metric, reason) for one in points if one.part in _INSIDE]
    return [one for one in points if one.part not in _INSIDE], alone


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
            instrument=(_name(metric), text(told, _TOKEN_TYPE)),
            part=part,
            tokens=_tokens(one),
            told={**of_resource, **told},
        )


def _tokens(point: Mapping[str, object]) -> object:
    names = ("asInt", "asDouble", "sum")
    return next((point[name] for name in names if name in point), None)


def _series(points: list[_Point], now_us: int) -> Series:
    """The points of one export and the same attributes together, so that none counts twice."""
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
    spoken = _AUDIO if text(first.told, _MODALITY) == "audio" else {}
    usage = Usage(
        source=SOURCE,
        id="",  # follows from the meters' starts
        at_us=at_us,
        provider=provider,
        model=model,
        quantities=tuple(
            Quantity(spoken.get(one.meter, one.meter), one.amount) for one in counted.quantities
        ),
        base_model=base_model(model),
        project=project(first.told),
        run_id=run(first.told),
        service_tier=tier(first.told),
        flags=tuple(sorted({*flags, *counted.flags})),
        told=as_told(dict(counted.told)),
    )
    starts = {spoken.get(meter, meter): us for meter, us in _starts(points).items()}
    return Series(_key(first), starts, usage)


def _starts(points: Iterable[_Point]) -> dict[Meter, int]:
    """When the counter behind each meter began; of a meter that none is behind, the first did."""
    starts: dict[Meter, int] = {}
    for point in points:
        meter = _METERS[point.part]
        starts[meter] = min(point.start_us, starts.get(meter, point.start_us))
    first_us = min(starts.values())
    return {meter: starts.get(meter, first_us) for meter in _METERS.values()}


def _key(point: _Point) -> str:
    return f"series:{hashlib.sha256(repr(point.group).encode()).hexdigest()[:32]}"
