"""Which run a counter's jump is told to come from."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meter.agent.booking import COST, TOKENS, TRAIN, Account, Books, key_of
from meter.agent.exemplars import MOST_CHARS, STANDS_US, Exemplars
from meter.agent.usage_books import UsageBooks, UsageSum
from meter.hosted_facts import Meter
from meter.reserved import OWN
from meter.snapshot import Exemplar
from tests.agent.test_booking import GPU, Rates, part

KEY = key_of(COST, project="p", provider=OWN, kind="electricity", currency="EUR")
SERIES = (COST, ("p", OWN, "electricity", "EUR"))
STEPS = st.lists(
    st.tuples(st.integers(0, STANDS_US), st.sampled_from("abc"), st.integers(-2, 9)), min_size=1
)


@given(STEPS)
def test_it_is_the_largest_booking_of_the_last_minute_or_the_last_before(
    steps: list[tuple[int, str, int]],
) -> None:
    now = [0]
    exemplars = Exemplars(lambda: now[0])
    booked: list[Exemplar] = []
    for later_us, run, amount in steps:
        now[0] += later_us
        exemplars.note(KEY, run, Decimal(amount))
        if amount > 0:
            booked.append(Exemplar(run, Decimal(amount), now[0]))
        shown = exemplars.all()
        assert shown.keys() == ({SERIES} if booked else set())
        if booked:
            found = shown[SERIES]
            assert found in booked
            after = [one for one in booked if one.at_us >= found.at_us]
            near = [one for one in after if one.at_us - found.at_us < STANDS_US]
            assert found.amount == max(one.amount for one in near)
            assert near == after  # whatever came later than a minute after has taken its place


def test_an_id_that_no_exemplar_may_hold_is_not_told() -> None:
    exemplars = Exemplars(lambda: 0)
    exemplars.note(KEY, "x" * (MOST_CHARS + 1), Decimal(1))
    assert exemplars.all() == {}
    exemplars.note(KEY, "x" * MOST_CHARS, Decimal(1))
    assert len(exemplars.all()) == 1


def test_own_runs_and_hosted_usage_are_told_with_what_was_booked_of_each() -> None:
    books = Books(now_us=lambda: 7)
    accounts = {name: Account(name, "p") for name in ("a", "b")}
    books.book(
        [part(1_000, "a"), part(9_000, "b"), part(10**6)],
        {GPU.id: GPU}, accounts, Rates(),
    )  # fmt: skip
    books.tokens(accounts["a"], 100)
    UsageBooks(books).book(
        [
            usage("job", "300", 10), usage(None, "400", 20), usage("a", "200", 30),
        ],
        (), 1,
    )  # fmt: skip
    found = books.exemplars.all()
    spent = {series[1][2]: one for series, one in found.items() if series[0] == COST}
    own = [one.run_id for kind, one in spent.items() if kind != "api_tokens"]
    assert own
    assert set(own) == {"b"}
    assert spent["api_tokens"] == Exemplar("job", Decimal(300), 7)
    assert found[TOKENS, ("p", OWN, "", TRAIN)] == Exemplar("a", Decimal(100), 7)
    assert found[TOKENS, ("p", "openai", "m", "input")] == Exemplar("a", Decimal(30), 7)
    assert not any("(idle)" in values for _, values in found)


def usage(run: str | None, amount: str, quantity: int) -> UsageSum:
    return UsageSum(
        run, "p", "openai", "m", Meter.INPUT, "api_tokens", "USD", Decimal(quantity), 1,
        Decimal(amount),
    )  # fmt: skip
