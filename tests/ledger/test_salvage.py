"""A row that cannot be written costs only itself, and is told; all else is in one commit."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.agents import until
from meter.agent.draft import Draft
from meter.ledger import recovery
from meter.ledger.ledger import Pace
from meter.ledger.reader import Reader
from meter.ledger.salvage import CODE, KINDS, salvaged
from meter.ledger.session import Session
from meter.model import Counter, LedgerBatch, Mark, RawReading, RunState, RunStatus
from tests.ledger.facts import BOOT_NS, GPUS, MINUTE_US, START_US, ended, minute, registered

if TYPE_CHECKING:
    from collections.abc import Iterator

POISON = 2**63
"""One more than a BIGINT holds."""


def mark(number: int, run_id: str = "01RUN0") -> Mark:
    return Mark(run_id, START_US + 1, 1, step=1, source="s", number=number)


def reading(curve_mj: int) -> RawReading:
    at_us = START_US + MINUTE_US
    return RawReading(GPUS[0], at_us, BOOT_NS, curve_mj, BOOT_NS, None, 1, 0.5, None, None)


def table(reader: Reader, text: str, values: object = None) -> list[tuple[Any, ...]]:
    return reader._con.execute(text, values).fetchall()


def test_a_draft_has_only_kinds_that_can_be_divided() -> None:
    assert {each.name for each in fields(Draft)} == set(KINDS)
    assert Draft().batch("lab").divisible


def test_a_poisoned_mark_costs_no_other_run_its_end(open_ledger) -> None:
    ledger = open_ledger(pace=Pace(commit_s=3600))
    ledger.write(registered()).result(10)
    ledger.write(registered("good"), urgent=True).result(10)
    beside = ledger.write(LedgerBatch(readings=(reading(1),)))
    batch = replace(
        ended("good", minutes=1),
        intervals=(minute(0, run_id="good"), minute(0, device=GPUS[1])),
        marks=(mark(POISON - 1), mark(POISON), mark(3, "good")),
        counters=(Counter("a_total", (), Decimal(72_000)),),
        site_id="lab",
        divisible=True,
    )
    written = ledger.write(batch, urgent=True)
    assert written.result(10) is None
    assert beside.result(10) is None
    health = ledger.health()
    assert (health.dropped, health.last_error, health.pending) == (1, None, 0)
    with ledger.reader() as reader:
        marks = table(reader, "SELECT run_id, number, seq FROM mark ORDER BY number")
        assert [row[:2] for row in marks] == [("good", 3), ("01RUN0", POISON - 1)]
        text = (
            "SELECT seq FROM interval UNION SELECT seq FROM counter"
            " UNION SELECT seq FROM hold WHERE end_boot_ns IS NOT NULL"
        )
        assert {row[-1] for row in (*marks, *table(reader, text))} == {marks[0][-1]}
        states = table(reader, "SELECT status FROM run_state WHERE run_id = 'good' ORDER BY seq")
        assert states == [("running",), ("completed",)]
        assert [c.value for c in recovery.counters(reader)] == [72_000]
        notices = table(
            reader, "SELECT run_id, message FROM notice WHERE code = $code", {"code": CODE}
        )
    ((run_id, text),) = notices
    assert run_id == "01RUN0"
    assert "1 of marks" in text


def test_a_row_of_a_run_that_cannot_be_named_is_told_of_the_node(open_ledger) -> None:
    ledger = open_ledger()
    broken = "\ud800"  # half a character: no text that can be stored
    batch = LedgerBatch(
        states=(RunState(broken, RunStatus.RUNNING, START_US),),
        intervals=(minute(0),),
        site_id="lab",
        divisible=True,
    )
    ledger.write(batch).result(10)
    with ledger.reader() as reader:
        assert table(reader, "SELECT count(*) FROM interval") == [(1,)]
        assert table(reader, "SELECT count(*) FROM run_state") == [(0,)]
        assert table(reader, "SELECT code, run_id FROM notice") == [(CODE, None)]


@pytest.mark.parametrize("fault", [duckdb.IOException, duckdb.FatalException])
def test_a_volume_that_fails_meanwhile_costs_no_row(open_ledger, monkeypatch, fault) -> None:
    ledger = open_ledger()
    ledger.write(registered()).result(10)
    faults, rehearse = [fault("no room")] * 2, Session.rehearse

    def failing(self, batch):
        if faults and batch.marks:
            raise faults.pop()
        rehearse(self, batch)

    monkeypatch.setattr(Session, "rehearse", failing)
    batch = LedgerBatch(
        intervals=(minute(0),), marks=(mark(1), mark(POISON)), site_id="lab", divisible=True
    )
    ledger.write(batch).result(20)
    assert faults == []
    until(lambda: ledger.health().dropped == 1, "the poisoned mark alone is dropped")
    with ledger.reader() as reader:
        assert table(reader, "SELECT number FROM mark") == [(1,)]
        assert table(reader, "SELECT count(*) FROM interval") == [(1,)]


rows_of = {
    "marks": lambda n, bad: mark(POISON + n if bad else n),
    "intervals": lambda n, bad: minute(n, energy_mj=-1 if bad else n),
    "readings": lambda n, bad: reading(POISON + n if bad else n),
    "states": lambda n, bad: RunState("r", RunStatus.RUNNING, START_US, 2**40 if bad else n),
    "counters": lambda n, bad: Counter(f"c{n}_total", (), Decimal(10**60 if bad else n)),
}
LEFT = {
    "marks": "SELECT number FROM mark WHERE seq = $seq",
    "intervals": "SELECT energy_mj FROM interval WHERE seq = $seq",
    "readings": "SELECT curve_mj FROM reading WHERE seq = $seq",
    "states": "SELECT exit_code FROM run_state WHERE seq = $seq",
    "counters": "SELECT amount FROM counter WHERE seq = $seq",
}
flags = st.lists(st.booleans(), max_size=6)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    ticks = itertools.count(START_US)
    made = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
    yield made
    made.close()


@settings(max_examples=25, deadline=None)
@given(poisoned=st.fixed_dictionaries(dict.fromkeys(rows_of, flags)))
def test_of_a_batch_with_any_poisoned_rows_exactly_the_whole_rest_is_there(
    session, poisoned
) -> None:
    def writable(one: LedgerBatch) -> bool:
        try:
            session.rehearse(one)
        except (duckdb.Error, ArithmeticError):
            return False
        return True

    made = {
        kind: tuple(rows_of[kind](n, bad) for n, bad in enumerate(bads))
        for kind, bads in poisoned.items()
    }
    before = session.seq
    found = salvaged(LedgerBatch(**made, site_id="lab", divisible=True), writable)
    session.commit([found.batch])
    assert session.seq == before + 1
    assert found.lost == sum(map(sum, poisoned.values()))
    here = {"seq": session.seq}
    with Reader(session.cursor()) as reader:
        for kind, bads in poisoned.items():
            kept = sorted(int(value) for (value,) in table(reader, LEFT[kind], here))
            assert kept == [n for n, bad in enumerate(bads) if not bad], kind
        told = table(reader, "SELECT run_id FROM notice WHERE seq = $seq", here)
    assert {run_id for (run_id,) in told} == {run_id for run_id, _ in found.left_out}


@given(st.lists(st.integers(0, 40), unique=True), st.sets(st.integers(0, 40)))
def test_what_only_together_cannot_be_written_loses_the_later_ones(numbers, wrong) -> None:
    """Two rows that exclude each other: the first stays, in the order in which they came."""

    def writable(one: LedgerBatch) -> bool:
        kept = [each.number for each in one.marks]
        return not any(number in wrong for number in kept[1:]) and kept == sorted(kept)

    found = salvaged(LedgerBatch(marks=tuple(map(mark, numbers))), writable)
    kept = [each.number for each in found.batch.marks]
    expected: list[int] = []
    for number in numbers:
        fits = not expected or (number > expected[-1] and number not in wrong)
        expected += [number] if fits else []
    assert kept == expected
    assert found.lost == len(numbers) - len(kept)
