"""Gemini's generateContent, from Google's Gemini API or Vertex, in REST's or the SDK's names."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from meter.hosted.responses import fields
from meter.hosted.responses.answer import UNKNOWN_FIELDS, Answer
from meter.hosted.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOLD = ("thoughts_token_count", "tool_use_prompt_token_count")
_KNOWN = frozenset({
    "prompt_token_count", "candidates_token_count", "response_token_count",
    "cached_content_token_count", "total_token_count", *_TOLD,
})  # fmt: skip
_TIERS = MappingProxyType(
    {
        "on_demand": "standard",
        "on_demand_priority": "priority",
        "on_demand_flex": "flex",
        "on_demand_offpeak": "offpeak",
        "provisioned_throughput": "provisioned",
        "traffic_type_unspecified": None,
    }
)


def read(raw: Mapping[str, object]) -> list[Answer]:
    """The answer; each part of a stream counts all so far, so that the last one is the whole.

    Parts before that are not events of use: of no candidate they say why it ended.
    """
    told = fields.snake_case(raw)
    return [] if _is_before_the_end(told) else whole(told)


def whole(raw: Mapping[str, object]) -> list[Answer]:
    """The answer of what is no stream."""
    named = fields.snake_case(raw)
    told = fields.mapping(named, "usage_metadata")
    usage = fields.snake_case(told)
    left = fields.left_over(usage, _KNOWN)
    traffic = fields.text(usage, "traffic_type")
    return [
        Answer(
            provider="vertex" if traffic or named.get("create_time") else "gemini",
            tokens=_tokens(usage) if _counted(usage) else None,
            id=fields.text(named, "response_id"),
            at=fields.moment(named, "create_time"),
            model=fields.text(named, "model_version"),
            service_tier=_tier(fields.text(usage, "service_tier"), traffic),
            told={"traffic_type": fields.word(traffic), **fields.counts(usage, _TOLD), **left},
            flags=(UNKNOWN_FIELDS,) if left else (),
        )
    ]


def _is_before_the_end(told: Mapping[str, object]) -> bool:
    """Whether answers go on; a prompt that was refused, and counts told apart, have none."""
    candidates = [fields.snake_case(one) for one in fields.listed(told, "candidates")]
    return bool(candidates) and not any(one.get("finish_reason") for one in candidates)


def _counted(usage: Mapping[str, object]) -> bool:
    return any(usage.get(name) is not None for name in _KNOWN)


def _tokens(usage: Mapping[str, object]) -> Tokens:
    """Totals; a count that is zero is left out of the JSON, so absent is zero here."""

    def count(*names: str) -> int:
        return fields.count(usage, *names) or 0

    cached_audio = _audio(usage, "cache_tokens_details")
    audio = _audio(usage, "prompt_tokens_details") + _audio(usage, "tool_use_prompt_tokens_details")
    return Tokens(
        input=count("prompt_token_count") + count("tool_use_prompt_token_count"),
        output=count("candidates_token_count", "response_token_count")
        + count("thoughts_token_count"),
        cached=count("cached_content_token_count"),
        input_audio=max(audio - cached_audio, 0),
        output_audio=_audio(usage, "candidates_tokens_details")
        or _audio(usage, "response_tokens_details"),
        total=fields.count(usage, "total_token_count"),
    )


def _audio(usage: Mapping[str, object], name: str) -> int:
    details = (fields.snake_case(one) for one in fields.listed(usage, name))
    audio = (one for one in details if str(one.get("modality")).upper() == "AUDIO")
    return sum(fields.count(one, "token_count") or 0 for one in audio)


def _tier(tier: str | None, traffic: str | None) -> str | None:
    return tier or (_TIERS.get(traffic.lower(), traffic) if traffic else None)
