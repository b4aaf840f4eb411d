"""litellm's StandardLoggingPayload, as its generic callback posts it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.hosted import providers
from meter.hosted.responses import anthropic, fields
from meter.hosted.responses.answer import UNKNOWN_FIELDS, Answer
from meter.hosted.tokens import Tokens
from meter.hosted_facts import Meter

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWERED_FROM_CACHE = "answered_from_cache"
"""Flag: litellm answered from its own cache; the provider was not asked and bills nothing."""
_FAILED = "failure"
_PROMPT = "prompt_tokens_details"
_COMPLETION = "completion_tokens_details"
_TTLS = (
    ("ephemeral_5m_input_tokens", Meter.CACHE_WRITE_5M),
    ("ephemeral_30m_input_tokens", Meter.CACHE_WRITE_30M),
    ("ephemeral_1h_input_tokens", Meter.CACHE_WRITE_1H),
    ("ephemeral_12h_input_tokens", Meter.CACHE_WRITE_12H),
)
_WRITTEN = ("cache_creation_tokens", "cache_write_tokens")
_KNOWN = frozenset({
    "prompt_tokens", "completion_tokens", "total_tokens",
    "cache_read_input_tokens", "cache_creation_input_tokens",
    *(f"{_PROMPT}.{name}" for name in (*_WRITTEN, "cached_tokens", "audio_tokens",
                                       "text_tokens", "image_tokens")),
    *(f"{_PROMPT}.cache_creation_token_details.{name}" for name, _ in _TTLS),
    *(f"{_COMPLETION}.{name}" for name in ("audio_tokens", "reasoning_tokens", "text_tokens")),
})  # fmt: skip


def read(raw: Mapping[str, object]) -> list[Answer]:
    """The call as litellm counted it: in OpenAI's form, whatever provider answered.

    None for one that failed and used nothing; one that broke off after some tokens used those.
    """
    usage = fields.mapping(fields.mapping(raw, "metadata"), "usage_object") or raw
    whole = usage is not raw
    left = fields.left_over(usage, _KNOWN) if whole else {}
    from_cache = raw.get("cache_hit") is True
    tokens = _tokens(usage)
    if raw.get("status") == _FAILED and not (tokens.input or tokens.output or tokens.total):
        return []
    answer = Answer(
        provider=_provider(raw),
        certain=True,
        tokens=Tokens(input=0, output=0) if from_cache else tokens,
        id=fields.text(raw, "id"),
        at=fields.moment(raw, "startTime"),
        model=_model(raw),
        service_tier=_tier(raw, usage if whole else {}),
        region=fields.word(usage.get("inference_geo")) if whole else None,
        told={**_told(raw), **left},
        flags=(UNKNOWN_FIELDS,) if left else (),
    )
    return [replace(answer, flags=(*answer.flags, ANSWERED_FROM_CACHE)) if from_cache else answer]


def _tokens(usage: Mapping[str, object]) -> Tokens:
    prompt = fields.mapping(usage, _PROMPT)
    completion = fields.mapping(usage, _COMPLETION)
    kept = fields.mapping(prompt, "cache_creation_token_details")
    whole = fields.count(usage, "cache_creation_input_tokens")
    return Tokens(
        input=fields.count(usage, "prompt_tokens"),
        output=fields.count(usage, "completion_tokens"),
        cached=fields.count(prompt, "cached_tokens")
        or fields.count(usage, "cache_read_input_tokens")
        or 0,
        written=fields.count(prompt, *_WRITTEN) or whole,
        write_parts=tuple((meter, fields.count(kept, name) or 0) for name, meter in _TTLS),
        input_audio=fields.count(prompt, "audio_tokens") or 0,
        output_audio=fields.count(completion, "audio_tokens") or 0,
        total=fields.count(usage, "total_tokens"),
    )


def _provider(raw: Mapping[str, object]) -> str | None:
    name = fields.text(raw, "custom_llm_provider")
    return providers.spelled(name) if name else None


def _model(raw: Mapping[str, object]) -> str | None:
    """The model without litellm's own prefix of the provider."""
    model, name = fields.text(raw, "model"), fields.text(raw, "custom_llm_provider")
    return model.removeprefix(f"{name}/") if model and name else model


def _tier(raw: Mapping[str, object], usage: Mapping[str, object]) -> str | None:
    """The tier that answered: the answer in the log tells it, or the usage, as Anthropic's does.

    Nothing else of the answer is looked at.
    """
    response = raw.get("response")
    said = response.get("service_tier") if isinstance(response, dict) else None
    told = {"service_tier": said or usage.get("service_tier"), "speed": usage.get("speed")}
    return anthropic.tier({name: fields.word(value) for name, value in told.items()})


def _told(raw: Mapping[str, object]) -> dict[str, object]:
    """What litellm thinks that the call cost, to be compared with ours, and its kind."""
    cost = fields.left_over({"response_cost": raw.get("response_cost")}, frozenset())
    return {"call_type": fields.word(raw.get("call_type")), **cost}
