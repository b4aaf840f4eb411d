"""Bedrock's Converse and InvokeModel, whole or as the last event of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted.responses import fields
from meter.hosted.responses.answer import UNKNOWN_FIELDS, Answer
from meter.hosted.tokens import Shares, Tokens
from meter.hosted_facts import Meter

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS = "amazon-bedrock-invocationMetrics"
WITHOUT_COUNTS = frozenset({
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop",
})  # fmt: skip
"""What events of a stream of Converse hold that tell of no use; the last has ``metadata``."""
_INPUT = ("inputTokens", "inputTokenCount", "prompt_token_count")
_OUTPUT = ("outputTokens", "outputTokenCount", "generation_token_count")
_CACHED = (
    "cacheReadInputTokens",
    "cacheReadInputTokensCount",
    "cacheReadInputTokenCount",
)
_WRITTEN = (
    "cacheWriteInputTokens",
    "cacheWriteInputTokensCount",
    "cacheWriteInputTokenCount",
)
TITAN = "inputTextTokenCount"
_KNOWN = frozenset({
    *_INPUT, *_OUTPUT, *_CACHED, *_WRITTEN, "totalTokens", "invocationLatency",
    "firstByteLatency",
})  # fmt: skip


def read(raw: Mapping[str, object]) -> list[Answer]:
    """The answer; the body names neither model nor id, the SDK adds the id of the request."""
    if raw.keys() <= WITHOUT_COUNTS:
        return []
    if TITAN in raw:
        return [Answer(provider="bedrock", tokens=_titan(raw), id=_request_id(raw))]
    event = fields.mapping(raw, "metadata") if fields.has(raw, "metadata") else raw
    usage = _usage(event)
    left = fields.left_over(usage, _KNOWN) if "usage" in event or METRICS in event else {}
    return [
        Answer(
            provider="bedrock",
            tokens=_tokens(usage) if any(name in usage for name in _INPUT) else None,
            id=_request_id(raw),
            model=fields.text(fields.mapping(fields.mapping(event, "trace"), "promptRouter"),
                              "invokedModelId"),
            service_tier=_tier(event),
            told=left,
            flags=(UNKNOWN_FIELDS,) if left else (),
        )
    ]  # fmt: skip


def _request_id(raw: Mapping[str, object]) -> str | None:
    return fields.text(fields.mapping(raw, "ResponseMetadata"), "RequestId")


def _titan(raw: Mapping[str, object]) -> Tokens:
    """Titan counts each of its answers; an embedding has none."""
    answers = fields.listed(raw, "results")
    output = sum(fields.count(one, "tokenCount") or 0 for one in answers)
    return Tokens(input=fields.count(raw, TITAN), output=output)


def _usage(event: Mapping[str, object]) -> Mapping[str, object]:
    """Where the counts are: Converse and Nova, the last event of a stream, or Llama's own body."""
    if fields.has(event, METRICS):
        return fields.mapping(event, METRICS)
    return fields.mapping(event, "usage") if fields.has(event, "usage") else event


def _tokens(usage: Mapping[str, object]) -> Tokens:
    """Totals as others count them: the input told is without what came from or went to a cache."""
    fresh = fields.count(usage, *_INPUT) or 0
    cached = fields.count(usage, *_CACHED) or 0
    written = fields.count(usage, *_WRITTEN) or 0
    output, total = fields.count(usage, *_OUTPUT), fields.count(usage, "totalTokens")
    return Tokens(
        input=fresh + cached + written,
        output=output,
        cached=cached,
        written=written,
        write_parts=_kept(usage),
        # Some models' total is with what came from or went to a cache, others' without.
        total=None if total == fresh + (output or 0) else total,
    )


def _kept(usage: Mapping[str, object]) -> Shares:
    meters = {"5m": Meter.CACHE_WRITE_5M, "1h": Meter.CACHE_WRITE_1H}
    details = fields.listed(usage, "cacheDetails")
    return tuple(
        (meters[ttl], fields.count(one, "inputTokens") or 0)
        for one in details
        if isinstance(ttl := one.get("ttl"), str) and ttl in meters
    )


def _tier(event: Mapping[str, object]) -> str | None:
    """``serviceTier`` of the answer, an object with its type."""
    if fields.has(event, "serviceTier"):
        return fields.text(fields.mapping(event, "serviceTier"), "type")
    return None
