"""What a restarted agent reads of the one before, where labels in µs meet instants in ns."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from meter.agent.recovery import _to_the_ns, recover
from meter.ledger import Ledger
from meter.metering.wall import WallAnchor
from meter.model import (
    Basis,
    Budget,
    Counter,
    LedgerBatch,
    Method,
    RunState,
    RunStatus,
    Segment,
)
from tests.ledger.facts import NODE, START_US, run, site

if TYPE_CHECKING:
    from meter.agent.runs import LiveRun
    from meter.model import Node

S = 1_000_000_000
INSTANT = st.integers(1_000 * S, 1_100 * S)


def segment(device_id: str, start_ns: int, end_ns: int) -> Segment:
    return Segment(device_id, start_ns, end_ns, 1, 1, 1, Basis.COUNTER, Method.MEASURED)


@given(INSTANT, INSTANT, INSTANT, st.integers(S // 100, S))
def test_where_a_row_ends_with_an_interval_not_a_nanosecond_is_taken_twice(
    began_ns: int, ended_ns: int, row_ns: int, length_ns: int
) -> None:
    anchor = WallAnchor(began_ns, 1_790_000_000_123_456)
    end_us = anchor.us(ended_ns)
    seen_from = WallAnchor(row_ns, anchor.us(row_ns))  # as the newest row tells it
    rows = [
        segment("other", ended_ns - 5, ended_ns + 1),
        segment("gpu", ended_ns - length_ns, ended_ns),
        segment("gpu", ended_ns, ended_ns + length_ns),
    ]
    assert _to_the_ns("gpu", seen_from.ns(end_us), rows) == ended_ns


def test_where_no_row_ends_with_the_interval_its_label_stands() -> None:
    rows = [segment("gpu", 1_000 * S, 1_001 * S)]
    assert _to_the_ns("gpu", 1_000 * S + 5, rows) == 1_000 * S + 5


def ledger_of(*ended: tuple[str, int, RunStatus], now_us: int = START_US) -> Ledger:
    """Runs that began at ``START_US``, each with the seconds that it took, and a counter."""
    ledger = Ledger.open(Path(":memory:"), now_us=lambda: now_us)
    runs = [run(name, started_ns=100 * S) for name, _, _ in ended]
    states = [
        RunState(name, status, START_US + seconds * 1_000_000) for name, seconds, status in ended
    ]
    counters = [Counter("meter_run_steps_total", (("run", one.id),), Decimal(7)) for one in runs]
    batch = LedgerBatch(
        nodes=(NODE,), sites=(site(),), runs=tuple(runs), states=tuple(states), site_id=site().id,
        counters=tuple(counters), budgets=(Budget(runs[0].id, Decimal(1), "EUR", stop=False),),
    )  # fmt: skip
    ledger.write(batch).result(10)
    return ledger


def shown(ledger: Ledger, node: Node, now: WallAnchor) -> dict[str, LiveRun]:
    with ledger.reader() as reader:
        return {live.run.id: live for live in recover(reader, node, {}, now).shown}


def test_a_restarted_agent_shows_what_ended_less_than_15_minutes_ago_and_nothing_older() -> None:
    ledger = ledger_of(
        ("old", 10, RunStatus.COMPLETED), ("new", 60, RunStatus.FAILED),
        ("lives", 0, RunStatus.RUNNING), now_us=START_US + 60_000_000,
    )  # fmt: skip
    now_ns = 100 * S + (15 * 60 + 30) * S
    found = shown(ledger, NODE, WallAnchor(now_ns, START_US + (15 * 60 + 30) * 1_000_000))
    assert found.keys() == {"new"}
    ending = found["new"].ending
    assert ending is not None
    assert (ending.ended_ns, ending.status) == (160 * S, RunStatus.FAILED)
    assert ending.done.done()
    ledger.close()


def test_a_run_abandoned_by_the_restart_stays_for_its_time_too() -> None:
    ledger = ledger_of(("lives", 0, RunStatus.RUNNING))
    found = shown(ledger, NODE, WallAnchor(200 * S, START_US + 100_000_000))
    assert found["lives"].ending is not None
    assert found["lives"].ending.status is RunStatus.ABANDONED
    assert [budget.unit for budget in found["lives"].budgets.values()] == ["EUR"]
    assert shown(ledger, NODE, WallAnchor(1_200 * S, START_US + 1_100_000_000)) == {}
    ledger.close()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 900), st.integers(0, 2_000), st.integers(0, 10**6))
def test_after_a_boot_a_run_keeps_its_place_in_utc(lasted_s: int, ago_s: int, boot_s: int) -> None:
    ended_us = START_US + lasted_s * 1_000_000
    ledger = ledger_of(("run", lasted_s, RunStatus.COMPLETED), now_us=ended_us)
    now = WallAnchor(boot_s * S, ended_us + ago_s * 1_000_000)
    found = shown(ledger, replace(NODE, boot_id="boot-2"), now)
    assert found.keys() == ({"run"} if ago_s <= 900 else set())
    for live in found.values():
        assert live.ending is not None
        assert live.at_us(live.ending.ended_ns) == ended_us
        assert now.boot_ns - live.ending.ended_ns == ago_s * S
        assert live.budgets["EUR"].amount == 1
    ledger.close()
