"""Counters as they are durable: the same, however they came, as all of them put in order."""

from __future__ import annotations

from concurrent.futures import Future
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.agent import outbox as outbox_module
from meter.agent.booking import Account, Books
from meter.agent.draft import Draft
from meter.agent.outbox import Outbox
from meter.errors import LedgerError

if TYPE_CHECKING:
    from meter.agent.committed import Committed
    from meter.model import Counter, LedgerBatch

RUNS = ("r1", "r2", "r3")


class Slow:
    """A store whose batches become durable, or are refused, when it is told so."""

    def __init__(self) -> None:
        self.waiting: list[Future[None]] = []

    def write(self, batch: LedgerBatch, *, urgent: bool = False) -> Future[None]:
        self.waiting.append(Future())
        return self.waiting[-1]

    def settle(self, *, kept: bool) -> None:
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if kept:
                future.set_result(None)
            else:
                future.set_exception(LedgerError("full", "free some space"))


def of(counter: Counter) -> str:
    return dict(counter.labels).get("run", "")


def whole(books: Books) -> tuple[tuple[Counter, ...], dict[str, tuple[Counter, ...]]]:
    """Every counter as it stands: of no run, and by run."""
    in_order = sorted(books.all(), key=lambda one: (of(one), one.name, one.labels))
    groups = {run: tuple(group) for run, group in groupby(in_order, of)}
    return groups.pop("", ()), groups


def shown(found: Committed) -> tuple[tuple[Counter, ...], dict[str, tuple[Counter, ...]]]:
    return found.others, dict(found.of_runs)


STEPS = st.lists(
    st.tuples(st.sampled_from(["tokens", "steps", "phase", "forget", "refuse"]),
              st.sampled_from(RUNS), st.integers(0, 9)), max_size=20)  # fmt: skip


@pytest.mark.parametrize("kept", [2, 10_000])
@given(restored=STEPS, steps=STEPS)
def test_what_is_durable_is_what_the_books_had_when_it_was_sent(
    kept: int, restored: list[tuple[str, str, int]], steps: list[tuple[str, str, int]]
) -> None:
    store = Slow()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox_module, "_UNDURABLE_KEPT", kept)
        outbox = Outbox(store, Draft(), "site")
        before = Books()
        for step in restored:
            change(before, *step)
        books = Books(before.all())
        outbox.restore(books)
        assert shown(outbox.committed) == whole(books)
        for what, run, number in steps:
            change(books, what, run, number)
            durable = shown(outbox.committed)
            outbox.send(books, (), urgent=True)
            assert shown(outbox.committed) == durable  # nothing is shown before it is kept
            if what == "refuse" or number == 0:
                store.settle(kept=what != "refuse")
        outbox.send(books, (), urgent=True)
        store.settle(kept=True)
        assert shown(outbox.committed) == whole(books)


def change(books: Books, what: str, run: str, number: int) -> None:
    account = Account(run, f"project {run}")
    if what == "tokens":
        books.tokens(account, number)
    elif what == "steps":
        books.steps(account, number)
    elif what == "phase":
        books.phase(account, f"phase {number}", Decimal(number))
    elif what == "forget":
        books.forget(run)


def test_what_did_not_change_is_not_put_in_order_again() -> None:
    store, books = Slow(), Books()
    outbox = Outbox(store, Draft(), "site")
    for run in RUNS:
        books.tokens(Account(run, "p"), 5)
    outbox.send(books, (), urgent=True)
    store.settle(kept=True)
    first = outbox.committed
    books.tokens(Account("r2", "p"), 7)
    outbox.send(books, (), urgent=True)
    store.settle(kept=True)
    then = outbox.committed
    same = {run for run in RUNS if then.of_runs[run] is first.of_runs[run]}
    assert same == {"r1", "r3"}
