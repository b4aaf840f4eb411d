"""Hosted usage in the counters: each event once, however it is grouped and whoever is killed."""

from __future__ import annotations

import itertools
import signal
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.agents import PATIENCE_S, agent
from meter.agent import usage_books
from meter.agent.booking import COST, OTHER, RUN_COST, RUN_TOKENS, TOKENS, Books, key_of
from meter.agent.usage_booking import usage_after
from meter.agent.usage_books import UNPRICED, UsageBooks, UsageSum
from meter.hosted_facts import Meter, Quantity, Usage
from meter.ledger import Ledger
from meter.model import LedgerBatch, Price
from tests.ledger.facts import HOUR_US, START_US

if TYPE_CHECKING:
    from collections.abc import Iterable

METERS = (Meter.INPUT, Meter.OUTPUT, Meter.TRAIN_TOKEN, Meter.HOST_HOUR)


def price(meter: str, value: str, model: str = "gpt-4o") -> Price:
    amount = Decimal(value)
    return Price(
        id="", provider="openai", model=model, meter=meter, per=1_000_000, currency="USD",
        value=amount, low=amount, high=amount, source="list", recorded_us=0, rank=300,
    )  # fmt: skip


PRICES = (price("input", "2.5"), price("output", "10"), price("train_token", "25"))

event = st.builds(
    lambda id_, hour, meter, amount, model, project: Usage(
        source="openai", id=str(id_), at_us=START_US + hour * HOUR_US, provider="openai",
        model=model, quantities=(Quantity(meter, Decimal(amount)),), project=project,
    ),
    st.integers(0, 30), st.integers(0, 3), st.sampled_from(METERS), st.integers(0, 10**9),
    st.sampled_from(("gpt-4o", "nobody-knows")), st.sampled_from(("a", "b")),
)  # fmt: skip


def ledger() -> Ledger:
    ticks = itertools.count(START_US + 100 * HOUR_US, 1_000_000)
    made = Ledger.open(Path(":memory:"), now_us=lambda: next(ticks))
    made.write(LedgerBatch(prices=PRICES), urgent=True).result(PATIENCE_S)
    return made


def look(made: Ledger, books: Books, living: Iterable[str] = ()) -> None:
    usage = UsageBooks(books)
    sums, seq = usage_after(made, usage.seq)
    usage.book(sums, tuple(living), seq)


def restarted(books: Books) -> Books:
    return Books(books.all())


def totals(books: Books, *names: str) -> dict:
    return {key: value for key, value in books.totals().items() if key[0] in names}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.lists(event, min_size=1, max_size=5), st.booleans()), max_size=4))
def test_counters_are_what_the_ledger_has_however_often_it_is_looked_at(steps) -> None:
    with ledger() as made:
        books = Books()
        for events, restarts in steps:
            made.take(tuple(events)).result(PATIENCE_S)
            look(made, books)
            look(made, books)
            books = restarted(books) if restarts else books
        look(made, books)
        found = totals(books, COST, TOKENS, UNPRICED)
        expected: dict = defaultdict(Decimal)
        with made.reader() as reader:
            for row in reader.rows("lines/usage_cost"):
                labels = {"project": row["project"], "provider": row["provider"]}
                if row["amount"] is None:
                    expected[key_of(UNPRICED, **labels, model=row["model"])] += row["event_count"]
                else:
                    money = {"kind": row["kind"], "currency": row["currency"]}
                    expected[key_of(COST, **labels, **money)] += row["amount"].scaleb(-9)
                if row["meter"] != "host_hour":
                    sort = "train" if row["meter"] == "train_token" else row["meter"]
                    key = key_of(TOKENS, **labels, model=row["model"], token_type=sort)
                    expected[key] += row["quantity"]
    assert found == expected


def test_a_price_learned_later_moves_reports_and_no_counter() -> None:
    one = Usage(
        source="openai", id="1", at_us=START_US, provider="openai", model="gpt-4o",
        quantities=(Quantity(Meter.INPUT, Decimal(1_000_000)),), project="a",
    )  # fmt: skip
    with ledger() as made:
        books = Books()
        made.take((one,)).result(PATIENCE_S)
        look(made, books)
        made.write(LedgerBatch(prices=(price("input", "5"),)), urgent=True).result(PATIENCE_S)
        look(made, books)
        (cost,) = totals(books, COST).values()
        assert cost == Decimal("2.5")
        with made.reader() as reader:
            (row,) = reader.rows("totals/by_project", only_kind="api_tokens")
        assert row["amount"].scaleb(-9) == 5


def one_sum(n: int = 0, **changes) -> UsageSum:
    values = {
        "run_id": None, "project": "a", "provider": "openai", "model": f"m{n}",
        "meter": Meter.INPUT, "kind": "api_tokens", "currency": "USD", "quantity": Decimal(10),
        "events": 1, "amount": Decimal("0.5"),
    }  # fmt: skip
    return UsageSum(**{**values, **changes})


def test_usage_of_a_run_counts_for_it_while_it_lives() -> None:
    books = Books()
    UsageBooks(books).book([one_sum(run_id="r1"), one_sum(run_id="gone")], ("r1",), 1)
    assert books.total(key_of(RUN_COST, run="r1", kind="api_tokens", currency="USD")) == Decimal(
        "0.5"
    )
    assert books.total(key_of(RUN_TOKENS, run="r1", token_type="input")) == 10
    assert not any("gone" in dict(key[1]).values() for key in books.totals())
    assert totals(books, COST) == {
        key_of(COST, project="a", provider="openai", kind="api_tokens", currency="USD"): 1
    }


def test_models_beyond_so_many_are_counted_together_and_the_sum_is_kept() -> None:
    books = Books()
    many = usage_books.MAX_MODELS + 7
    UsageBooks(books).book([one_sum(n) for n in range(many)], (), 1)
    tokens = totals(books, TOKENS)
    assert sum(tokens.values()) == 10 * many
    models = {dict(labels)["model"] for _, labels in tokens}
    assert len(models) == usage_books.MAX_MODELS + 1
    assert OTHER in models
    assert books.dropped == 7
    again = restarted(books)
    UsageBooks(again).book([one_sum(0), one_sum(many)], (), 2)
    assert {dict(labels)["model"] for _, labels in totals(again, TOKENS)} == models


def test_what_is_new_is_shown_at_zero_before_it_is_booked() -> None:
    books = Books()
    usage = UsageBooks(books)
    assert usage.announce([one_sum()], ())
    assert set(totals(books, COST, TOKENS).values()) == {0}
    assert usage.seq is None
    assert not usage.announce([one_sum()], ())


def test_an_agent_shows_zero_first_and_books_once_also_when_it_is_killed_between(
    tmp_path: Path,
) -> None:
    event = {
        "id": "1", "at": "2026-11-20T10:00:00Z", "provider": "openai", "model": "gpt-4o",
        "meter": "input", "quantity": 1_000, "project": "lab",
    }  # fmt: skip
    tokens = 'meter_tokens_total{model="gpt-4o",project="lab",provider="openai",token_type="input"}'
    unpriced = 'meter_usage_unpriced_total{model="gpt-4o",project="lab",provider="openai"}'

    def shown(node, wanted: float) -> dict[str, float]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            page = node.page()
            if page.get(tokens) == wanted or time.monotonic() > deadline:
                return page
            time.sleep(0.1)

    with agent(tmp_path) as node:
        node.hear("reading")
        time.sleep(1)  # its first look, at what came before it, is over
        status, _ = node.ask("POST", "/v1/usage", event)
        assert status == 201
        assert shown(node, 0.0)[tokens] == 0
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
    with agent(tmp_path) as node:
        node.hear("reading")
        page = shown(node, 1_000.0)
        assert page[tokens] == 1_000
        assert page[unpriced] == 1
    with agent(tmp_path) as node:
        node.hear("reading")
        assert shown(node, 1_000.0)[tokens] == 1_000
