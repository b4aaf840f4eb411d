"""Names of providers: one spelling each, whatever a library or convention calls them; pure."""

from __future__ import annotations

from types import MappingProxyType

from meter.errors import UsageError
from meter.reserved import check_provider

_NAME_CHARS = 64
_SPELLINGS = MappingProxyType({
    "azure": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "azure.openai": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure_ai": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "google": "gemini",
    "gemini": "gemini",
    "gcp.gemini": "gemini",
    "gcp.gen_ai": "gemini",
    "google_genai": "gemini",
    "vertex": "vertex",
    "vertex_ai": "vertex",
    "vertex_ai_beta": "vertex",
    "vertex-ai": "vertex",
    "vertexai": "vertex",
    "gcp.vertex_ai": "vertex",
    "google-vertex": "vertex",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "aws_bedrock": "bedrock",
    "aws.bedrock": "bedrock",
    "amazon-bedrock": "bedrock",
    "mistral": "mistral",
    "mistralai": "mistral",
    "mistral_ai": "mistral",
    "together": "together",
    "together_ai": "together",
    "together.ai": "together",
    "togetherai": "together",
    "fireworks": "fireworks",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "openai": "openai",
    "anthropic": "anthropic",
})  # fmt: skip
KNOWN = frozenset(_SPELLINGS.values())


def spelled(name: object) -> str:
    """The one spelling of a provider; a name that is not known stays, in lower case.

    Raises UsageError for what is no name.
    """
    if not isinstance(name, str):
        raise UsageError("the provider is no text", "name it, for example openai")
    known = _SPELLINGS.get(name)
    if known is not None:
        return known
    lower = check_provider("the provider", name, _NAME_CHARS).strip().lower()
    return _SPELLINGS.get(lower, lower)
