"""OTLP's GenAI telemetry as usage: spans here, metrics beside it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted import moments, numbers
from meter.hosted.models import base_model
from meter.hosted.normalised import ID_CHARS
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
from meter.hosted.otlp_metrics import OtlpMetrics, Refused, Series, metrics
from meter.hosted.responses import fields
from meter.hosted.tokens import UNKNOWN, USAGE_UNKNOWN, Split, Tokens, split
from meter.hosted_facts import Usage, as_told
from meter.limits import check_name
from meter.usage_witness import UNIQUE_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OtlpMetrics", "OtlpSpans", "Refused", "Series", "each_span", "metrics"]

_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_CACHED = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
_WRITTEN = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens")
_REASONING = ("gen_ai.usage.reasoning.output_tokens",)
_COUNTS = (*_INPUT, *_OUTPUT, *_CACHED, *_WRITTEN, *_REASONING)
_RESPONSE_ID = "gen_ai.response.id"
_OF_SPANS = frozenset({
    *_COUNTS, *PROVIDER, *MODEL, *TIER, OPERATION, PROJECT, RUN, _RESPONSE_ID,
})  # fmt: skip
_OF_RESOURCES = frozenset({PROJECT, RUN})
_SUMS_OF_OTHERS = frozenset({"invoke_agent", "create_agent", "execute_tool", "invoke_workflow"})
_ERROR = (2, "STATUS_CODE_ERROR")


@dataclass(frozen=True, slots=True)
class OtlpSpans:
    """What a request of spans told: usage to add, and spans that could not be read."""

    usages: tuple[Usage, ...]
    refused: tuple[Refused, ...]


def each_span(body: object, now_us: int) -> OtlpSpans:
    """Usage of the spans of inference in an ``ExportTraceServiceRequest``.

    Left out are spans of agents, whose tokens are those of the calls below them, and a span
    whose own child was counted: two instrumentations of one call. Raises UsageError for a body
    that is none; a span that cannot be read is refused alone.
    """
    usages: list[Usage] = []
    refused: list[Refused] = []
    for span, told in _inferences(body):
        try:
            usages.append(_usage(span, told, now_us))
        except UsageError as error:
            refused.append(Refused(str(span.get("spanId"))[:32], str(error)))
    return OtlpSpans(tuple(usages), tuple(refused))


def _inferences(body: object) -> list[tuple[Mapping[str, object], Attributes]]:
    """Spans that used tokens, with what is allow-listed of them, each call once.

    Of a span and its own child the inner one is taken, but never one without counts instead of
    one with them.
    """
    found = [
        (span, {**attributes(resource, _OF_RESOURCES), **attributes(span, _OF_SPANS)})
        for resource, span in scoped(body, "resourceSpans", "scopeSpans", "spans")
    ]
    used = [(span, told) for span, told in found if _is_inference(span, told)]
    with_counts = [span for span, told in used if _has_counts(told)]
    outer = {_address(span, "parentSpanId") for span in with_counts}
    counted = {_address(span, "spanId") for span in with_counts}
    return [
        (span, told)
        for span, told in used
        if _address(span, "spanId") not in outer
        and (_has_counts(told) or _address(span, "parentSpanId") not in counted)
    ]


def _has_counts(told: Attributes) -> bool:
    return any(name in told for name in _COUNTS)


def _address(span: Mapping[str, object], of: str) -> tuple[str, str]:
    return str(span.get("traceId")), str(span.get(of))


def _is_inference(span: Mapping[str, object], told: Attributes) -> bool:
    """Whether a span used tokens: it counts them, or succeeded without saying how many."""
    if told.get(OPERATION) in _SUMS_OF_OTHERS:
        return False
    if _has_counts(told):
        return True
    failed = _status(span) in _ERROR
    return text(told, *PROVIDER) is not None and text(told, *MODEL) is not None and not failed


def _status(span: Mapping[str, object]) -> object:
    """The code of a span's status; its message is a user's text and is not looked at."""
    status = span.get("status")
    return status.get("code") if isinstance(status, dict) else None


def _usage(span: Mapping[str, object], told: Attributes, now_us: int) -> Usage:
    provider, model = provider_and_model(told)
    counted = _split(told)
    at_us, flags = _at(span, now_us)
    span_id, response_id = _id(span), fields.word(told.get(_RESPONSE_ID))
    named = len(response_id or "") >= UNIQUE_CHARS and counted.quantities != (UNKNOWN,)
    extra = {
        "response_id": None if named else response_id,
        "span": span_id if named else None,
        "operation": fields.word(told.get(OPERATION)),
        "reasoning_tokens": _count(told, _REASONING),
        **dict(counted.told),
    }
    return Usage(
        # As the answer itself is named, so that both count once.
        source=provider if named else SOURCE,
        id=response_id if named and response_id else span_id,
        at_us=at_us,
        provider=provider,
        model=model,
        quantities=counted.quantities,
        base_model=base_model(model),
        project=project(told),
        run_id=run(told),
        service_tier=tier(told),
        context_tokens=counted.context_tokens,
        flags=tuple(sorted({*flags, *counted.flags})),
        told=as_told(extra),
    )


def _id(span: Mapping[str, object]) -> str:
    parts = [fields.text(span, "traceId"), fields.text(span, "spanId")]
    if not all(parts):
        raise UsageError("the span has no traceId or no spanId", "send spans as they ended")
    return check_name("the span's id", ":".join(part or "" for part in parts), ID_CHARS)


def _split(told: Attributes) -> Split:
    if not any(name in told for name in (*_INPUT, *_OUTPUT)):
        return Split((UNKNOWN,), None, (USAGE_UNKNOWN,))
    # An embedding has no output, and its span does not say so with a zero.
    no_output = told.get(OPERATION) == "embeddings"
    output = _count(told, _OUTPUT)
    return split(
        Tokens(
            input=_count(told, _INPUT),
            output=0 if no_output and output is None else output,
            cached=_count(told, _CACHED) or 0,
            written=_count(told, _WRITTEN) or 0,
        )
    )


def _count(told: Attributes, names: tuple[str, ...]) -> int | None:
    return next((numbers.count(told[name], name) for name in names if name in told), None)


def _at(span: Mapping[str, object], now_us: int) -> tuple[int, tuple[str, ...]]:
    at_us = us_of(span, "startTimeUnixNano") or us_of(span, "endTimeUnixNano") or 0
    return moments.checked_us(at_us, now_us, "the span's time")
