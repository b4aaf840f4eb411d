"""Laws of normalising: tokens are conserved, content alone decides, and no text gets through."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.hosted import otlp
from meter.hosted.reading import Context, read
from meter.hosted.tokens import Tokens, split
from meter.hosted_facts import TOKEN_METERS, Meter
from tests.hosted.recorded import (
    ANSWERS,
    CANARY,
    FOLDER,
    MARCH_US,
    NAMES,
    NOW_US,
    context,
    read_recorded,
    recorded,
    token_sum,
)

COUNT = st.integers(0, 10**10)
PARTS = st.lists(
    st.tuples(
        st.sampled_from([Meter.CACHE_WRITE_5M, Meter.CACHE_WRITE_1H, Meter.CACHE_WRITE_30M]), COUNT
    ),
    max_size=3,
    unique_by=lambda part: part[0],
).map(tuple)
TOKENS = st.builds(
    Tokens,
    input=COUNT,
    output=COUNT,
    cached=COUNT,
    written=st.none() | COUNT,
    write_parts=PARTS,
    input_audio=COUNT,
    output_audio=COUNT,
    total=st.none() | COUNT,
)


@given(TOKENS)
def test_meters_are_disjoint_never_negative_and_add_up_to_the_totals(tokens: Tokens) -> None:
    found = split(tokens)
    amounts = [quantity.amount for quantity in found.quantities]
    assert all(amount is not None and amount >= 0 for amount in amounts)
    assert sum(amount for amount in amounts if amount) == (tokens.input or 0) + (tokens.output or 0)
    assert len({quantity.meter for quantity in found.quantities}) == len(amounts)


@given(TOKENS)
def test_parts_are_as_told_unless_they_contradict(tokens: Tokens) -> None:
    found = split(tokens)
    amounts = {one.meter: int(one.amount or 0) for one in found.quantities}
    kept = (
        amounts.get(Meter.CACHED_INPUT, 0) == tokens.cached
        and amounts.get(Meter.INPUT_AUDIO, 0) == tokens.input_audio
        and amounts.get(Meter.OUTPUT_AUDIO, 0) == tokens.output_audio
        and all(amounts.get(meter, 0) == count for meter, count in tokens.write_parts)
    )
    assert kept or "contradiction" in found.flags
    assert bool(found.told) <= ("contradiction" in found.flags)


@given(cached=COUNT, written=COUNT, fresh=COUNT, output=COUNT)
def test_openai_and_anthropic_tell_the_same_request_alike(
    cached: int, written: int, fresh: int, output: int
) -> None:
    whole = cached + written + fresh
    openai = {
        **recorded("openai_responses"),
        "usage": {
            "input_tokens": whole,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "output_tokens": output,
            "total_tokens": whole + output,
        },
    }
    anthropic = {
        **recorded("anthropic_message"),
        "usage": {
            "input_tokens": fresh,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written,
            "output_tokens": output,
        },
    }
    one, other = (read(raw, context(at_us=MARCH_US))[0] for raw in (openai, anthropic))
    assert one.quantities == other.quantities
    assert one.context_tokens == other.context_tokens == whole
    assert token_sum([one]) == whole + output


@given(prompt=COUNT, candidates=COUNT, thoughts=COUNT, tools=COUNT, share=st.floats(0, 1))
def test_gemini_tokens_are_conserved(
    prompt: int, candidates: int, thoughts: int, tools: int, share: float
) -> None:
    usage = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tools,
        "cachedContentTokenCount": int(prompt * share),
        "totalTokenCount": prompt + candidates + thoughts + tools,
    }
    found = read({**recorded("vertex_rest"), "usageMetadata": usage}, context())
    assert token_sum(found) == usage["totalTokenCount"]
    assert found[0].flags == ()


@pytest.mark.parametrize("name", ["openai_chat", "gemini_rest", "bedrock_converse", "mistral_chat"])
def test_recorded_tokens_are_those_of_the_told_total(name: str) -> None:
    raw = recorded(name)
    usage = raw.get("usage") or raw["usageMetadata"]
    total = next(
        usage[key] for key in ("total_tokens", "totalTokenCount", "totalTokens") if key in usage
    )
    assert token_sum(read_recorded(name)) == total


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same content with the fields of each object in another order."""
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(value[name], chance) for name in names}
    return [shuffled(one, chance) for one in value] if isinstance(value, list) else value


@given(st.sampled_from(ANSWERS), st.integers(0, 2**32))
def test_the_order_of_fields_does_not_matter(name: str, seed: int) -> None:
    beside: dict[str, Any] = {"at_us": MARCH_US, "model": "m", "id": None}
    provider = None if name.startswith("litellm") else name.partition("_")[0]
    there = Context(now_us=NOW_US, provider=provider, **beside)
    raw = recorded(name)
    assert read(shuffled(raw, random.Random(seed)), there) == read(raw, there)


@given(st.sampled_from(ANSWERS), st.integers(0, 10**12))
def test_reading_is_a_function_of_the_content_whenever_it_is_read(name: str, later_us: int) -> None:
    first = read_recorded(name)
    assert read_recorded(name, now_us=NOW_US + later_us) == first


@pytest.mark.parametrize("name", ANSWERS)
def test_no_text_of_a_user_gets_through(name: str) -> None:
    has_text = CANARY in (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert has_text or name in {
        "openai_chunk_last", "openai_embeddings", "anthropic_message_start", "bedrock_stream_end",
    }  # fmt: skip
    assert CANARY not in repr(read_recorded(name))


def test_no_text_of_a_user_gets_through_otlp() -> None:
    for name in (name for name in NAMES if name.startswith("otlp_metrics")):
        assert CANARY not in repr(otlp.metrics(recorded(name), NOW_US))
    raw = recorded("otlp_spans")
    assert CANARY in str(raw)
    assert CANARY not in repr(otlp.each_span(raw, NOW_US).usages)


def test_every_meter_of_a_response_is_one_of_tokens_or_unknown() -> None:
    used = {q.meter for name in ANSWERS for usage in read_recorded(name) for q in usage.quantities}
    assert used <= TOKEN_METERS | {Meter.UNKNOWN}
