"""Anthropic's Messages, whole or as an event of a stream, also as Bedrock and Vertex serve them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.hosted.responses import fields
from meter.hosted.responses.answer import UNKNOWN_FIELDS, Answer
from meter.hosted.tokens import Tokens
from meter.hosted_facts import Meter

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOOLS = "server_tool_use"
_TOLD_TOOLS = ("web_search_requests", "web_fetch_requests")
_OUTPUT = "output_tokens_details"
WITHOUT_COUNTS = frozenset({
    "content_block_start", "content_block_delta", "content_block_stop", "message_stop", "ping",
})  # fmt: skip
"""Events of a stream that tell of no use."""
_KNOWN = frozenset({
    "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
    f"{_OUTPUT}.thinking_tokens", *(f"{_TOOLS}.{name}" for name in _TOLD_TOOLS),
})  # fmt: skip


def read(raw: Mapping[str, object]) -> list[Answer]:
    """The answer. The first event of a stream has counts too, but not yet what will be billed."""
    if fields.text(raw, "type") in WITHOUT_COUNTS:
        return []
    begun = fields.has(raw, "message")
    message = fields.mapping(raw, "message") if begun else raw
    usage = {} if begun else fields.mapping(message, "usage")
    left = fields.left_over(usage, _KNOWN)
    return [
        Answer(
            provider=_provider(fields.text(message, "id") or ""),
            tokens=tokens(usage) if usage else None,
            id=fields.text(message, "id"),
            model=fields.text(message, "model"),
            service_tier=tier(usage),
            region=fields.text(usage, "inference_geo"),
            told={**_told(usage), **left},
            flags=(UNKNOWN_FIELDS,) if left else (),
        )
    ]


def tokens(usage: Mapping[str, object]) -> Tokens:
    """Totals as others count them: the input told is without what came from or went to a cache."""
    fresh = fields.count(usage, "input_tokens")
    cached = fields.count(usage, "cache_read_input_tokens") or 0
    kept = fields.mapping(usage, "cache_creation")
    parts = (
        (Meter.CACHE_WRITE_5M, fields.count(kept, "ephemeral_5m_input_tokens") or 0),
        (Meter.CACHE_WRITE_1H, fields.count(kept, "ephemeral_1h_input_tokens") or 0),
    )
    whole = fields.count(usage, "cache_creation_input_tokens")
    written = sum(count for _, count in parts) if whole is None else whole
    return Tokens(
        input=None if fresh is None else fresh + cached + written,
        output=fields.count(usage, "output_tokens"),
        cached=cached,
        written=written,
        write_parts=parts,
    )


def tier(usage: Mapping[str, object]) -> str | None:
    """The tier, or ``fast`` of a standard one: either is a price of its own."""
    told, speed = fields.text(usage, "service_tier"), fields.text(usage, "speed")
    return speed if speed == "fast" and told in {None, "standard"} else told


def _told(usage: Mapping[str, object]) -> dict[str, object]:
    return {
        "speed": fields.word(usage.get("speed")),
        **fields.counts(fields.mapping(usage, _OUTPUT), ("thinking_tokens",)),
        **fields.counts(fields.mapping(usage, _TOOLS), _TOLD_TOOLS),
    }


def _provider(message_id: str) -> str:
    if message_id.startswith("msg_bdrk_"):
        return "bedrock"
    return "vertex" if message_id.startswith("msg_vrtx_") else "anthropic"
