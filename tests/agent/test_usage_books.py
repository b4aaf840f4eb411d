"""Hosted usage in the counters: each event once, however it is grouped and whoever is killed."""

from __future__ import annotations

import itertools
import signal
import time
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.agents import PATIENCE_S, agent, until
from meter.agent import usage_books
from meter.agent.booking import COST, RUN_COST, RUN_TOKENS, TOKENS, Books, key_of
from meter.agent.usage_booking import SHOWN_S, UsageBooking, price_dates
from meter.agent.usage_books import MAX_PAIRS, UNPRICED, UsageBooks, UsageSum
from meter.hosted_facts import Meter, Quantity, Usage
from meter.ledger import Ledger
from meter.model import LedgerBatch, Price
from meter.reserved import OTHER
from tests.factors.sheets import PRICE
from tests.ledger.facts import HOUR_US, START_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


class Loop:
    """A loop whose metering thread is the caller's."""

    def __init__(self, books: Books, runs: Iterable[str] = ()) -> None:
        self.metering = SimpleNamespace(books=books, on_page=dict.fromkeys(runs))

    def ask(self, question: Callable[[], object]) -> object:
        return question()


def look(made: Ledger, books: Books, runs: Iterable[str] = ()) -> None:
    """Book what is new as an agent that has just started does: without showing zero first."""
    booking = UsageBooking(made, Loop(books, runs), SimpleNamespace())  # type: ignore[arg-type]
    assert booking.look() is None


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


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_what_is_told_first_without_amounts_counts_once_and_nothing_goes_back(told) -> None:
    whole = asked("1", "gpt-4o")
    part = whole._replace(quantities=(Quantity(Meter.UNKNOWN, None),))
    with ledger() as made:
        books = Books()
        shown: dict = {}
        for is_whole, looks in [*told, (True, True)]:
            made.take((whole if is_whole else part,)).result(PATIENCE_S)
            if looks:
                look(made, books)
                now = totals(books, COST, TOKENS, UNPRICED)
                assert all(now[key] >= amount for key, amount in shown.items())
                shown = now
        labels = {"project": "a", "provider": "openai"}
        assert shown == {
            key_of(TOKENS, **labels, model="gpt-4o", token_type="input"): 1,
            key_of(COST, **labels, kind="api_tokens", currency="USD"): Decimal("0.0000025"),
        }


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


def test_usage_of_a_run_counts_for_it_while_it_has_series() -> None:
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


def test_usage_of_a_run_that_ends_at_once_counts_for_it_once_whoever_is_killed(
    tmp_path: Path,
) -> None:
    event = {"id": "1", "at": "2026-11-20T10:00:00Z", "provider": "openai", "model": "gpt-4o",
             "meter": "input", "quantity": 1_000, "run": "brief"}  # fmt: skip
    tokens = 'meter_run_tokens_total{run="brief",token_type="input"}'
    with agent(tmp_path) as node:
        node.hear("reading")
        time.sleep(1)  # its first look, at what came before it, is over
        node.begin("brief", gpus="0")
        assert node.ask("POST", "/v1/usage", event)[0] == 201
        node.end("brief")
        assert until(lambda: node.page().get(tokens) == 0, "a zero of the run that is over")
        node.kill()
    for _ in range(2):
        with agent(tmp_path) as node:
            node.hear("reading")
            assert until(lambda: node.page().get(tokens) == 1_000, "the usage of the run")
            node.kill()


def test_usage_that_is_told_while_a_run_lives_is_booked_when_it_is_over() -> None:
    def used() -> Decimal | None:
        return books.total(key_of(RUN_TOKENS, run="brief", token_type="input"))

    with ledger() as made:
        books, loop = Books(), Loop(Books())
        loop.metering = SimpleNamespace(books=books, on_page={"brief": "lives"})
        booking = UsageBooking(made, loop, SimpleNamespace())  # type: ignore[arg-type]
        booking.look()
        made.take((asked("0", "m", "brief"),)).result(PATIENCE_S)
        assert booking.look() == SHOWN_S
        assert used() == 0
        loop.metering.on_page = {"brief": "ended"}
        booking.look()
        assert used() == 1
        loop.metering.on_page = {}
        made.take((asked("1", "m", "brief"),)).result(PATIENCE_S)
        booking.look()
        assert used() == 1  # its series are off the page


def test_the_page_tells_how_old_the_prices_are_of_each_provider_that_is_used(
    tmp_path: Path,
) -> None:
    name = 'meter_price_book_timestamp_seconds{provider="p"}'
    event = {"id": "1", "at": "2026-11-20T10:00:00Z", "provider": "p", "model": "m",
             "meter": "input", "quantity": 1_000}  # fmt: skip

    def learn(node, **changed: str) -> None:
        assert node.ask("POST", "/v1/prices", {"prices": [{**PRICE, **changed}]})[0] == 201

    def told(node, date: str) -> bool:
        at_s = datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp()
        return bool(until(lambda: node.page().get(name) == at_s, f"prices of {date}"))

    with agent(tmp_path) as node:
        node.hear("reading")
        learn(node, source_date="2025-03")
        learn(node, provider="other")
        assert node.ask("POST", "/v1/usage", event)[0] == 201
        assert told(node, "2025-03-01")
        learn(node, source_date="2026-02-07", value="3")
        assert told(node, "2026-02-07")
        learn(node, source_date="2024", model="older")
        assert told(node, "2026-02-07")
        assert [each for each in node.page() if "price_book" in each] == [name]
    with agent(tmp_path) as node:
        node.hear("reading")
        assert told(node, "2026-02-07")


def test_a_date_that_is_none_is_left_out() -> None:
    rows = [{"provider": "a", "source_date": "2026-01-05"}, {"provider": "b", "source_date": "?"}]

    class Found:
        def rows(self, _: str) -> list[dict[str, str]]:
            return rows

    assert price_dates(Found(), {"a", "b"}) == (("a", 1_767_571_200_000_000),)
    assert price_dates(Found(), {"b", "c"}) == ()


def asked(id_: str, model: str, run_id: str | None = None) -> Usage:
    return Usage(
        source="openai", id=id_, at_us=START_US, provider="openai", model=model, run_id=run_id,
        quantities=(Quantity(Meter.INPUT, Decimal(1)),), project="a",
    )  # fmt: skip


def test_new_models_that_keep_coming_put_off_no_booking_of_those_before() -> None:
    def tokens(model: str) -> Decimal | None:
        labels = {"project": "a", "provider": "openai", "model": model}
        return books.total(key_of(TOKENS, **labels, token_type="input"))

    with ledger() as made:
        books = Books()
        booking = UsageBooking(made, Loop(books), SimpleNamespace())  # type: ignore[arg-type]
        booking.look()
        made.take((asked("0", "model-0"),)).result(PATIENCE_S)
        for number in range(4):
            assert booking.look() == SHOWN_S  # the new model is shown at zero
            assert tokens(f"model-{number}") == 0
            made.take((asked(str(number + 1), f"model-{number + 1}"),)).result(PATIENCE_S)
            assert booking.look() is not None  # booked, and what came since has its turn
            assert tokens(f"model-{number}") == 1
            assert tokens(f"model-{number + 1}") is None


@pytest.mark.parametrize(("gap_s", "wait_s"), [(0, 35), (15, 35), (60, 132), (3_600, 150)])
def test_a_new_series_shows_zero_for_two_scrapes(gap_s: float, wait_s: float) -> None:
    with ledger() as made:
        booking = UsageBooking(
            made, Loop(Books()), SimpleNamespace(), gap_s=lambda: gap_s  # type: ignore[arg-type]
        )  # fmt: skip
        booking.look()
        made.take((asked("0", "model-0"),)).result(PATIENCE_S)
        assert booking.look() == pytest.approx(wait_s)


def test_models_of_many_projects_have_a_bound_of_their_own() -> None:
    books = Books()
    usage = UsageBooks(books)
    sums = [
        UsageSum(None, f"p{project}", "openai", f"m{model}", Meter.INPUT, "api_tokens", None,
                 Decimal(1), 1, None)
        for project in range(60) for model in range(90)
    ]  # fmt: skip
    usage.book(sums, (), 1)
    found = [dict(labels) for (name, labels) in books.totals() if name == TOKENS]
    named = [labels for labels in found if labels["model"] != OTHER]
    assert len(named) == MAX_PAIRS
    assert sum(totals(books, TOKENS).values()) == len(sums)
    assert len(found) <= MAX_PAIRS + 60
