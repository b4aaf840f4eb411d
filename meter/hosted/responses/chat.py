"""OpenAI's chat completions, completions and embeddings, and all who answer in that form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meter.hosted.responses import fields
from meter.hosted.responses.answer import UNKNOWN_FIELDS, Answer
from meter.hosted.tokens import Shares, Tokens
from meter.hosted_facts import Meter

if TYPE_CHECKING:
    from collections.abc import Mapping

_PART = "chat.completion.chunk"
_SAYING = ("id", "model", "choices", "usage")
_PROMPT = "prompt_tokens_details"
_COMPLETION = "completion_tokens_details"
_TOLD = ("prompt_audio_seconds", "connector_tokens")
_TOLD_PROMPT = ("image_tokens", "text_tokens")
_TOLD_COMPLETION = (
    "reasoning_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
    "text_tokens",
)
_KNOWN = frozenset({
    "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", *_TOLD,
    f"{_PROMPT}.cached_tokens", f"{_PROMPT}.cache_write_tokens", f"{_PROMPT}.audio_tokens",
    f"{_PROMPT}.cache_write_tokens_details.ttl_30m_tokens",
    f"{_PROMPT}.cache_write_tokens_details.ttl_12h_tokens",
    f"{_COMPLETION}.audio_tokens",
    *(f"{_PROMPT}.{name}" for name in _TOLD_PROMPT),
    *(f"{_COMPLETION}.{name}" for name in _TOLD_COMPLETION),
})  # fmt: skip


def read(raw: Mapping[str, object]) -> list[Answer]:
    """The answer; of a stream only the last part, if asked for, has usage.

    If it was asked for, each part before says that it has none, or has what was used until then:
    those are not events. Nor is what Azure begins each stream with, which has its content filter's
    verdict and no answer yet.
    """
    if raw.get("object") == _PART and (raw.get("usage", raw) is None or _goes_on(raw)):
        return []
    if not any(raw.get(name) for name in _SAYING):
        return []
    usage = fields.mapping(raw, "usage")
    left = fields.left_over(usage, _KNOWN)
    provider, guessed = _provider(raw)
    return [
        Answer(
            provider=provider,
            guessed=guessed,
            tokens=_tokens(usage, no_output=raw.get("object") == "list") if usage else None,
            id=fields.text(raw, "id"),
            at=fields.moment(raw, "created"),
            model=fields.text(raw, "model"),
            service_tier=fields.text(raw, "service_tier") or fields.text(usage, "service_tier"),
            told={**_told(usage), **left},
            flags=(UNKNOWN_FIELDS,) if left else (),
        )
    ]


def _goes_on(raw: Mapping[str, object]) -> bool:
    """Whether a part with usage is in the midst of a stream: it writes on, and says no end.

    The end may come in a part of its own, without choices or with nothing written in them.
    """
    told, usage = raw.get("choices"), raw.get("usage")
    choices = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    if not choices or not usage or any(one.get("finish_reason") for one in choices):
        return False
    begins = isinstance(usage, dict) and not usage.get("completion_tokens")
    return begins or any(_writes(one.get("delta")) for one in choices)


def _writes(delta: object) -> bool:
    if not isinstance(delta, dict):
        return bool(delta)  # without its texts only whether there were any
    return any(value for name, value in delta.items() if name != "role")


def _tokens(usage: Mapping[str, object], *, no_output: bool) -> Tokens:
    prompt = fields.mapping(usage, _PROMPT)
    completion = fields.mapping(usage, _COMPLETION)
    output = fields.count(usage, "completion_tokens")
    return Tokens(
        input=fields.count(usage, "prompt_tokens"),
        output=0 if no_output and output is None else output,
        cached=fields.count(prompt, "cached_tokens") or fields.count(usage, "cached_tokens") or 0,
        written=fields.count(prompt, "cache_write_tokens"),
        write_parts=cache_writes(prompt),
        input_audio=fields.count(prompt, "audio_tokens") or 0,
        output_audio=fields.count(completion, "audio_tokens") or 0,
        total=fields.count(usage, "total_tokens"),
    )


def cache_writes(details: Mapping[str, object]) -> Shares:
    """Tokens that OpenAI wrote to its cache by how long it keeps them, where it tells that."""
    kept = fields.mapping(details, "cache_write_tokens_details")
    return (
        (Meter.CACHE_WRITE_30M, fields.count(kept, "ttl_30m_tokens") or 0),
        (Meter.CACHE_WRITE_12H, fields.count(kept, "ttl_12h_tokens") or 0),
    )


def _told(usage: Mapping[str, object]) -> dict[str, object]:
    prompt = fields.counts(fields.mapping(usage, _PROMPT), _TOLD_PROMPT)
    return {
        **fields.counts(usage, _TOLD),
        **{f"input_{name}": number for name, number in prompt.items()},
        **_output_told(fields.mapping(usage, _COMPLETION)),
    }


def _output_told(completion: Mapping[str, object]) -> dict[str, object]:
    found = fields.counts(completion, _TOLD_COMPLETION)
    return {("output_" if n == "text_tokens" else "") + n: number for n, number in found.items()}


_MODELS = (
    # How a model's name begins tells whose it is; others serve models of all makers.
    ("accounts/", "fireworks"),
    (("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "davinci-", "babbage-"), "openai"),
    (("ft:gpt-", "ft:o4-", "ft:davinci-", "ft:babbage-"), "openai"),
    (("mistral-", "ministral-", "codestral-", "magistral-", "devstral-", "pixtral-"), "mistral"),
    (("open-mistral-", "open-mixtral-", "ft:open-mistral-", "ft:mistral-"), "mistral"),
)


_OWN = re.compile(
    # Names that only the maker of a model gives it: others serve gpt-oss-120b, mistral-nemo:12b,
    # text-embedding-004.
    r"accounts/.*|ft:.*"
    r"|(?!gpt-oss|text-embedding-)(gpt-|chatgpt-|o1|o3|o4|davinci-|babbage-)[^:]*"
    r"|text-embedding-(3-|ada-)[^:]*"
    r"|open-mi[^:]*|[^:]*-(latest|embed|[0-9]{4})"
)


def _provider(raw: Mapping[str, object]) -> tuple[str | None, bool]:
    """Whose answer it is, None where many could have given it, and whether that is a guess."""
    if "prompt_filter_results" in raw:
        return "azure", False
    model = fields.text(raw, "model") or ""
    provider = next((name for begin, name in _MODELS if model.startswith(begin)), None)
    return provider, provider is not None and _OWN.fullmatch(model) is None
