"""Usage is stored once, priced by the books as they stand, and adds up however it is grouped."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.hosted_facts import Adapter, Charge, Meter, Quantity, Training, Usage
from meter.ledger.audit import check_batches, outside
from meter.ledger.chain import CHAINED
from meter.ledger.reader import Reader
from meter.ledger.session import Session
from meter.ledger.texts import load
from meter.ledger.usage import listed
from meter.model import LedgerBatch, Outcome, Price
from meter.usage_entries import entry, event_key
from meter.usage_intake import take_usage
from meter.usage_witness import Told, same_usage
from tests.ledger.facts import HOUR_US, START_US, registered

TOTALS = ("run", "project", "hour", "day", "device")
MODELS = ("gpt-4o", "ft:gpt-4o:lab::1")
MEMORY = Path(":memory:")


def session() -> Session:
    ticks = itertools.count(START_US + 100 * HOUR_US, 1_000_000)
    return Session(MEMORY, memory_limit_mb=64, now_us=lambda: next(ticks))


def event(event_id="1", **changes) -> Usage:
    values = {
        "source": "openai", "id": event_id, "at_us": START_US, "provider": "openai",
        "model": "gpt-4o", "quantities": (Quantity(Meter.INPUT, Decimal(1_000)),),
    }  # fmt: skip
    return Usage(**{**values, **changes})


def some(meter: Meter, amount: str) -> tuple[Quantity, ...]:
    return (Quantity(meter, Decimal(amount)),)


def price(value: str | None, **changes) -> Price:
    amount = None if value is None else Decimal(value)
    values = {
        "id": "", "provider": "openai", "model": "gpt-4o", "meter": "input", "per": 1_000_000,
        "currency": "USD", "value": amount, "low": amount, "high": amount, "source": "list",
        "recorded_us": 0, "rank": 300,
    }  # fmt: skip
    return Price(**{**values, **changes})


def told(*batches: LedgerBatch) -> Reader:
    made = session()
    for batch in batches:
        made.commit([batch])
    return Reader(made.con)


def costs(reader: Reader, **params) -> dict[tuple[str, str], Decimal]:
    """Money by event's model and meter."""
    return {
        (row["model"], row["meter"]): row["amount"] and row["amount"].scaleb(-9).normalize()
        for row in reader.rows("lines/usage_cost", **params)
    }


def cost(usage: Usage, *prices: Price) -> Decimal | None:
    """Of one event with one meter."""
    (found,) = costs(told(LedgerBatch(prices=prices), LedgerBatch(usages=(usage,)))).values()
    return found


# -- told as another provider's ------------------------------------------------------------------

OPENAI = event("chatcmpl-" + "7" * 12)
AZURE = OPENAI._replace(source="azure", provider="azure")


@pytest.mark.parametrize("apart", [False, True])
def test_an_answer_told_as_azures_that_is_there_as_openais_is_flagged_and_counts(apart) -> None:
    made = session()
    other = AZURE._replace(id="chatcmpl-" + "8" * 12, flags=("rounded",))
    short = event("7", source="azure", provider="azure")
    batches = (LedgerBatch(usages=(OPENAI, event("7"))), LedgerBatch(usages=(AZURE, other, short)))
    for commit in [batches[:1], batches[1:]] if apart else [batches]:
        made.commit(list(commit))
    ((again,),) = [made.commit([LedgerBatch(usages=(AZURE,))])[0]]
    assert again is Outcome.DUPLICATE
    found = {
        row["provider"]: (row["quantity"], row["flags"]) for row in listed(Reader(made.con), {})
    }
    assert found == {
        "openai": ("2000", {}), "azure": ("3000", {"rounded": 1, "told_as_openai": 1}),
    }  # fmt: skip
    page = check_batches(Reader(made.con), -1)
    assert page is not None
    assert page.findings == ()


# -- told first without its amounts ---------------------------------------------------------------

PART = (Quantity(Meter.UNKNOWN, None),)
UNKNOWN = event("s", quantities=PART, flags=("usage_unknown",))
OTHER_PART = UNKNOWN._replace(at_us=START_US + 7, service_tier="default")
WHOLE = event("s", quantities=some(Meter.INPUT, "5") + some(Meter.OUTPUT, "6"), at_us=START_US + 9)
LOGGED = WHOLE._replace(at_us=START_US + 11, told=(("call_type", "completion"),))


def listed_as(made: Session) -> list[tuple]:
    """What is counted, and what is odd about it, without the order of knowing."""
    reader = Reader(made.con)
    return [
        (row["model"], row["meter"], row["quantity"], row["event_count"], row["flags"])
        for row in listed(reader, {})
    ]


@given(
    st.permutations([UNKNOWN, OTHER_PART, WHOLE, LOGGED]).flatmap(
        lambda each: st.tuples(st.just(each), st.lists(st.sampled_from(each), max_size=4))
    ),
    st.integers(0, 8),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_stream_counts_once_whichever_part_is_told_when_and_how_often(told_, cut, reopened):
    order = [*told_[0], *told_[1]]
    made = session()
    outcomes = []
    for part in (order[:cut], order[cut:]):
        outcomes += made.commit([LedgerBatch(usages=tuple(part))])[0] or ()
        if reopened:
            made._recall()
    assert Outcome.CONFLICT not in outcomes
    wholes = [o for one, o in zip(order, outcomes, strict=True) if one in (WHOLE, LOGGED)]
    assert wholes.count(Outcome.STORED) == 1
    parts = [o for one, o in zip(order, outcomes, strict=True) if one in (UNKNOWN, OTHER_PART)]
    began_so = order[0] in (UNKNOWN, OTHER_PART)
    assert parts.count(Outcome.STORED) == began_so
    assert listed_as(made) == [("gpt-4o", "input", "5", 1, {}), ("gpt-4o", "output", "6", 1, {})]
    rows = stored(Reader(made.con))
    assert sum(rows.values()) == 2 + began_so  # nothing that was stored is touched
    page = check_batches(Reader(made.con), -1)
    assert page is not None
    assert page.findings == ()
    assert outside(Reader(made.con)) == []
    made.close()


def test_what_was_known_of_a_stream_then_is_what_is_reported_of_then() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(UNKNOWN, event("t", quantities=PART)))])
    before = made.recorded_us
    made.commit([LedgerBatch(usages=(WHOLE,))])
    reader = Reader(made.con)
    then = {"as_of": before, "project": None}
    rows = reader.rows("report/usage", limit=9, **then)
    assert [(row["meter"], row["event_count"]) for row in rows] == [("unknown", 2)]
    assert [row["event_count"] for row in reader.rows("report/usage_flags", **then)] == [1]
    now = {row["meter"]: row["event_count"] for row in listed(reader, {})}
    assert now == {"input": 1, "output": 1, "unknown": 1}
    made.close()


def test_after_a_part_the_whole_holds_and_another_whole_is_a_conflict_that_shows_it(
    open_ledger,
) -> None:
    made = open_ledger()
    chunk = {
        "id": RESPONSE, "object": "chat.completion.chunk", "created": START_US // 1_000_000,
        "model": "gpt-4o", "choices": [],
    }  # fmt: skip
    last = {**chunk, "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
    other = {**chunk, "usage": {"prompt_tokens": 8, "completion_tokens": 1}}
    answers = take_usage(made, [chunk, chunk, last, chunk, other], START_US + HOUR_US)
    said = [answer.outcome for answer in answers]
    assert said == ["stored", "duplicate", "stored", "duplicate", "conflict"]
    assert answers[-1].stored is not None
    assert answers[-1].stored["quantities"] == {"input": "7", "output": "1"}
    logged = {
        "id": RESPONSE, "call_type": "acompletion", "custom_llm_provider": "openai",
        "model": "gpt-4o", "startTime": START_US // 1_000_000, "prompt_tokens": 7,
        "completion_tokens": 1, "total_tokens": 8,
    }  # fmt: skip
    (again,) = take_usage(made, [logged], START_US + HOUR_US)
    assert again.outcome == "duplicate"


def test_a_whole_of_a_model_that_is_called_unknown_has_amounts() -> None:
    made = session()
    assert kept(made, UNKNOWN._replace(model="unknown")) == Outcome.STORED
    whole = WHOLE._replace(model="unknown", quantities=some(Meter.INPUT, "5"))
    assert kept(made, whole) == Outcome.STORED
    more = whole._replace(quantities=some(Meter.INPUT, "6"))
    assert kept(made, more) == Outcome.CONFLICT
    made.close()


def test_beside_a_span_that_was_kept_under_its_own_id_a_part_and_the_whole_add_nothing() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(OLD_SPAN, event(RESPONSE, quantities=PART)))])
    made._recall()
    assert kept(made, event(RESPONSE)) == Outcome.DUPLICATE
    assert kept(made, event(RESPONSE, quantities=PART)) == Outcome.DUPLICATE
    assert [row[1:3] for row in listed_as(made)] == [("input", "1000"), ("unknown", None)]
    made.close()


# -- stored once --------------------------------------------------------------------------------

amounts = st.decimals(0, 10**9, places=2)
usages = st.builds(
    event,
    st.text("abc", min_size=1, max_size=2),
    source=st.sampled_from(["openai", "azure"]),
    at_us=st.integers(0, 200).map(lambda hour: START_US + hour * HOUR_US // 4),
    model=st.sampled_from(MODELS),
    base_model=st.sampled_from([None, "gpt-4o"]),
    quantities=st.lists(
        st.sampled_from([Meter.INPUT, Meter.OUTPUT, Meter.TRAIN_TOKEN]),
        min_size=1,
        max_size=3,
        unique=True,
    ).flatmap(
        lambda meters: st.tuples(
            *[st.builds(Quantity, st.just(meter), amounts) for meter in meters]
        )
    ),
    project=st.sampled_from([None, "chat", "search"]),
    run_id=st.sampled_from([None, "01RUN0"]),
)
batches = st.lists(st.lists(usages, max_size=6), max_size=6)
LAWS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def stored(reader: Reader) -> Counter:
    return Counter(
        (row[1], row[2], row[8], row[9])
        for row in reader.plain("audit/usage_event", after=-1, until=10**9)
    )


@LAWS
@given(batches)
def test_an_event_told_again_is_stored_once_and_another_of_its_id_is_refused(given_batches) -> None:
    made = session()
    first: dict[tuple[str, str], Usage] = {}
    for batch in given_batches:
        (outcomes,) = made.commit([LedgerBatch(usages=tuple(batch))])
        expected = []
        for usage in batch:
            kept = first.setdefault((usage.source, usage.id), usage)
            new = kept is usage
            expected.append(
                Outcome.STORED if new else
                Outcome.DUPLICATE if kept == usage else Outcome.CONFLICT
            )  # fmt: skip
        assert (outcomes or ()) == tuple(expected)
    rows = stored(Reader(made.con))
    assert rows == Counter(
        (usage.source, usage.id, one.meter.value, one.amount)
        for usage in first.values()
        for one in usage.quantities
    )


@LAWS
@given(batches.flatmap(lambda found: st.permutations([u for b in found for u in b])), st.data())
def test_how_events_are_batched_changes_nothing(events, data) -> None:
    cut = data.draw(st.integers(0, len(events)))
    one, two = session(), session()
    one.commit([LedgerBatch(usages=tuple(events))])
    two.commit([LedgerBatch(usages=tuple(events[:cut])), LedgerBatch(usages=tuple(events[cut:]))])
    two.commit([LedgerBatch(usages=tuple(events))])
    assert stored(Reader(one.con)) == stored(Reader(two.con))


def test_what_we_make_of_an_event_does_not_make_it_another() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(event(),))])
    again = [event(flags=("clock_ahead",)), event(quantities=some(Meter.INPUT, "1000.0"))]
    (outcomes,) = made.commit([LedgerBatch(usages=tuple(again))])
    assert outcomes == (Outcome.DUPLICATE, Outcome.DUPLICATE)


@pytest.mark.parametrize(
    "changes",
    [
        {"at_us": START_US + 1}, {"model": "o"}, {"base_model": "gpt-4o"}, {"project": "p"},
        {"quantities": some(Meter.OUTPUT, "1000")}, {"quantities": some(Meter.INPUT, "1001")},
        {"run_id": "r"}, {"region": "eu"}, {"service_tier": "batch"}, {"context_tokens": 1_000},
        {"training": Training.SFT}, {"adapter": Adapter.LORA}, {"told": (("a", "1"),)},
        {"parameters_b": Decimal(8)}, {"provider": "azure"},
    ],
)  # fmt: skip
def test_any_other_word_makes_it_another(changes) -> None:
    made = session()
    (outcomes,) = made.commit([LedgerBatch(usages=(event(), event(**changes)))])
    assert outcomes == (Outcome.STORED, Outcome.CONFLICT)


def test_n16_the_same_id_of_two_sources_is_two_events() -> None:
    made = session()
    usage = (event(), event(source="azure", provider="azure"))
    assert made.commit([LedgerBatch(usages=usage)]) == [(Outcome.STORED, Outcome.STORED)]


def test_fields_do_not_run_into_each_other() -> None:
    made = session()
    one = event(region="eu\x1f", service_tier="x")
    other = event(region="eu", service_tier="\x1fx")
    assert made.commit([LedgerBatch(usages=(one, other))]) == [(Outcome.STORED, Outcome.CONFLICT)]


# -- adding up ----------------------------------------------------------------------------------

PRICES = (
    price("2.5"),
    price("10", meter="output"),
    price("3.75", model="ft:gpt-4o"),
    price("15", model="ft:gpt-4o", meter="output", low=Decimal(14), high=Decimal(16)),
    price("25", meter="train_token"),
    price("5", valid_from_us=START_US + 5 * HOUR_US + 1, rank=400),
    price("4", meter="output", currency="EUR", rank=500, valid_to_us=START_US + 2 * HOUR_US),
)


@LAWS
@given(batches)
def test_every_total_of_usage_is_the_same(given_batches) -> None:
    made = session()
    made.commit([registered(), LedgerBatch(prices=PRICES)])
    for batch in given_batches:
        made.commit([LedgerBatch(usages=tuple(batch))])
    reader = Reader(made.con)
    sums = []
    for name in TOTALS:
        found: dict = defaultdict(Decimal)
        for row in reader.rows(f"totals/by_{name}"):
            assert row["low"] <= row["amount"] <= row["high"]
            found[row["kind"], row["currency"]] += row["amount"]
        sums.append(found)
    assert all(one == sums[0] for one in sums)
    priced: dict = defaultdict(Decimal)
    for row in reader.rows("lines/usage_cost"):
        if row["amount"] is not None:
            priced[row["kind"], row["currency"]] += row["amount"]
    assert priced == sums[0]


@LAWS
@given(batches)
def test_no_quantity_is_lost_or_counted_twice_by_pricing(given_batches) -> None:
    made = session()
    made.commit([LedgerBatch(prices=PRICES)])
    for batch in given_batches:
        made.commit([LedgerBatch(usages=tuple(batch))])
    reader = Reader(made.con)
    kept = sum((row[9] for row in reader.plain("audit/usage_event", after=-1, until=99)), Decimal())
    lines = reader.rows("lines/usage_cost")
    assert sum((row["quantity"] for row in lines), Decimal()) == kept
    assert sum(row["event_count"] for row in lines) == sum(stored(reader).values())


# -- prices -------------------------------------------------------------------------------------


def test_n09_the_blogs_job_costs_two_dollars_forty() -> None:
    usage = event(model="gpt-3.5-turbo", quantities=some(Meter.TRAIN_TOKEN, "300000"))
    listed = price("8", model="gpt-3.5-turbo", meter="train_token")
    assert cost(usage, listed) == Decimal("2.40").normalize()


def test_n17_batch_usage_has_the_batch_price() -> None:
    prices = price("2.5"), price("1.25", service_tier="batch")
    assert cost(event(service_tier="batch"), *prices) == Decimal("0.00125")
    assert cost(event(service_tier="default"), *prices) == Decimal("0.0025")


def test_n18_an_unknown_model_is_kept_and_priced_later() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(event(model="new"),))])
    reader = Reader(made.con)
    before_us = reader.newest_us()
    assert costs(reader) == {("new", "input"): None}
    made.commit([LedgerBatch(prices=(price("1", model="new"),))])
    assert costs(reader) == {("new", "input"): Decimal("0.001")}
    assert costs(reader, as_of=before_us) == {("new", "input"): None}


@pytest.mark.parametrize(("later_us", "expected"), [(-1, "0.002"), (0, "0.004"), (1, "0.004")])
@pytest.mark.parametrize("change_us", [START_US, START_US + 17 * 60_000_000 + 1])
def test_n19_a_price_holds_from_its_very_instant(later_us, expected, change_us) -> None:
    prices = (price("2", valid_to_us=change_us), price("4", valid_from_us=change_us))
    assert cost(event(at_us=change_us + later_us), *prices) == Decimal(expected)


def test_a_tuned_model_never_has_its_base_models_price() -> None:
    tuned = event(model=MODELS[1], base_model="gpt-4o")
    assert cost(tuned, price("2.5")) is None
    assert cost(tuned, price("2.5"), price("3.75", model="ft:gpt-4o")) == Decimal("0.00375")
    own = price("3", model=MODELS[1])
    assert cost(tuned, price("3.75", model="ft:gpt-4o"), own) == Decimal("0.003")


@pytest.mark.parametrize("model", ["ft:gpt-4o:lab::1", "gpt-4o.ft-0123", "gpt-4o"])
def test_the_price_of_every_tuned_model_is_of_tuned_ones_alone_and_behind_their_own(model) -> None:
    """Hours of hosting tell no base model: the name of a tuned one does."""
    tuned = model != "gpt-4o"
    usage = event(model=model, quantities=some(Meter.HOST_HOUR, "10"))
    every, any_tuned, own = (
        price(value, model=of, meter="host_hour", per=1)
        for value, of in (("1", "*"), ("2", "ft:*"), ("3", model))
    )
    assert cost(usage, any_tuned) == (20 if tuned else None)
    assert cost(usage, any_tuned, every) == (20 if tuned else 10)
    assert cost(usage, every, own, any_tuned) == 30


def test_training_a_tuned_model_further_has_the_base_models_price() -> None:
    usage = event(
        model=MODELS[1], base_model="gpt-4o", quantities=some(Meter.TRAIN_TOKEN, "1000000")
    )
    assert cost(usage, price("25", meter="train_token")) == 25


def test_the_higher_rank_goes_before_what_is_narrower() -> None:
    usage = event(service_tier="batch")
    assert cost(usage, price("1", service_tier="batch"), price("9", rank=900)) == Decimal("0.009")


def test_a_correction_stands_from_when_it_was_learned_and_a_withdrawal_ends_it() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(event(),), prices=(price("2"),))])
    reader = Reader(made.con)
    first_us = reader.newest_us()
    made.commit([LedgerBatch(prices=(price("3"),))])
    second_us = reader.newest_us()
    made.commit([LedgerBatch(prices=(price(None),))])
    found = [costs(reader, as_of=at)["gpt-4o", "input"] for at in (first_us, second_us, None) if at]
    assert found == [Decimal("0.002"), Decimal("0.003")]
    assert costs(reader) == {("gpt-4o", "input"): None}


@pytest.mark.parametrize(
    ("tokens", "expected"), [(200_000, "0.001"), (200_001, "0.002"), (None, None)]
)
def test_brackets_of_context_hold_to_their_border(tokens, expected) -> None:
    prices = price("1", context_to=200_000), price("2", context_over=200_000)
    found = cost(event(context_tokens=tokens), *prices)
    assert found == (expected and Decimal(expected))


@pytest.mark.parametrize(
    ("size", "training", "adapter", "expected"),
    [
        ("16", "sft", "lora", "1"), ("16.1", "sft", "lora", "3"), ("80", "dpo", "lora", "6"),
        ("80", "sft", "full", "5"), ("81", "sft", "lora", None), (None, "sft", "lora", None),
    ],
)  # fmt: skip
def test_brackets_of_training(size, training, adapter, expected) -> None:
    def of(value, over, to, **more) -> Price:
        return price(
            value, meter="train_token", model="*", parameters_to_b=Decimal(to),
            parameters_over_b=None if over is None else Decimal(over), **more,
        )  # fmt: skip

    prices = (
        of("1", None, "16"), of("3", "16", "80"), of("6", "16", "80", training="dpo"),
        of("5", "16", "80", adapter="full"),
    )  # fmt: skip
    usage = event(
        model="llama", quantities=some(Meter.TRAIN_TOKEN, "1000000"),
        parameters_b=None if size is None else Decimal(size), training=Training(training),
        adapter=Adapter(adapter),
    )  # fmt: skip
    assert cost(usage, *prices) == (expected and Decimal(expected))


def test_usage_that_is_not_known_is_no_zero() -> None:
    usage = event(quantities=(Quantity(Meter.UNKNOWN, None),))
    (line,) = told(LedgerBatch(usages=(usage,))).rows("lines/usage_cost")
    assert (line["meter"], line["quantity"], line["amount"]) == ("unknown", None, None)


def test_n24_no_token_is_rounded() -> None:
    tokens = 2**39 + 1
    assert cost(event(quantities=some(Meter.INPUT, str(tokens))), price("0.000001")) == (
        Decimal(tokens).scaleb(-12).normalize()
    )


# -- bills and the chain ------------------------------------------------------------------------

BILL = Charge("costs", "1", "openai", START_US, START_US + 24 * HOUR_US, Decimal("2.4"), "USD", "a")


def test_a_bill_told_again_is_stored_once_and_a_corrected_one_beside_it() -> None:
    made = session()
    for charge in (BILL, BILL, replace(BILL, amount=Decimal("2.5")), BILL):
        made.commit([LedgerBatch(charges=(charge,))])
    rows = [row[5] for row in Reader(made.con).plain("audit/charge", after=-1, until=99)]
    assert rows == [Decimal("2.4"), Decimal("2.5"), Decimal("2.4")]


def test_usage_is_in_the_audit_chain() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(event(), event("2")), charges=(BILL,))])
    reader = Reader(made.con)
    page = check_batches(reader, -1)
    assert page is not None
    assert page.findings == ()
    assert page.row_count == 3
    made.con.execute("UPDATE usage_event SET quantity = 1 WHERE event_id = '2'")
    page = check_batches(reader, -1)
    assert page is not None
    assert "usage_event" in page.findings[0].text


def test_facts_of_every_table_are_missed_outside_the_chain() -> None:
    """Each table of the chain is asked for facts that no batch covers."""
    text = load("audit/outside").sql
    assert [table for table in CHAINED if f"FROM {table}\n" not in text] == []
    assert outside(told(LedgerBatch(usages=(event(),)))) == []


def kept(made: Session, one: Usage, also: str = "") -> Outcome:
    (outcomes,) = made.commit([LedgerBatch(entries=(entry(one)._replace(also=also),))])
    assert outcomes is not None
    return outcomes[0]


def test_a_span_that_an_earlier_version_kept_under_its_own_id_is_a_duplicate() -> None:
    made = session()
    before = event("trace:span", source="otlp", told=(("response_id", "resp"),))
    assert kept(made, before) == Outcome.STORED
    now = event("resp", told=(("span", "trace:span"),))
    also = event_key("otlp", "trace:span")
    assert kept(made, now, also) == Outcome.DUPLICATE
    assert kept(made, before) == Outcome.DUPLICATE
    more = now._replace(quantities=some(Meter.INPUT, "2"))
    assert kept(made, more, also) == Outcome.CONFLICT
    made.close()


RESPONSE = "chatcmpl-0123456789abcdef"
TELLERS = (
    event(RESPONSE),
    event(RESPONSE, at_us=START_US + 1, told=(("call_type", "completion"),)),
    event(RESPONSE, at_us=START_US + 2, told=(("span", "trace:other"),)),
)
OLD_SPAN = event(
    "trace:span", source="otlp", at_us=START_US + 3, told=(("response_id", RESPONSE),)
)  # as the version before kept it


@LAWS
@given(
    st.permutations(TELLERS * 2), st.integers(0, 6), st.sampled_from([(), (OLD_SPAN,)]),
    st.booleans(),
)  # fmt: skip
def test_an_answer_counts_once_in_any_order_also_beside_an_old_span(order, cut, old, reopened):
    made = session()
    made.commit([LedgerBatch(usages=(*old, event("another")))])
    if reopened or old:
        made._recall()  # as whoever opens the ledger of an earlier version
    outcomes = [
        outcome
        for part in (order[:cut], order[cut:])
        for outcome in made.commit([LedgerBatch(usages=tuple(part))])[0] or ()
    ]
    assert outcomes.count(Outcome.STORED) == 1 - len(old)
    assert outcomes.count(Outcome.DUPLICATE) == 5 + len(old)
    assert (
        sum(row[9] for row in Reader(made.con).plain("audit/usage_event", after=-1, until=99))
        == 2_000
    )
    made.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"told": (("response_id", "chatcmpl-1"),)},  # too short an id to join
        {"told": ()},
        {"provider": "azure"},
        {"quantities": (Quantity(Meter.UNKNOWN, None),)},
    ],
)
def test_an_old_span_of_something_else_joins_nothing(changes) -> None:
    made = session()
    made.commit([LedgerBatch(usages=(OLD_SPAN._replace(**changes),))])
    made._recall()
    assert kept(made, event(RESPONSE)) == Outcome.STORED
    assert kept(made, event("chatcmpl-1")) == Outcome.STORED
    made.close()


def test_an_answer_that_contradicts_an_old_span_is_a_conflict_and_both_stored_stay() -> None:
    made = session()
    made.commit([LedgerBatch(usages=(OLD_SPAN,))])
    made._recall()
    assert kept(made, event(RESPONSE, quantities=some(Meter.INPUT, "2"))) == Outcome.CONFLICT
    both = session()
    both.commit([LedgerBatch(usages=(OLD_SPAN, event(RESPONSE)))])  # as that version counted
    both._recall()
    assert kept(both, event(RESPONSE)) == Outcome.DUPLICATE
    assert kept(both, event(RESPONSE, at_us=START_US + 7)) == Outcome.CONFLICT
    made.close()
    both.close()


def test_a_conflict_with_an_old_span_shows_what_the_span_told(open_ledger) -> None:
    before = open_ledger()
    before.take((OLD_SPAN,)).result(30)
    before.close()
    usage = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
    chat = {
        "id": RESPONSE, "object": "chat.completion", "created": START_US // 1_000_000,
        "model": "gpt-4o", "usage": usage,
    }  # fmt: skip
    (answer,) = take_usage(open_ledger(), [chat], START_US + HOUR_US)
    assert answer.outcome == Outcome.CONFLICT
    assert answer.stored is not None
    assert answer.given is not None
    assert (answer.stored["id"], answer.stored["quantities"]) == ("trace:span", {"input": "1000"})
    assert answer.given["quantities"]["input"] == "7"


def test_of_two_words_of_the_provider_itself_every_word_counts() -> None:
    made = session()
    assert kept(made, event()) == Outcome.STORED
    assert kept(made, event(at_us=START_US + 1)) == Outcome.CONFLICT
    logged = event(at_us=START_US + 1, told=(("call_type", "completion"),))
    assert kept(made, logged) == Outcome.DUPLICATE
    made.close()


AMOUNTS = st.dictionaries(
    st.sampled_from(["input", "cached_input", "cache_write", "cache_write_5m", "output"]),
    st.integers(0, 3).map(Decimal),
)


@given(AMOUNTS, AMOUNTS)
def test_sides_that_agree_have_the_same_totals_and_either_may_be_first(one, other) -> None:
    first, second = Told(one, second_hand=True), Told(other, second_hand=False)
    assert same_usage(first, second) == same_usage(second, first)
    if same_usage(first, second):
        assert sum(one.values()) == sum(other.values())
    whole = {"input": sum((n for name, n in one.items() if name != "output"), Decimal(0))}
    assert same_usage(first, Told({**whole, "output": one.get("output", Decimal(0))}, False))
    assert not same_usage(second, Told({}, False))
