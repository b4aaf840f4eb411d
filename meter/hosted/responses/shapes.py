"""Which shape a raw response has, and which providers answer in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.hosted import providers
from meter.hosted.responses import (
    anthropic,
    batches,
    bedrock,
    chat,
    fields,
    gemini,
    litellm,
    openai_responses,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meter.hosted.responses.answer import Answer


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of response: what it looks like, who answers so, and how it is read."""

    name: str
    looks_like: str
    providers: frozenset[str]
    read: Callable[[Mapping[str, object]], list[Answer]]


_OPENAI = Shape(
    "OpenAI's chat completions",
    "openai",
    providers.KNOWN - {"anthropic"},
    chat.read,
)
_RESPONSES = Shape(
    "OpenAI's Responses", "openai", frozenset({"openai", "azure"}), openai_responses.read
)
_ANTHROPIC = Shape(
    "Anthropic's Messages",
    "anthropic",
    frozenset({"anthropic", "bedrock", "vertex", "azure"}),
    anthropic.read,
)
_GEMINI = Shape(
    "Gemini's generateContent", "gemini or vertex", frozenset({"gemini", "vertex"}), gemini.read
)
_BEDROCK = Shape("Bedrock's Converse", "bedrock", frozenset({"bedrock"}), bedrock.read)
_LITELLM = Shape("litellm's payload", "litellm", providers.KNOWN, litellm.read)
_OPENAI_BATCH = Shape(
    "OpenAI's batch output",
    "openai",
    _OPENAI.providers,
    lambda raw: batches.openai(raw, lambda body: find(body).read(body)),
)
_ANTHROPIC_BATCH = Shape(
    "Anthropic's batch results",
    "anthropic",
    _ANTHROPIC.providers,
    lambda raw: batches.anthropic(raw, anthropic.read),
)
_GEMINI_BATCH = Shape(
    "Gemini's batch output", "gemini", frozenset({"gemini"}),
    lambda raw: batches.gemini(raw, gemini.whole),
)  # fmt: skip
_VERTEX_BATCH = Shape(
    "Vertex' batch output", "vertex", frozenset({"vertex"}),
    lambda raw: batches.vertex(raw, _of_vertex),
)  # fmt: skip
_BEDROCK_BATCH = Shape(
    "Bedrock's batch output", "bedrock", frozenset({"bedrock"}),
    lambda raw: batches.bedrock(raw, _of_bedrock(raw)),
)  # fmt: skip


def _of_vertex(response: Mapping[str, object]) -> list[Answer]:
    """What Vertex serves in a batch: Gemini, or Claude in its maker's form."""
    shape = find(response)
    return gemini.whole(response) if shape is _GEMINI else shape.read(response)


def _of_bedrock(raw: Mapping[str, object]) -> Callable[[Mapping[str, object]], list[Answer]] | None:
    """What reads the answer in a line, which has the form of the model's maker, or Converse's."""
    output = fields.mapping(raw, "modelOutput")
    found = _typed(output) or _counted(output)
    return found.read if found and "bedrock" in found.providers else None


def find(raw: Mapping[str, object]) -> Shape:
    """The shape by its fields; raises UsageError for what looks like none."""
    found = _enveloped(raw) or _typed(raw) or _counted(raw)
    if found is None:
        raise UsageError(
            "the response looks like none that is known",
            "post it as it came, or post normalised events (meter and quantity)",
        )
    return found


def check(shape: Shape, provider: str) -> None:
    """Raises UsageError for a known provider that does not answer in this shape."""
    if provider in providers.KNOWN and provider not in shape.providers:
        raise UsageError(
            f"provider {provider} does not answer like this: it looks like {shape.name}",
            f"name the provider that answered, such as {shape.looks_like}",
        )


def _enveloped(raw: Mapping[str, object]) -> Shape | None:
    """Shapes that hold an answer inside or describe one from outside."""
    if "call_type" in raw and ("startTime" in raw or "custom_llm_provider" in raw):
        return _LITELLM
    if fields.has(raw, "request") and ("processed_time" in raw or "status" in raw):
        return _VERTEX_BATCH
    if "recordId" in raw and ("modelOutput" in raw or "modelInput" in raw):
        return _BEDROCK_BATCH
    if isinstance(raw.get("key"), str) and ("response" in raw or "error" in raw):
        return _GEMINI_BATCH
    if "custom_id" in raw and "result" in raw:
        return _ANTHROPIC_BATCH
    if "custom_id" in raw and ("response" in raw or "error" in raw):
        return _OPENAI_BATCH
    return None


def _typed(raw: Mapping[str, object]) -> Shape | None:
    """Shapes that name themselves."""
    kind, of = raw.get("type"), raw.get("object")
    if of == "response" or (isinstance(kind, str) and kind.startswith("response.")):
        return _RESPONSES
    if isinstance(kind, str) and kind in {"message", "message_start", "message_delta"}:
        return _ANTHROPIC
    if isinstance(kind, str) and kind in anthropic.WITHOUT_COUNTS and bedrock.METRICS not in raw:
        return _ANTHROPIC
    if raw and raw.keys() <= bedrock.WITHOUT_COUNTS:
        return _BEDROCK
    if isinstance(of, str) and of.startswith(("chat.completion", "text_completion")):
        return _OPENAI
    return None


def _counted(raw: Mapping[str, object]) -> Shape | None:
    """Shapes that are told by the names of their counts, or of what a part of a stream has."""
    usage = raw.get("usage") if fields.has(raw, "usage") else None
    inner = fields.mapping(raw, "metadata") if fields.has(raw, "metadata") else {}
    if isinstance(usage, dict) and "prompt_tokens" in usage:
        return _OPENAI
    if isinstance(usage, dict) and "input_tokens" in usage:
        return _RESPONSES if "total_tokens" in usage else _ANTHROPIC
    if isinstance(usage, dict) and "inputTokens" in usage:
        return _BEDROCK
    if any(name in raw for name in ("usageMetadata", "usage_metadata", "candidates")):
        return _GEMINI
    if bedrock.METRICS in raw or fields.has(inner, "usage") or "generation_token_count" in raw:
        return _BEDROCK
    if ("stopReason" in raw and "output" in raw) or bedrock.TITAN in raw:
        return _BEDROCK
    return _OPENAI if "choices" in raw else None
