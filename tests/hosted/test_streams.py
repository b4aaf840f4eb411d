"""Requests that go on or have failed: streams count at their end, failures what they used."""

from __future__ import annotations

import pytest

from meter.hosted.reading import read
from meter.marks.usage_sender import without_texts
from tests.hosted.recorded import CANARY, context, meters, one, recorded


def running(written: int, end: str | None = None, **delta: object) -> dict[str, object]:
    """A part of a stream whose parts each tell what was used until then."""
    return {
        "id": "chatcmpl-r", "object": "chat.completion.chunk", "created": 1_772_355_600,
        "model": "some-model",
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": end}],
        "usage": {"prompt_tokens": 5, "completion_tokens": written, "total_tokens": 5 + written},
    }  # fmt: skip


def test_n06_what_was_used_until_the_midst_of_a_stream_is_no_event() -> None:
    parts = (
        running(0, content=""), running(1, content=CANARY), running(2, tool_calls=[{"index": 0}]),
        running(3, reasoning_content=CANARY),
    )  # fmt: skip
    for part in parts:
        for told in (part, without_texts(part)):
            assert read(told, context(provider="together")) == []


@pytest.mark.parametrize(
    "last",
    [
        running(9, "stop", content=CANARY),
        running(9, "length"),
        running(9, content=""),  # of a gateway, after the part that told the end
        {**running(9), "choices": []},
    ],
)
def test_n06_the_end_of_a_stream_counts_in_whatever_part_it_comes(last: dict[str, object]) -> None:
    for told in (last, without_texts(last)):
        (usage,) = read(told, context(provider="together"))
        assert meters(usage) == {"input": 5, "output": 9}


@pytest.mark.parametrize("counts", [{"prompt_tokens": 0, "completion_tokens": 0}, {}])
def test_a_call_that_litellm_logs_as_failed_used_nothing(counts: dict[str, int]) -> None:
    logged = recorded("litellm_payload")
    for name in ("metadata", "prompt_tokens", "completion_tokens", "total_tokens"):
        del logged[name]
    assert read({**logged, "status": "failure", **counts}, context()) == []


def test_what_a_failed_call_used_before_counts() -> None:
    (broken,) = read({**recorded("litellm_payload"), "status": "failure"}, context())
    assert meters(broken) == meters(one("litellm_payload"))
