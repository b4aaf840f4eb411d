"""Usage over HTTP: each event answered for itself, durable when answered, no text ever kept."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.agents import Agent, agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "the canary sings of a merger"
EVENT = {
    "id": "1", "at": "2026-11-20T10:00:00Z", "provider": "openai", "model": "gpt-4o",
    "meter": "input", "quantity": 1_000,
}  # fmt: skip
RESPONSE = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_763_900_000,
    "model": "ft:gpt-4o-2024-08-06:lab::x", "service_tier": "default",
    "messages": [{"role": "user", "content": CANARY}],
    "choices": [{"index": 0, "message": {"role": "assistant", "content": CANARY}}],
    "usage": {
        "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 40},
    },
}  # fmt: skip
PRICE = {
    "provider": "openai", "model": "gpt-4o", "meter": "input", "per": 1_000_000,
    "currency": "USD", "value": "2.5", "source": "list", "licence": "own data",
    "source_date": "2026-11-01",
}  # fmt: skip


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Agent]:
    with agent(tmp_path) as made:
        made.hear("reading")
        yield made


def post(node: Agent, body: bytes, **headers: str) -> tuple[int, dict]:
    """A request as written, over the socket."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with socket.socket(socket.AF_UNIX) as there, closing(http.client.HTTPConnection("x")) as made:
        there.settimeout(60)
        there.connect(node.socket)
        made.sock = there
        made.request("POST", "/v1/usage", body, {"Content-Type": "application/json", **named})
        answer = made.getresponse()
        return answer.status, json.loads(answer.read())


def usage(node: Agent, query: str = "") -> dict[tuple[str, str], str]:
    rows = node.ask("GET", f"/v1/usage{query}")[1]["usage"]
    return {(row["model"], row["meter"]): row["quantity"] for row in rows}


def test_one_event_is_answered_by_its_status(node: Agent) -> None:
    stored = {"status": "stored", "source": "openai", "id": "1"}
    assert node.ask("POST", "/v1/usage", EVENT) == (201, stored)
    assert node.ask("POST", "/v1/usage", EVENT) == (200, {**stored, "status": "duplicate"})
    status, answer = node.ask("POST", "/v1/usage", {**EVENT, "quantity": 2_000})
    assert (status, answer["outcome"]) == (409, "conflict")
    assert answer["stored"]["quantities"] == {"input": "1000"}
    assert answer["given"]["quantities"] == {"input": "2000"}
    status, answer = node.ask("POST", "/v1/usage", {**EVENT, "id": "2", "quantity": -1})
    assert (status, answer["outcome"]) == (422, "invalid")
    assert "quantity" in answer["detail"]
    assert usage(node) == {("gpt-4o", "input"): "1000"}


def test_each_of_several_is_answered_for_itself(node: Agent) -> None:
    other = {"provider": "openai", "id": "9", "response": {**RESPONSE, "id": "chatcmpl-9"}}
    several = [EVENT, {**EVENT, "id": "2", "quantity": "NaN"}, EVENT, RESPONSE, other, "no event"]
    status, answer = node.ask("POST", "/v1/usage", several)
    assert status == 200
    outcomes = [one["status"] for one in answer["results"]]
    assert outcomes == ["stored", "invalid", "duplicate", "stored", "stored", "invalid"]
    assert {name: answer[name] for name in ("stored", "duplicate", "conflict", "invalid")} == {
        "stored": 3, "duplicate": 1, "conflict": 0, "invalid": 2,
    }  # fmt: skip
    tuned = "ft:gpt-4o-2024-08-06:lab::x"
    assert usage(node)[tuned, "cached_input"] == "80"
    assert usage(node)[tuned, "input"] == "120"
    assert usage(node, "?from=2026-01-01") == {("gpt-4o", "input"): "1000"}


@pytest.mark.parametrize("token", ["NaN", "1e400", "-Infinity", "01", '1,"id":"2"'])
def test_a_token_that_is_no_json_keeps_only_its_own_event_out(node: Agent, token: str) -> None:
    before, wrong, after = ({**EVENT, "id": each, "quantity": 7} for each in "123")
    body = json.dumps([before, {**wrong, "quantity": "HERE"}, after]).replace('"HERE"', token)
    status, answer = post(node, body.encode())
    assert status == 200
    assert (answer["stored"], answer["invalid"]) == (2, 1)
    assert [one["status"] for one in answer["results"]] == ["stored", "invalid", "stored"]
    assert "RFC 8259" in answer["results"][1]["reason"]
    assert usage(node) == {("gpt-4o", "input"): "14"}


def test_what_is_answered_is_kept_when_the_agent_is_killed(tmp_path: Path) -> None:
    with agent(tmp_path) as first:
        first.hear("reading")
        several = [{**EVENT, "id": str(n)} for n in range(500)]
        assert first.ask("POST", "/v1/usage", several)[1]["stored"] == 500
        first.kill()
    with agent(tmp_path) as second:
        second.hear("reading")
        assert second.ask("POST", "/v1/usage", several)[1]["duplicate"] == 500
        assert usage(second) == {("gpt-4o", "input"): "500000"}
        second.stop()


def test_usage_is_priced_once_a_price_is_known(node: Agent) -> None:
    node.ask("POST", "/v1/usage", EVENT)
    (row,) = node.ask("GET", "/v1/usage")[1]["usage"]
    assert (row["amount"], row["unpriced"]) == (None, 1)
    assert node.ask("POST", "/v1/prices", {"prices": [PRICE]})[0] == 201
    (row,) = node.ask("GET", "/v1/usage")[1]["usage"]
    assert (row["amount"], row["currency"], row["unpriced"]) == ("0.0025", "USD", 0)


def test_usage_of_a_run_is_in_its_document(node: Agent) -> None:
    node.begin("r1")
    node.ask("POST", "/v1/prices", {"prices": [PRICE]})
    node.ask("POST", "/v1/usage", {**EVENT, "run": "r1"})
    document = node.end("r1")
    (one,) = document["usage"]
    assert (one["meter"], one["quantity"], one["unpriced"]) == ("input", 1_000, 0)
    cost = [row for row in document["cost"] if row["kind"] == "api_tokens"]
    assert [row["amount"]["value"] for row in cost] == ["0.0025"]
    assert document["prices"][0]["source"] == "list"


def test_what_was_odd_is_answered_and_noticed_in_the_run(node: Agent) -> None:
    node.ask("POST", "/v1/runs", {"id": "tuned"})
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 9, "news": 3}
    odd = {"source": "s", "id": "odd", "run": "tuned", "response": {**RESPONSE, "usage": usage}}
    odd["response"]["service_tier"] = [CANARY]
    several = [odd, {**EVENT, "run": "tuned", "id": '"["'}]
    first, plain = node.ask("POST", "/v1/usage", several)[1]["results"]
    assert first["flags"] == ["contradiction", "field_changed:service_tier", "unknown_fields"]
    assert "flags" not in plain
    assert node.ask("POST", "/v1/usage", odd)[1]["flags"] == first["flags"]
    notices = {one["code"]: one for one in node.ask("GET", "/v1/runs/tuned")[1]["notices"]}
    for flag in first["flags"]:
        notice = notices[f"usage_{flag.partition(':')[0]}"]
        assert notice["severity"] == "warning"
        assert f"{flag}: 1 event that" in notice["text"]
    assert "in another form than is known" in notices["usage_field_changed"]["text"]


def test_gzip_is_taken_and_what_is_none_refused(node: Agent) -> None:
    packed = gzip.compress(json.dumps(EVENT).encode())
    assert post(node, packed, content_encoding="gzip")[0] == 201
    assert post(node, packed[:-3], content_encoding="gzip")[0] == 422
    assert post(node, b"plain", content_encoding="gzip")[0] == 422
    assert post(node, packed, content_encoding="br")[0] == 422
    bomb = gzip.compress(b" " * (70 << 20))
    status, answer = post(node, bomb, content_encoding="gzip")
    assert status == 422
    assert "unpacked" in answer["detail"]


BAD = (
    b"", b"{", b"[1", b"\xff\xfe", b'{"id":NaN}', b"1", b'"x"', b"[" * 2_000,
    b'{"id":"1","id":"2"}', json.dumps({**EVENT, "quantity": 2**63}).encode(),
    json.dumps(EVENT).replace("1000", "1e400").encode(),
    json.dumps({**EVENT, "at": "1970-01-01T00:00:00Z"}).encode(),
    json.dumps({**EVENT, "at": "2100-01-01T00:00:00Z"}).encode(),
    json.dumps({**RESPONSE, "created": 4_102_444_800}).encode(),
    json.dumps({"provider": "anthropic", "response": RESPONSE}).encode(),
)  # fmt: skip


def test_bad_input_is_refused_with_a_reason_and_nothing_is_kept(node: Agent) -> None:
    for body in BAD:
        status, answer = post(node, body)
        assert status == 422, (body[:80], answer)
        assert answer["detail"]
        assert CANARY not in json.dumps(answer)
    assert usage(node) == {}


def test_too_many_events_are_refused(node: Agent) -> None:
    status, answer = node.ask("POST", "/v1/usage", [EVENT] * 10_001)
    assert status == 422
    assert "10,000 at most" in answer["detail"]


def test_prompts_and_answers_are_never_stored(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        wrong = {**RESPONSE, "usage": {"prompt_tokens": CANARY}}
        several = [RESPONSE, wrong, {"id": "x", "response": {**RESPONSE, "model": CANARY * 9}}]
        changed = {**RESPONSE, "id": "chatcmpl-2", "service_tier": {"why": CANARY}}
        changed["usage"] = {**RESPONSE["usage"], "prompt_tokens_details": [CANARY]}
        batch = {
            "recordId": "1",
            "modelInput": {"inputText": CANARY},
            "modelOutput": {"inputTextTokenCount": 3, "results": [{"outputText": CANARY}]},
        }
        several += [changed, {"provider": "bedrock", "model": "titan", "response": batch}]
        answer = node.ask("POST", "/v1/usage", several)[1]
        statuses = [one["status"] for one in answer["results"]]
        assert statuses == ["stored", "invalid", "invalid", "stored", "stored"]
        assert answer["results"][3]["flags"] == [
            "field_changed:prompt_tokens_details", "field_changed:service_tier",
        ]  # fmt: skip
        assert CANARY not in json.dumps(answer)
        told = json.dumps(node.ask("GET", "/v1/usage")[1]) + str(node.page())
        files = [path for path in tmp_path.rglob("*") if path.is_file()]  # with the log before it
        kept = b"".join(path.read_bytes() for path in files)
        node.stop()
    kept += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "cached_input" in told
    assert CANARY not in told
    assert CANARY.encode() not in kept
    assert b"chatcmpl-1" in kept


def test_a_stream_counts_once_whatever_part_comes_first(node: Agent) -> None:
    part = {
        "id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 1_763_900_000,
        "model": "gpt-4o", "choices": [{"delta": {"content": CANARY}}], "usage": None,
    }  # fmt: skip
    last = {**part, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 6}}
    found = [post(node, json.dumps(one).encode()) for one in (part, part, last, part, last)]
    said = [answer.get("status") or answer.get("outcome") for _, answer in found]
    assert said == ["unused", "unused", "stored", "unused", "duplicate"]


def test_a_stream_whose_parts_say_nothing_of_usage_counts_once_with_its_end(node: Agent) -> None:
    chunk = {
        "id": "cmpl-m", "object": "chat.completion.chunk", "created": 1_763_900_000,
        "model": "mistral-small-latest",
        "choices": [{"index": 0, "delta": {"content": CANARY}, "finish_reason": None}],
    }  # fmt: skip
    begun = {
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "model": "claude-haiku-4-5",
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
    }  # fmt: skip
    text = {"type": "content_block_delta", "index": 0, "delta": {"text": CANARY}}
    part = {
        "candidates": [{"content": {"parts": [{"text": CANARY}]}}], "responseId": "g-1",
        "modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 3},
    }  # fmt: skip
    parts = [chunk, begun, text, part]
    answer = node.ask("POST", "/v1/usage", parts)[1]
    assert (answer["stored"], answer["unused"], answer["invalid"]) == (2, 2, 0)
    ended = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    last = [
        {**ended, "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}},
        {"id": "msg_1", "type": "message", "model": "claude-haiku-4-5",
         "usage": {"input_tokens": 3, "output_tokens": 9}},
        {**part, "candidates": [{"finishReason": "STOP"}],
         "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}},
    ]  # fmt: skip
    assert node.ask("POST", "/v1/usage", last)[1]["stored"] == 3
    for again in (last, parts, [*reversed(parts), *last]):
        answer = node.ask("POST", "/v1/usage", again)[1]
        assert (answer["stored"], answer["conflict"], answer["invalid"]) == (0, 0, 0)
    rows = node.ask("GET", "/v1/usage")[1]["usage"]
    found = {(row["provider"], row["meter"]): int(row["quantity"]) for row in rows}
    assert found == {
        ("mistral", "input"): 5, ("mistral", "output"): 6, ("anthropic", "input"): 3,
        ("anthropic", "output"): 9, ("gemini", "input"): 3, ("gemini", "output"): 2,
    }  # fmt: skip
    assert {row["event_count"] for row in rows} == {1}


@pytest.mark.parametrize("field", ["id", "source"])
def test_half_a_surrogate_pair_is_refused_alone(node: Agent, field: str) -> None:
    good = {**EVENT, "id": "good"}
    status, answer = post(node, json.dumps([{**EVENT, field: "\ud800"}, good]).encode())
    assert (status, [one["status"] for one in answer["results"]]) == (200, ["invalid", "stored"])
    status, _ = post(node, json.dumps({**EVENT, field: "\ud800"}).encode())
    assert status == 422
