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
        "anthropic_batch_line_errored",
    ):
        assert read_recorded(name) == []


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
