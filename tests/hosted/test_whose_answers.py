"""Whose an answer is that tells no provider: concluded from the model, and flagged if in doubt."""

from __future__ import annotations

import pytest

from meter import usage_flags
from meter.hosted.reading import read
from tests.hosted.recorded import context, recorded

FLAG = "provider_guessed"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-oss-120b", "openai"),
        ("gpt-oss:20b", "openai"),
        ("text-embedding-004", "openai"),
        ("mistral-nemo:12b", "mistral"),
        ("mistral-7b-instruct-v0.3", "mistral"),
        ("devstral-small-2507:latest", "mistral"),
    ],
)
def test_a_provider_that_is_guessed_from_a_name_that_others_use_is_flagged(
    model: str, provider: str
) -> None:
    answer = {**recorded("openai_chat"), "model": model}
    (guessed,) = read(answer, context())
    assert (guessed.provider, FLAG in guessed.flags) == (provider, True)
    (named,) = read(answer, context(provider="together"))
    assert (named.provider, FLAG in named.flags) == ("together", False)
    assert "give `provider`" in usage_flags.told(FLAG, 1)[1]


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o", "gpt-4o-mini-2024-07-18", "o3", "o4-mini-2025-04-16", "chatgpt-4o-latest",
        "text-embedding-3-small", "text-embedding-ada-002", "davinci-002",
        "ft:gpt-4o-mini-2024-07-18:acme::B7x9", "ft:open-mistral-7b:acme:20260101:1",
        "mistral-small-latest", "mistral-large-2411", "mistral-embed", "open-mistral-nemo",
        "accounts/fireworks/models/gpt-oss-120b",
    ],
)  # fmt: skip
def test_a_name_that_only_its_maker_gives_is_no_guess(model: str) -> None:
    (usage,) = read({**recorded("openai_chat"), "model": model}, context())
    assert FLAG not in usage.flags
