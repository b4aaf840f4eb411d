"""OpenAI's Responses, whole or as an event of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted.responses import fields
from meter.hosted.responses.answer import UNKNOWN_FIELDS, Answer
from meter.hosted.responses.chat import cache_writes
from meter.hosted.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

_INPUT = "input_tokens_details"
_OUTPUT = "output_tokens_details"
_TOLD_INPUT = ("image_tokens", "text_tokens")
_TOLD_OUTPUT = ("image_tokens", "text_tokens")
_KNOWN = frozenset({
    "input_tokens", "output_tokens", "total_tokens",
    f"{_INPUT}.cached_tokens", f"{_INPUT}.cache_write_tokens", f"{_INPUT}.audio_tokens",
    f"{_INPUT}.cache_write_tokens_details.ttl_30m_tokens",
    f"{_INPUT}.cache_write_tokens_details.ttl_12h_tokens",
    f"{_OUTPUT}.reasoning_tokens", f"{_OUTPUT}.audio_tokens",
    *(f"{_INPUT}.{name}" for name in _TOLD_INPUT),
    *(f"{_OUTPUT}.{name}" for name in _TOLD_OUTPUT),
})  # fmt: skip

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})
_AT_WORK = frozenset({"queued", "in_progress"})


def read(raw: Mapping[str, object]) -> list[Answer]:
    """The answer; an event of a stream holds it inside, with usage only once it is complete.

    Events before that, and an answer that is still at work, are not events of use.
    """
    if _is_before_the_end(raw):
        return []
    whole = fields.mapping(raw, "response") if fields.has(raw, "response") else raw
    usage = fields.mapping(whole, "usage")
    left = fields.left_over(usage, _KNOWN)
    return [
        Answer(
            provider="openai",
            tokens=_tokens(usage) if usage else None,
            id=fields.text(whole, "id"),
            at=fields.moment(whole, "created_at", "created"),
            model=fields.text(whole, "model"),
            service_tier=fields.text(whole, "service_tier"),
            told={**_told(usage), **left},
            flags=(UNKNOWN_FIELDS,) if left else (),
        )
    ]


def _is_before_the_end(raw: Mapping[str, object]) -> bool:
    kind, status = raw.get("type"), raw.get("status")
    if isinstance(kind, str) and kind.startswith("response."):
        return kind not in _LAST
    return isinstance(status, str) and status in _AT_WORK and raw.get("usage") is None


def _tokens(usage: Mapping[str, object]) -> Tokens:
    inputs = fields.mapping(usage, _INPUT)
    return Tokens(
        input=fields.count(usage, "input_tokens"),
        output=fields.count(usage, "output_tokens"),
        cached=fields.count(inputs, "cached_tokens") or 0,
        written=fields.count(inputs, "cache_write_tokens"),
        write_parts=cache_writes(inputs),
        input_audio=fields.count(inputs, "audio_tokens") or 0,
        output_audio=fields.count(fields.mapping(usage, _OUTPUT), "audio_tokens") or 0,
        total=fields.count(usage, "total_tokens"),
    )


def _told(usage: Mapping[str, object]) -> dict[str, object]:
    inputs = fields.counts(fields.mapping(usage, _INPUT), _TOLD_INPUT)
    outputs = fields.mapping(usage, _OUTPUT)
    return {
        **fields.counts(outputs, ("reasoning_tokens",)),
        **{f"input_{name}": number for name, number in inputs.items()},
        **{f"output_{n}": number for n, number in fields.counts(outputs, _TOLD_OUTPUT).items()},
    }
