"""What is no usage is refused with a reason that a poster can act on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.errors import UsageError
from meter.hosted import jsonl
from meter.hosted.reading import read
from tests.hosted.recorded import ANSWERS, CANARY, MARCH_US, context, meters, recorded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def with_prompt_tokens(value: object) -> dict[str, Any]:
    return {**recorded("openai_chat"), "usage": {"prompt_tokens": value, "completion_tokens": 1}}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (-1, "below zero"),
        (2**63, "not below"),
        (Decimal("1e400"), "not below"),
        (Decimal("-0.5"), "below zero"),
        (Decimal("1.5"), "no whole number"),
        (Decimal("NaN"), "no number"),
        (Decimal("Infinity"), "no number"),
        (float("nan"), "no number"),
        (True, "no number"),
        ("many", "no number"),
    ],
)
def test_a_count_that_is_none_is_refused(value: object, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        read(with_prompt_tokens(value), context())
    assert "prompt_tokens" in str(refused.value)


def changed(name: str, place: str, value: object) -> dict[str, Any]:
    """A recorded response in which the field at a dotted place has another form."""
    raw = recorded(name)
    at, *names = place.split(".")
    within = raw
    while names:
        within, (at, *names) = within[at], names
    within[at] = value
    return raw


@pytest.mark.parametrize("value", [[CANARY], {"text": CANARY}, [{"cached_tokens": 7}]])
@pytest.mark.parametrize(
    ("name", "place", "found"),
    [
        ("openai_chat", "usage.prompt_tokens", {"input": 400, "output": 268}),
        ("openai_chat", "usage.prompt_tokens_details.cached_tokens", {"input": 1424}),
        ("openai_chat", "service_tier", {"input": 400}),
        ("openai_chat", "system_fingerprint", {"input": 400}),
        ("openai_responses", "created_at", {"output": 300}),
        ("anthropic_message", "usage.inference_geo", {"input": 464}),
        ("anthropic_batch_line", "result.message.usage.output_tokens", {"input": 464}),
        ("gemini_rest", "usageMetadata.thoughtsTokenCount", {"output": 200}),
        ("vertex_rest", "usageMetadata.trafficType", {"output": 300}),
        ("bedrock_converse", "usage.cacheReadInputTokens", {"input": 464}),
        ("litellm_payload", "startTime", {"output": 300}),
    ],
)
def test_a_scalar_that_becomes_a_list_or_an_object_is_left_out_and_named(
    name: str, place: str, found: dict[str, int | None], value: object
) -> None:
    (usage,) = read(changed(name, place, value), context(at_us=MARCH_US, model="m"))
    assert meters(usage).items() >= found.items()
    flags = [flag for flag in usage.flags if flag.startswith("field_changed:")]
    field = "".join(
        f"_{c.lower()}" if c.isupper() else c for c in place.rsplit(".", maxsplit=1)[-1]
    )
    known = place != "system_fingerprint"  # which is not read at all
    assert [flag.lower().replace("_", "") for flag in flags] == [
        f"fieldchanged:{field.replace('_', '')}"
    ] * known
    assert CANARY not in repr(usage)
    assert "'7'" not in repr(usage)


@pytest.mark.parametrize("value", [[{"cached_tokens": 7, "note": CANARY}], CANARY, 7])
def test_an_object_that_becomes_something_else_is_left_out_and_named(value: object) -> None:
    raw = changed("openai_chat", "usage.prompt_tokens_details", value)
    (usage,) = read(raw, context())
    assert meters(usage)["input"] == 2_000
    assert "field_changed:prompt_tokens_details" in usage.flags
    assert CANARY not in repr(usage)
    (usage,) = read(changed("openai_chat", "usage", value), context())
    assert meters(usage) == {"unknown": None}
    assert usage.flags == ("field_changed:usage", "usage_unknown")
    (usage,) = read(
        changed("gemini_rest", "usageMetadata.promptTokensDetails", value), context(at_us=MARCH_US)
    )
    wrong = not isinstance(value, list)
    assert ("field_changed:prompt_tokens_details" in usage.flags) == wrong


def test_where_nothing_is_left_to_be_read_it_is_refused() -> None:
    with pytest.raises(UsageError, match="status_code of the response is no number"):
        read(changed("openai_batch_line", "response.status_code", {"code": 200}), context())
    for place in ("model", "id"):
        with pytest.raises(UsageError) as refused:
            read(changed("anthropic_message", place, [CANARY]), context())
        assert CANARY not in str(refused.value)


@given(st.sampled_from(ANSWERS), st.data())
def test_whatever_form_fields_take_no_text_gets_through(name: str, data: st.DataObject) -> None:
    raw = recorded(name)
    for _ in range(data.draw(st.integers(1, 3))):
        at = raw
        while True:
            key = data.draw(st.sampled_from(sorted(at)))
            inner = at[key]
            if not (isinstance(inner, dict) and inner and data.draw(st.booleans())):
                break
            at = inner
        at[key] = data.draw(st.sampled_from([[CANARY], {"a": CANARY}, [[{"b": CANARY}]]]))
    try:
        told = repr(read(raw, context(at_us=MARCH_US, model="m", provider=None)))
    except UsageError as refused:
        told = str(refused)
    assert CANARY not in told


@pytest.mark.parametrize("value", ["12", Decimal("12.0"), 12.0])
def test_a_whole_number_is_taken_however_it_is_written(value: object) -> None:
    (usage,) = read(with_prompt_tokens(value), context())
    assert usage.quantities[0].amount == 12


@pytest.mark.parametrize(
    "created", [0, 86_400, 4_102_444_800, 4_102_444_800_000, 10**30, "soon", True]
)
def test_years_1970_and_2100_and_what_is_no_time_are_refused(created: object) -> None:
    with pytest.raises(UsageError, match="the response's time"):
        read({**recorded("openai_chat"), "created": created}, context())


def test_over_a_day_ahead_is_refused() -> None:
    with pytest.raises(UsageError, match="a day from now"):
        read(recorded("openai_chat"), context(now_us=MARCH_US - 86_400_000_001))
    assert read(recorded("openai_chat"), context(now_us=MARCH_US - 86_400_000_000))


@pytest.mark.parametrize(
    ("name", "provider", "looks_like"),
    [
        ("openai_chat", "anthropic", "openai"),
        ("openai_responses", "gemini", "openai"),
        ("anthropic_message", "openai", "anthropic"),
        ("gemini_rest", "openai", "gemini or vertex"),
        ("bedrock_converse", "azure", "bedrock"),
        ("openai_batch_line", "anthropic", "openai"),
        ("anthropic_batch_line", "openai", "anthropic"),
        ("litellm_payload", "openai", "anthropic"),
    ],
)
def test_a_wrong_provider_is_told_what_it_looks_like(
    name: str, provider: str, looks_like: str
) -> None:
    with pytest.raises(UsageError) as refused:
        read(recorded(name), context(provider=provider, at_us=MARCH_US, model="m"))
    assert looks_like in str(refused.value)


def test_spellings_of_a_provider_are_one() -> None:
    for spelling in ("azure", "Azure", "azure_openai", "az.ai.openai"):
        (usage,) = read(recorded("azure_chat"), context(provider=spelling))
        assert usage.provider == "azure"
    (vertex,) = read(recorded("vertex_rest"), context(provider="vertex_ai"))
    assert vertex.provider == "vertex"


def test_an_answer_that_many_could_have_given_wants_a_provider() -> None:
    with pytest.raises(UsageError, match="whose it is"):
        read(recorded("together_chat"), context())


@pytest.mark.parametrize("raw", [{}, {"usage": {}}, {"text": "hello"}, {"usage": {"tokens": 4}}])
def test_an_unknown_shape_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="none that is known"):
        read(raw, context())


def test_without_a_model_it_is_refused() -> None:
    with pytest.raises(UsageError, match="names no model"):
        read(recorded("bedrock_converse"), context())


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a" * 300, "\ud800"])
def test_an_id_that_is_none_is_refused(text: str) -> None:
    raw = {**recorded("openai_chat"), "id": text or " "}
    with pytest.raises(UsageError, match="id"):
        read(raw, context())


@given(st.sampled_from(ANSWERS), st.data())
def test_whatever_stands_in_a_response_it_is_read_or_refused(
    name: str, data: st.DataObject
) -> None:
    raw = recorded(name)
    at = raw
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        if not (isinstance(at[key], dict) and at[key] and data.draw(st.booleans())):
            break
        at = at[key]
    at[key] = data.draw(JSON)
    try:
        found = read(raw, context(at_us=MARCH_US, model="m", provider=None))
    except UsageError as refused:
        assert refused.remedy
    else:
        amounts = [one.amount for usage in found for one in usage.quantities]
        assert all(amount is None or amount >= 0 for amount in amounts)


@pytest.mark.parametrize(
    "fault", [b'{"usage":{"prompt_tokens":NaN}}', b'{"usage":{"prompt_tokens":1e400}}']
)
def test_json_that_is_none_does_not_get_as_far(fault: bytes) -> None:
    with pytest.raises(UsageError, match="character 27"):
        jsonl.parse(fault)
