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
from meter.model import LedgerBatch, Outcome, Price
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
