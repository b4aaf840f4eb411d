"""``meter.usage``: counts of a response reach the agent, its texts do not leave the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletionChunk

import meter
from agent.agents import Agent, agent
from meter import marks
from meter.hosted.reading import Context, read
from meter.marks import usage_sender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "the canary sings"
CHAT = {
    "id": "chatcmpl-7", "object": "chat.completion", "created": 1_763_900_000, "model": "gpt-4o",
    "choices": [{"message": {"role": "assistant", "content": CANARY}}], "service_tier": "default",
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}  # fmt: skip
CLAUDE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": CANARY}], "usage": {"input_tokens": 5, "output_tokens": 7},
}  # fmt: skip
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": CANARY}]}, "finishReason": "STOP"}],
    "modelVersion": "gemini-2.5-pro", "responseId": "r-1", "createTime": "2026-11-20T10:00:00Z",
    "usageMetadata": {
        "promptTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 1,
        "totalTokenCount": 7,
    },
}  # fmt: skip
RESPONSES = {
    "id": "resp_1", "object": "response", "created_at": 1_763_900_000, "model": "gpt-4o",
    "output": [{"content": [{"text": CANARY}]}], "instructions": CANARY,
    "usage": {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10},
}  # fmt: skip


@pytest.mark.parametrize("response", [CHAT, CLAUDE, GEMINI, RESPONSES])
def test_without_its_texts_a_response_says_the_same(response) -> None:
    stripped = usage_sender.without_texts(response)
    assert CANARY not in json.dumps(stripped)
    context = Context(now_us=1_800_000_000_000_000)
    assert read(response, context)
    assert read(stripped, context) == read(response, context)


@pytest.mark.parametrize("name", ["finishReason", "finish_reason"])
def test_of_a_stream_that_goes_on_it_is_told_that_it_does(name: str) -> None:
    context = Context(now_us=1_800_000_000_000_000)
    part = {**GEMINI, "candidates": [{"content": {"parts": [{"text": CANARY}]}, name: None}]}
    last = {**GEMINI, "candidates": [{"content": {"parts": []}, name: CANARY}]}
    assert read(usage_sender.without_texts(part), context) == []
    assert CANARY not in json.dumps(usage_sender.without_texts(last))
    (whole,) = read(usage_sender.without_texts(last), context)
    assert whole.id == "r-1"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300) | st.just(Decimal(1)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_left_is_plain_json_without_long_texts(value) -> None:
    left = json.dumps(usage_sender.without_texts(value))
    assert all(len(text) <= 200 for text in _texts(json.loads(left)))


def _texts(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    with agent(tmp_path) as made:
        made.hear("reading")
        monkeypatch.setenv("METER_SOCKET", made.socket)
        monkeypatch.setattr(usage_sender._Process, "senders", {})
        yield made
        made.stop()


class Sdk:
    """As SDKs have them: pydantic's models."""

    def model_dump(self) -> dict:
        return CLAUDE


def quantities(node: Agent) -> dict[tuple[str, str], str]:
    rows = node.ask("GET", "/v1/usage")[1]["usage"]
    return {(row["model"], row["meter"]): row["quantity"] for row in rows}


def test_responses_reach_the_agent_once_each(node: Agent) -> None:
    for _ in range(2):
        meter.usage(CHAT)
        meter.usage(Sdk(), project="chat")
    assert marks.flush(60)
    found = quantities(node)
    assert found["gpt-4o", "input"] == "9"
    assert found["claude-sonnet-4-5", "output"] == "7"
    assert marks.dropped() == {}


def test_of_a_stream_of_the_sdk_the_end_counts(node: Agent) -> None:
    part = {
        "id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 1_763_900_000,
        "model": "gpt-4o", "choices": [], "usage": None,
    }  # fmt: skip
    total = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    for told in (part, part, {**part, "usage": total}):
        meter.usage(ChatCompletionChunk.model_validate(told))
    assert marks.flush(60)
    assert quantities(node) == {("gpt-4o", "input"): "5", ("gpt-4o", "output"): "6"}
    assert marks.dropped() == {}


EMBEDDED = {
    "object": "list", "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25]}],
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}  # fmt: skip


def test_an_answer_without_id_and_time_is_told_by_the_instant_of_the_call(node: Agent) -> None:
    for _ in range(2):
        meter.usage(CreateEmbeddingResponse.model_validate(EMBEDDED), project="search")
        meter.usage({"inputTextTokenCount": 5, "embedding": [0.25]}, provider="bedrock", model="t")
        meter.usage(
            {"generation": CANARY, "prompt_token_count": 3, "generation_token_count": 2},
            provider="bedrock",
            model="llama",
        )
    assert marks.flush(60)
    assert quantities(node) == {
        ("text-embedding-3-small", "input"): "18",
        ("t", "input"): "10",
        ("llama", "input"): "6",
        ("llama", "output"): "4",
    }
    assert marks.dropped() == {}


def test_a_batch_that_is_sent_again_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[str] = []

    def request(_path: str, _method: str, _to: str, body: object, _s: float) -> tuple[int, dict]:
        bodies.append(json.dumps(body))
        return (503, {}) if len(bodies) == 1 else (200, {})

    monkeypatch.setattr(usage_sender, "request", request)
    sender = usage_sender.UsageSender("nowhere")
    sender._add(EMBEDDED, {"project": "search"}, 1_795_000_000_000_000)
    assert (sender._told(), sender._told()) == (False, True)
    (told,) = json.loads(bodies[0])
    assert bodies[1] == bodies[0]
    assert (told["at"], told["project"]) == (1_795_000_000_000_000, "search")
    assert len(told["id"]) == 26


@pytest.mark.parametrize(
    ("response", "beside"),
    [
        (CHAT, {}), (CLAUDE, {}), (GEMINI, {}), (RESPONSES, {}),
        ({**EMBEDDED, "created": 1_763_900_000}, {}), (EMBEDDED, {"id": "mine"}),
        ({**EMBEDDED, "ResponseMetadata": {"RequestId": "r"}}, {}),
        ({"type": "message_delta", "usage": {"output_tokens": 7}}, {}),
        ({"candidates": [{}], "usageMetadata": {"totalTokenCount": 3}}, {}),
        ({"usage": "none"}, {}), ({"body": "stream"}, {}),
    ],
)  # fmt: skip
def test_what_has_a_name_or_is_no_whole_answer_is_given_none(response, beside) -> None:
    sender = usage_sender.UsageSender("nowhere")
    sender._add(response, beside, 1)
    (told,) = sender._batch
    assert "at" not in told
    assert {name: told.get(name) for name in beside} == beside


def test_inside_a_run_it_is_the_runs(node: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    node.begin("r1")
    monkeypatch.setenv("METER_RUN_ID", "r1")
    monkeypatch.setattr(marks.sender._Process, "senders", {})
    meter.usage(CHAT)
    assert marks.flush(60)
    assert [one["meter"] for one in node.end("r1")["usage"]] == ["input", "output"]


@pytest.mark.parametrize("response", [None, 7, "x", object(), {"usage": "none"}, {"id": CANARY}])
def test_what_is_no_response_is_dropped_and_counted(node: Agent, response) -> None:
    meter.usage(response)
    assert marks.flush(60)
    assert marks.dropped() == {"usage": 1}
    assert quantities(node) == {}


class Evil:
    """An object whose own code raises whatever it likes."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def model_dump(self, **_: object) -> dict:
        raise self._error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), OSError()])
def test_what_a_response_raises_costs_that_response_alone(
    node: Agent, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    meter.usage(Evil(error))
    assert marks.flush(60)
    meter.usage({**CHAT, "seed": 10**5000})  # a number that nothing writes
    assert marks.flush(60)
    assert marks.dropped() == {"usage": 1}
    assert quantities(node)["gpt-4o", "input"] == "9"
    assert capfd.readouterr().err == ""


def test_nothing_is_waited_for_where_no_agent_is(tmp_path: Path) -> None:
    script = (
        "import meter, time\n"
        "began = time.monotonic()\n"
        f"for n in range(1000): meter.usage({CHAT!r})\n"
        "assert time.monotonic() - began < 5\n"
        "print('done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path),
            "METER_SOCKET": str(tmp_path / "nobody.sock"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
