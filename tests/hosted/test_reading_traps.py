"""Each trap of normalising usage has a test, and each shape of response an example."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meter.errors import UsageError
from meter.hosted import jsonl, otlp
from meter.hosted.models import base_model, checkpoint_step
from meter.hosted.moments import told_us
from meter.hosted.reading import normalised, read
from tests.hosted.recorded import (
    ANSWERS,
    CANARY,
    MARCH_US,
    NOW_US,
    context,
    meters,
    one,
    read_recorded,
    recorded,
)

# The same request as each provider would tell of it: 464 fresh, 1024 cached, 512 written, 300 out.
SAME = {
    "input": 464,
    "cached_input": 1024,
    "cache_write_5m": 312,
    "cache_write_1h": 200,
    "output": 300,
}


def test_n01_openai_cached_and_written_are_inside_the_input() -> None:
    usage = one("openai_chat")
    assert meters(usage) == {
        "input": 400,
        "cached_input": 1024,
        "cache_write": 512,
        "input_audio": 64,
        "output": 268,
        "output_audio": 32,
    }
    assert usage.context_tokens == 2000
    assert usage.flags == ()


def test_n01_uncached_input_is_never_negative() -> None:
    raw = recorded("openai_chat")
    raw["usage"]["prompt_tokens_details"]["cached_tokens"] = 2500
    (usage,) = read(raw, context())
    assert meters(usage)["cached_input"] == 2000
    assert "input" not in meters(usage)
    assert "contradiction" in usage.flags
    assert dict(usage.told)["cached_tokens"] == "2500"


def test_n02_anthropic_input_is_without_its_cache_and_comes_out_the_same() -> None:
    usage = one("anthropic_message")
    assert meters(usage) == SAME
    assert usage.context_tokens == 2000
    assert meters(one("litellm_payload")) == SAME
    assert meters(one("bedrock_converse")) == SAME


def test_n03_parts_of_a_cache_write_add_up_to_it() -> None:
    assert (
        sum(meters(one("anthropic_message"))[f"cache_write_{ttl}"] or 0 for ttl in ("5m", "1h"))
        == 512
    )
    by_ttl = meters(one("openai_responses"))
    assert (by_ttl["cache_write_30m"], by_ttl["cache_write_12h"]) == (300, 200)
    assert "cache_write" not in by_ttl


def test_n03_what_no_part_names_is_the_default_and_too_much_is_flagged() -> None:
    raw = recorded("anthropic_message")
    raw["usage"]["cache_creation_input_tokens"] = 600
    (more,) = read(raw, context(at_us=MARCH_US))
    assert meters(more) == {**SAME, "cache_write": 88}
    raw["usage"]["cache_creation_input_tokens"] = 400
    (less,) = read(raw, context(at_us=MARCH_US))
    assert meters(less) == {**SAME, "cache_write_1h": 88}
    assert less.flags == ("contradiction",)
    del raw["usage"]["cache_creation"]
    (whole,) = read(raw, context(at_us=MARCH_US))
    assert meters(whole)["cache_write"] == 400


def test_n04_gemini_thoughts_are_output_and_the_cache_is_inside_the_prompt() -> None:
    usage = one("gemini_rest")
    # Audio is 100 of the prompt, of which 40 came from the cache.
    assert meters(usage) == {"input": 966, "cached_input": 1024, "input_audio": 60, "output": 300}
    assert dict(usage.told)["thoughts_token_count"] == "100"
    assert usage.flags == ()
    assert meters(one("gemini_sdk")) == {"input": 976, "cached_input": 1024, "output": 300}


def test_n05_reasoning_is_inside_the_output() -> None:
    usage = one("openai_responses")
    assert meters(usage)["output"] == 300
    assert dict(usage.told)["reasoning_tokens"] == "256"
    spans = otlp.each_span(recorded("otlp_spans"), NOW_US).usages
    assert meters(spans[0]) == {
        "input": 464,
        "cached_input": 1024,
        "cache_write": 512,
        "output": 300,
    }


@pytest.mark.parametrize("name", ["openai_chunk_without_usage", "anthropic_message_start"])
def test_n06_a_stream_without_usage_is_unknown_and_not_zero(name: str) -> None:
    raw = recorded(name)
    raw.pop("usage", None)  # without include_usage no part has the field
    (usage,) = read(raw, context())
    assert meters(usage) == {"unknown": None}
    assert "usage_unknown" in usage.flags


def test_n06_a_part_of_a_stream_that_will_tell_its_usage_is_no_event() -> None:
    raw = recorded("openai_chunk_without_usage")
    assert raw["usage"] is None
    assert read(raw, context()) == []


@pytest.mark.parametrize("kind", ["created", "in_progress", "output_text.delta"])
def test_n06_events_before_a_response_is_complete_are_none_of_use(kind: str) -> None:
    event = recorded("openai_responses_event")
    begun = {**event["response"], "usage": None, "status": "in_progress"}
    assert read({**event, "type": f"response.{kind}", "response": begun}, context()) == []
    assert read(begun, context()) == []  # as background work is told
    assert read(event, context())[0].id == event["response"]["id"]


@pytest.mark.parametrize("name", ["gemini_rest", "gemini_sdk", "vertex_rest"])
def test_n06_parts_of_a_stream_of_gemini_are_none_of_use_before_one_says_why_it_ended(
    name: str,
) -> None:
    whole = recorded(name)
    (candidate,) = whole["candidates"]
    (ended,) = (word for word in candidate if word.startswith("finish"))
    del candidate[ended]
    assert read(whole, context(at_us=MARCH_US)) == []
    candidate[ended] = None
    assert read({**whole, "usageMetadata": None}, context(at_us=MARCH_US)) == []
    counts = {**whole, "candidates": []}  # as of a prompt that was refused
    assert meters(read(counts, context(at_us=MARCH_US))[0]) == meters(one(name))
    both = {**whole, "candidates": [candidate, {ended: "STOP"}]}
    assert len(read(both, context(at_us=MARCH_US))) == 1


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"text": CANARY}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
        {"type": "ping"},
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": CANARY}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
    ],
)
def test_n06_events_of_a_stream_that_hold_texts_or_nothing_are_none_of_use(
    event: dict[str, object],
) -> None:
    assert read(event, context()) == []


def test_n06_one_of_two_counts_leaves_the_other_unknown() -> None:
    raw = {"type": "message_delta", "usage": {"output_tokens": 12}}
    (usage,) = read(raw, context(id="m1", at_us=MARCH_US, model="claude-haiku-4-5"))
    assert meters(usage) == {"output": 12, "unknown": None}
    assert usage.flags == ("usage_unknown",)


def test_n07_tier_speed_and_traffic_come_from_the_response() -> None:
    assert one("openai_chat", service_tier="asked").service_tier == "flex"
    assert one("openai_responses", service_tier="fast").service_tier == "priority"
    assert one("vertex_rest", service_tier="asked").service_tier == "flex"
    assert one("bedrock_converse", service_tier="asked").service_tier == "flex"
    assert one("together_chat", service_tier="asked").service_tier == "asked"
    raw = recorded("anthropic_message")
    raw["usage"]["speed"] = "fast"
    assert read(raw, context(at_us=MARCH_US))[0].service_tier == "fast"
    spans = otlp.each_span(recorded("otlp_spans"), NOW_US).usages
    assert spans[0].service_tier == "default"


def test_n07_the_region_of_inference_is_kept() -> None:
    assert one("anthropic_message", region="asked").region == "eu"


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("ft:gpt-3.5-turbo-0125:acme:first:A1b2", "gpt-3.5-turbo-0125"),
        ("ft:gpt-4o-mini-2024-07-18:acme::B7x9", "gpt-4o-mini-2024-07-18"),
        ("ft:gpt-4o-mini-2024-07-18:acme::B7x9:ckpt-step-90", "gpt-4o-mini-2024-07-18"),
        ("openai/ft:gpt-4.1-2025-04-14:acme::C1", "gpt-4.1-2025-04-14"),
        ("ft:open-mistral-7b:acme:20240531:1a2b", "open-mistral-7b"),
        ("davinci:ft-acme-2023-01-02-03-04-05", "davinci"),
        ("gpt-4o-mini-2024-07-18.ft-0e208cf33a6a", "gpt-4o-mini-2024-07-18"),
        ("azure/gpt-35-turbo-0613.ft-0e20-suffix", "gpt-35-turbo-0613"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0:300k/abc123",
            "amazon.nova-lite-v1:0:300k",
        ),
        ("gpt-4o-mini-2024-07-18", None),
        ("accounts/acme/models/tuned-1", None),
        ("ft:", None),
    ],
)
def test_n10_a_tuned_model_names_its_base(model: str, base: str | None) -> None:
    assert base_model(model) == base


def test_n10_a_checkpoint_has_its_own_name_and_step() -> None:
    assert checkpoint_step("ft:gpt-4o:acme::B7:ckpt-step-90") == 90
    assert checkpoint_step("ft:gpt-4o:acme::B7") is None
    usage = one("openai_chat_tuned")
    assert usage.model == "ft:gpt-4o-mini-2024-07-18:acme::B7x9"
    assert usage.base_model == "gpt-4o-mini-2024-07-18"
    assert one("azure_chat", provider=None).base_model == "gpt-4o-mini-2024-07-18"
    assert one("azure_chat", provider=None).provider == "azure"


def test_n16_the_same_id_of_two_providers_is_two_events() -> None:
    raw = recorded("mistral_chat")
    (mistral,) = read(raw, context(provider="mistral"))
    (together,) = read(raw, context(provider="together"))
    assert mistral.id == together.id
    assert (mistral.source, together.source) == ("mistral", "together")
    assert read(raw, context(provider="mistral")) == [mistral]


def test_n16_an_id_is_derived_from_the_content_and_the_time() -> None:
    first, again = (one("gemini_sdk", id=None) for _ in range(2))
    assert first == again
    raw = recorded("bedrock_llama")
    (a,) = read(raw, context(at_us=MARCH_US, model="m"))
    (b,) = read(raw, context(at_us=MARCH_US + 1, model="m"))
    assert a.id.startswith("sha256:")
    assert a.flags == ("id_derived",)
    assert a.id != b.id
    with pytest.raises(UsageError, match="neither an id nor a time"):
        read(raw, context(model="m"))


def test_n16_the_posters_id_goes_first_and_the_responses_is_kept() -> None:
    usage = one("openai_chat", id="mine", source="batch-7")
    assert (usage.source, usage.id) == ("batch-7", "mine")
    assert dict(usage.told)["response_id"] == "chatcmpl-A1"


@pytest.mark.parametrize(
    "told",
    [
        1_772_355_600,
        Decimal("1772355600.0"),
        1_772_355_600_000,
        1_772_355_600_000_000,
        1_772_355_600_000_000_000,
        "1772355600",
        "2026-03-01T09:00:00Z",
        "2026-03-01T10:00:00+01:00",
        "2026-03-01T09:00:00.000000000Z",
        "2026-03-01 09:00",
    ],
)
def test_n21_seconds_ms_and_rfc_3339_are_one_time(told: object) -> None:
    assert told_us(told, NOW_US) == (MARCH_US, ())


def test_n21_a_clock_ahead_is_kept_and_flagged() -> None:
    assert told_us("2026-11-18T12:00:00Z", NOW_US)[1] == ("clock_ahead",)
    raw = {**recorded("openai_chat"), "created": NOW_US // 1_000_000 + 3_600}
    (usage,) = read(raw, context())
    assert usage.flags == ("clock_ahead",)


def test_n23_gauges_are_not_summed() -> None:
    found = otlp.metrics(recorded("otlp_metrics_gauge"), NOW_US)
    assert found.usages == ()
    assert found.series == ()
    assert [(one.name, "cannot be added up" in one.reason) for one in found.refused] == [
        ("gen_ai.client.energy", True)
    ]


def test_n24_counts_above_2_to_the_31_are_exact() -> None:
    text = b'{"prompt_tokens":9007199254741,"completion_tokens":1,"total_tokens":9007199254742}'
    with pytest.raises(UsageError, match="not below"):
        read({**recorded("openai_chat"), "usage": jsonl.parse(text)}, context())
    usage = jsonl.parse(b'{"prompt_tokens":4294967297,"completion_tokens":12345678901}')
    (read_as,) = read({**recorded("openai_chat"), "usage": usage}, context())
    assert meters(read_as) == {"input": 4_294_967_297, "output": 12_345_678_901}


def test_n24_quantities_are_decimal_without_binary_rounding() -> None:
    raw = jsonl.parse(
        b'{"id":"1","at":1772355600,"provider":"azure","model":"m","meter":"host_hour","quantity":0.1}'
    )
    assert isinstance(raw, dict)
    (quantity,) = normalised(raw, NOW_US).quantities
    assert quantity.amount == Decimal("0.1")
    assert dict(one("litellm_payload").told)["response_cost"] == "0.00123"


def test_batch_lines_have_the_tier_batch_and_failed_ones_no_usage() -> None:
    openai = one("openai_batch_line")
    assert (openai.id, openai.service_tier) == ("chatcmpl-B1", "batch")
    anthropic = one("anthropic_batch_line")
    assert (anthropic.id, anthropic.service_tier, meters(anthropic)) == ("msg_B1", "batch", SAME)
    for name in (
        "openai_batch_line_failed",
        "openai_batch_line_expired",
        "fireworks_batch_line_failed",
        "anthropic_batch_line_errored",
        "gemini_batch_line_failed",
        "vertex_batch_line_failed",
        "bedrock_batch_line_failed",
    ):
        assert read_recorded(name) == []


def test_a_batch_line_of_fireworks_has_its_answer_without_status_and_body() -> None:
    usage = one("fireworks_batch_line", provider=None)
    assert (usage.id, usage.provider, usage.service_tier) == ("fw-B4", "fireworks", "batch")
    assert meters(usage) == meters(one("fireworks_chat"))
    without = recorded("fireworks_batch_line")
    del without["response"]["id"]
    (first,), (again,) = (read(without, context(now_us=NOW_US + one)) for one in (0, 10**9))
    assert first.id == again.id
    (another,) = read({**without, "custom_id": "another"}, context())
    assert another.id != first.id


@pytest.mark.parametrize("name", ["together_batch_line", "mistral_batch_line"])
def test_batch_lines_in_openais_form_are_read_for_whom_they_are(name: str) -> None:
    usage = one(name)
    assert (usage.provider, usage.service_tier) == (name.partition("_")[0], "batch")
    assert meters(usage) == {"input": 50, "output": 20}


@pytest.mark.parametrize(
    "line",
    [
        {"response": None},
        {"response": {}},
        {"response": None, "error": {"message": CANARY}},
        {"response": {"error": {"message": CANARY}}},
        {"response": {"id": "1", "object": "chat.completion"}, "error": {"message": CANARY}},
    ],
)
def test_a_batch_line_that_tells_an_error_used_nothing(line: dict[str, object]) -> None:
    assert read({"custom_id": CANARY, **line}, context(provider="fireworks")) == []


@pytest.mark.parametrize(
    "response",
    [{"answer": {"usage": {}}}, {"body": {"usage": {}}}, {"status_code": None, "body": {}}],
)
def test_a_batch_line_of_a_form_that_is_not_known_is_told(response: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="neither status_code nor an answer"):
        read({"custom_id": "c", "response": response}, context())


def test_batch_lines_of_google_and_bedrock_have_the_tier_batch() -> None:
    gemini = one("gemini_batch_line", provider=None)
    assert (gemini.id, gemini.provider, gemini.service_tier) == ("G3", "gemini", "batch")
    assert meters(gemini) == meters(one("gemini_rest"))
    vertex = one("vertex_batch_line", provider=None, at_us=None)
    assert (vertex.provider, vertex.service_tier) == ("vertex", "batch")
    assert (vertex.model, vertex.at_us) == ("gemini-2.5-flash", MARCH_US + 826_000)
    assert meters(vertex) == {"input": 2000, "output": 300}
    claude = one("bedrock_batch_line", provider=None)
    assert (claude.id, claude.provider, claude.service_tier) == ("msg_bdrk_B3", "bedrock", "batch")
    assert meters(claude) == SAME
    nova = one("bedrock_batch_line_converse", provider=None)
    assert (nova.model, nova.service_tier, meters(nova)) == ("told-beside", "batch", SAME)
    assert meters(one("bedrock_batch_line_titan")) == {"input": 464, "output": 300}


def test_claude_in_a_batch_of_vertex_is_vertex() -> None:
    line = {
        "custom_id": CANARY, "request": {"messages": [CANARY]}, "status": "",
        "response": {**recorded("anthropic_message"), "id": "msg_vrtx_1"},
    }  # fmt: skip
    (usage,) = read(line, context())
    assert (usage.provider, usage.id, usage.service_tier) == ("vertex", "msg_vrtx_1", "batch")
    assert meters(usage) == SAME


@pytest.mark.parametrize(
    ("name", "field"),
    [("vertex_batch_line", "request"), ("bedrock_batch_line_converse", "recordId")],
)
def test_n16_a_line_of_a_batch_without_an_id_is_known_by_what_it_says(
    name: str, field: str
) -> None:
    line = recorded(name)
    (usage,) = read(line, context(model="m"))
    assert usage.id.startswith("batch:")
    (later,) = read(dict(reversed(line.items())), context(model="m", now_us=NOW_US + 10**9))
    assert later.id == usage.id
    (another,) = read({**line, field: {"another": 1}}, context(model="m"))
    assert another.id != usage.id


def test_of_a_batch_of_bedrock_what_tells_no_counts_is_unknown() -> None:
    line = {**recorded("bedrock_batch_line_titan"), "modelOutput": {"outputs": [{"text": CANARY}]}}
    (usage,) = read(line, context(model="mistral.mistral-7b-instruct-v0:2"))
    assert (meters(usage), usage.service_tier) == ({"unknown": None}, "batch")
    assert CANARY not in repr(usage)


def test_a_batch_of_another_provider_is_refused() -> None:
    for name in ("gemini_batch_line", "vertex_batch_line", "bedrock_batch_line"):
        with pytest.raises(UsageError, match="does not answer like this"):
            read(recorded(name), context(provider="openai", model="m"))


def test_embeddings_of_a_batch_get_the_requests_id() -> None:
    line = recorded("openai_batch_line")
    line["response"]["body"] = recorded("openai_embeddings")
    (usage,) = read(line, context(at_us=MARCH_US))
    assert usage.id == "req_1"
    assert meters(usage) == {"input": 8}


def test_an_event_of_a_stream_of_responses_is_its_response() -> None:
    whole, event = one("openai_responses"), one("openai_responses_event")
    assert whole.quantities == event.quantities
    assert event.id == "resp_R2"


def test_an_answer_from_litellms_own_cache_used_nothing() -> None:
    (usage,) = read({**recorded("litellm_payload"), "cache_hit": True}, context())
    assert meters(usage) == {"input": 0}
    assert usage.flags == ("answered_from_cache",)


def test_n07_the_tier_that_answered_is_read_from_litellms_log_too() -> None:
    payload = recorded("litellm_payload")
    tiers = [
        ({"service_tier": "flex", "choices": [CANARY]}, {}, "flex"),
        ({"service_tier": None}, {}, None),
        ({"service_tier": {"flex": 1}}, {}, None),
        (CANARY, {}, None),
        (None, {"service_tier": "standard", "speed": "fast"}, "fast"),
        ({"service_tier": "batch"}, {"speed": "fast"}, "batch"),
        ({}, {"service_tier": "priority"}, "priority"),
    ]
    for response, told, tier in tiers:
        usage_object = {**payload["metadata"]["usage_object"], **told, "inference_geo": "eu"}
        raw = {**payload, "response": response, "metadata": {"usage_object": usage_object}}
        (usage,) = read(raw, context())
        assert (usage.service_tier, usage.region) == (tier, "eu")
        assert meters(usage) == SAME
        assert CANARY not in repr(usage)
    (beside,) = read({**payload, "response": {}}, context(service_tier="flex"))
    assert (beside.service_tier, beside.region) == ("flex", None)


def test_what_azure_begins_each_stream_with_used_nothing() -> None:
    first = {
        "choices": [], "created": 0, "id": "", "model": "", "object": "",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
    }  # fmt: skip
    assert read(first, context(provider="azure")) == []
    assert read({**first, "usage": None}, context(provider="azure", model="mine")) == []
    answered = {**first, "choices": [{"delta": {"content": CANARY}}], "created": 1_772_355_600}
    (usage,) = read(answered, context(provider="azure", model="mine"))
    assert meters(usage) == {"unknown": None}


def test_other_shapes_come_out_in_the_same_meters() -> None:
    assert meters(one("mistral_chat")) == {"input": 50, "output": 20}
    assert dict(one("mistral_chat").told)["prompt_audio_seconds"] == "3"
    assert one("mistral_chat").service_tier == "standard"
    assert meters(one("fireworks_chat")) == {"input": 40, "cached_input": 10, "output": 20}
    assert meters(one("bedrock_llama")) == {"input": 464, "output": 300}
    assert meters(one("bedrock_stream_end")) == {"input": 464, "output": 300}
    assert meters(one("openai_chunk_last")) == {"input": 10, "output": 5}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_recorded_shape_is_contradictory_or_has_fields_that_are_not_known(name: str) -> None:
    flags = {flag for usage in read_recorded(name) for flag in usage.flags}
    assert flags <= {"usage_unknown", "id_derived"}


def test_numbers_that_a_provider_adds_are_kept_and_flagged() -> None:
    raw = recorded("openai_chat")
    raw["usage"]["prompt_tokens_details"]["video_tokens"] = 7
    raw["usage"]["note"] = "CANARY"
    (usage,) = read(raw, context())
    assert usage.flags == ("unknown_fields",)
    assert dict(usage.told)["prompt_tokens_details.video_tokens"] == "7"
    assert "CANARY" not in repr(usage)


def test_an_unknown_model_is_no_error() -> None:
    (usage,) = read(
        {**recorded("openai_chat"), "model": "nobody-knows-it"}, context(provider="openai")
    )
    assert usage.model == "nobody-knows-it"


def test_without_a_time_it_is_when_the_event_came_and_says_so() -> None:
    (usage,) = read(recorded("anthropic_message"), context())
    assert (usage.at_us, usage.flags) == (NOW_US, ("at_received",))
