"""What stands for an event of usage: the same bytes as the plain way, which is written out here."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meter.hosted_facts import TOKEN_METERS, Adapter, Meter, Quantity, Training, Usage
from meter.ledger.forms import chained_forms
from meter.ledger.instants import hour_of, timestamp
from meter.usage_entries import AT_RECEIVED, entry, event_key, line_of, usage_sha256

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(
    ["\x1f", "a\x1f", '"', "\\", "]\n[", "é\u2028"]
)
optional = st.none() | texts
amounts = st.integers(0, 10**12 - 1).map(Decimal) | st.decimals(0, 10**9, places=6)
quantities = st.builds(Quantity, st.sampled_from(sorted(TOKEN_METERS)), amounts) | st.just(
    Quantity(Meter.UNKNOWN, None)
)
usages = st.builds(
    Usage,
    source=texts,
    id=texts,
    at_us=st.integers(1_420_070_400_000_000, 4_102_444_800_000_000),
    provider=texts,
    model=texts,
    quantities=st.lists(quantities, min_size=1, max_size=3).map(tuple),
    base_model=optional,
    project=optional,
    run_id=optional,
    region=optional,
    service_tier=optional,
    context_tokens=st.none() | st.integers(0, 10**12),
    training=st.none() | st.sampled_from(Training),
    adapter=st.none() | st.sampled_from(Adapter),
    parameters_b=st.none() | st.decimals(0, 10**6, places=6),
    flags=st.lists(st.sampled_from([AT_RECEIVED, "rounded", "é"]), unique=True).map(tuple),
    told=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    pays=optional,
)


def digits(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"


def plain_sha256(value: Usage) -> str:
    """The hash of what an event says, as it has been from the first version on."""
    said = [
        value.source, value.id, "" if AT_RECEIVED in value.flags else str(value.at_us),
        value.provider, value.model, value.base_model or "", value.project or "",
        value.run_id or "", value.region or "", value.service_tier or "",
        "" if value.context_tokens is None else str(value.context_tokens),
        value.training or "", value.adapter or "", digits(value.parameters_b),
    ]  # fmt: skip
    said += [part for one in value.quantities for part in (one.meter.value, digits(one.amount))]
    said += [part for pair in value.told for part in pair]
    text = "\x1f".join(said)
    if text.count("\x1f") >= len(said):
        text = "\x1f".join([",".join(str(len(field)) for field in said), text])
    return hashlib.sha256(text.encode()).hexdigest()


def plain_rows(value: Usage, seq: int, recorded_us: int) -> list[tuple[object, ...]]:
    """The rows of an event, as its table has them."""
    return [
        (
            int(event_key(value.source, value.id)), value.source, value.id, timestamp(value.at_us),
            timestamp(hour_of(value.at_us)), value.provider, value.model, value.base_model,
            one.meter.value, one.amount, value.region, value.service_tier,
            value.training and value.training.value, value.adapter and value.adapter.value,
            value.parameters_b, value.context_tokens, value.project or value.pays or "default",
            value.run_id, json.dumps(value.flags, ensure_ascii=False) if value.flags else None,
            json.dumps(dict(value.told), ensure_ascii=False) if value.told else None,
            plain_sha256(value), seq, timestamp(recorded_us),
        )
        for one in value.quantities
    ]  # fmt: skip


@given(usages)
def test_the_hash_of_an_event_is_what_it_always_was(value: Usage) -> None:
    assert usage_sha256(value) == plain_sha256(value)


@given(usages, st.integers(0, 2**50), st.integers(0, 2**52))
def test_the_lines_of_an_event_are_those_that_the_chain_makes_of_its_rows(
    value: Usage, seq: int, recorded_us: int
) -> None:
    made = entry(value)
    recorded = f"{timestamp(recorded_us).isoformat(timespec='microseconds')}Z"
    form = chained_forms()["usage_event"]
    assert [line_of(head, seq, recorded).encode() for head in made.heads] == [
        form.line(row) for row in plain_rows(value, seq, recorded_us)
    ]
    assert (made.key, made.sha256) == (event_key(value.source, value.id), plain_sha256(value))
