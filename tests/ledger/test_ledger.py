"""Writing: durable when said so, joined, bounded; a wrong batch takes no other with it."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from dataclasses import replace
from decimal import Decimal

import pytest

from meter.errors import LedgerError, LedgerFullError
from meter.factors import factors_of
from meter.ledger import recovery, session
from meter.ledger.ledger import Pace
from meter.ledger.pending import Pending
from meter.ledger.store import STORAGE_VERSION
from meter.ledger.texts import Library
from meter.model import Counter, Device, DeviceUse, Kind, LedgerBatch, Node, RawReading, Run
from tests.ledger.facts import (
    BOOT_NS,
    GPUS,
    MINUTE_US,
    NODE,
    START_US,
    config,
    ended,
    minute,
    registered,
    site,
)

HOURS_A_DAY = 24


def commits(ledger):
    with ledger.reader() as reader:
        return reader.rows("recovery/last_commit")[0]["seq"]


def use(second):
    at_ns = second * 1_000_000_000
    runs = (("r1", 5), ('r"2', 0))
    at_us = START_US + second * 1_000_000
    return DeviceUse(GPUS[0], at_us, at_ns - 1, at_ns, runs, None, 70_000, idle_seen=False)


def reading(number, **changes):
    values = {"curve_mj": number, "settled_ns": BOOT_NS + number, "counter_mj": number}
    return RawReading(GPUS[0], START_US + number, BOOT_NS + number, **{**values, **changes})


def test_what_was_written_is_there_after_opening_again(open_ledger):
    first = open_ledger()
    first.write(registered()).result(10)
    first.write(LedgerBatch(intervals=(minute(0),), site_id="lab")).result(10)
    first.close()
    with open_ledger().reader() as reader:
        assert reader.rows("totals/by_run")[0]["amount"] == 36_000_000


def test_batches_are_joined_into_one_commit_until_one_is_urgent(open_ledger):
    ledger = open_ledger(pace=Pace(commit_s=3600))
    ledger.write(registered()).result(10)  # the first is due at once
    before = commits(ledger)
    waiting = [ledger.write(LedgerBatch(readings=(reading(n),))) for n in range(20)]
    assert not any(future.done() for future in waiting)
    ledger.write(LedgerBatch(intervals=(minute(0),), site_id="lab"), urgent=True).result(10)
    assert all(future.done() for future in waiting)
    assert commits(ledger) == before + 1


def test_where_much_waits_it_is_committed_half_as_often():
    pace = Pace(commit_s=1.0, crowded=10)
    assert [pace.every_s(waiting) for waiting in (1, 10, 11, 500)] == [1.0, 1.0, 2.0, 2.0]


def test_closing_writes_what_still_waits(open_ledger):
    ledger = open_ledger(pace=Pace(commit_s=3600))
    ledger.write(registered()).result(10)
    waiting = ledger.write(LedgerBatch(readings=(reading(1),)))
    ledger.close()
    assert waiting.result(0) is None
    with open_ledger().reader() as reader:
        assert recovery.last_readings(reader)[GPUS[0]].curve_mj == 1
    with pytest.raises(LedgerError, match="closed"):
        ledger.write(LedgerBatch())
    with pytest.raises(LedgerError, match="closed"):
        ledger.reader()


def test_a_wrong_batch_is_refused_and_the_others_beside_it_are_written(open_ledger):
    ledger = open_ledger(pace=Pace(commit_s=3600))
    ledger.write(registered()).result(10)
    good = [ledger.write(LedgerBatch(readings=(reading(n),))) for n in range(3)]
    negative = minute(0, energy_mj=-5)
    bad = ledger.write(LedgerBatch(intervals=(negative,), readings=(reading(9),), site_id="lab"))
    ledger.write(LedgerBatch(readings=(reading(3),)), urgent=True).result(10)
    assert wait(good, 10).not_done == set()
    with pytest.raises(LedgerError, match="refuses a batch"):
        bad.result(10)
    with ledger.reader() as reader:
        assert recovery.last_readings(reader)[GPUS[0]].curve_mj == 3


def test_everything_of_a_batch_or_nothing_is_written(open_ledger):
    ledger = open_ledger()
    ledger.write(registered()).result(10)
    bad = LedgerBatch(readings=(reading(7),), intervals=(minute(0, kind=Kind.RUN, run_id=None),))
    with pytest.raises(LedgerError):
        ledger.write(bad).result(10)
    with ledger.reader() as reader:
        assert recovery.last_readings(reader) == {}


def test_readers_in_many_threads_see_whole_commits_only(open_ledger):
    ledger = open_ledger()
    ledger.write(registered()).result(10)
    stop, torn = threading.Event(), []

    def watch():
        with ledger.reader() as reader:
            while not stop.is_set():
                rows = reader.rows("totals/by_device")
                amounts = {row["device_id"]: row["amount"] for row in rows}
                if len(set(amounts.values())) > 1 or len(amounts) not in (0, 2):
                    torn.append(amounts)

    threads = [threading.Thread(target=watch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(30):
        both = tuple(minute(number, device=gpu) for gpu in GPUS)
        ledger.write(LedgerBatch(intervals=both, site_id="lab")).result(10)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert torn == []


def test_counters_come_back_exactly_and_never_lower(open_ledger):
    ledger = open_ledger()
    labels = (("project", 'p\n"é'), ("kind", "x"))
    exact = Decimal("0.123456789012345678901234")
    ledger.write(LedgerBatch(counters=(Counter("a_total", labels, exact),))).result(10)
    longer = Decimal("0.1234567890123456789012345")
    later = LedgerBatch(counters=(Counter("b_total", (), Decimal(7)), Counter("c", (), longer)))
    ledger.write(later).result(10)
    ledger.write(LedgerBatch(counters=(Counter("b_total", (), Decimal("7.5")),))).result(10)
    with ledger.reader() as reader:
        found = {counter.name: counter for counter in recovery.counters(reader)}
    assert found["a_total"] == Counter("a_total", labels, exact)
    assert found["b_total"].value == Decimal("7.5")
    assert longer <= found["c"].value < longer + Decimal("1E-23")


def test_superseded_counters_and_those_of_runs_that_ended_long_ago_are_removed(
    open_ledger, monkeypatch
):
    """A run that ended a short while ago is shown again by an agent that starts anew."""
    monkeypatch.setattr(session, "_COUNTER_ROWS", 20)
    now = [START_US]
    ledger = open_ledger(now_us=lambda: now[0])
    ledger.write(registered()).result(10)
    of_run = (("run", "01RUN0"),)
    for number in range(100):
        made = (Counter("a_total", (), Decimal(number)), Counter("b", of_run, Decimal(number)))
        once = (Counter("once_total", (), Decimal(7)),) if number == 0 else ()
        ledger.write(LedgerBatch(counters=made + once)).result(10)
    with ledger.reader() as reader:
        found = {counter.name: counter.value for counter in recovery.counters(reader)}
        assert found == {"a_total": 99, "b": 99, "once_total": 7}
        assert reader.one("recovery/counter_rows")["counter_rows"] < 40
    ledger.write(ended(minutes=1)).result(10)
    for later_us, kept in ((0, {"b": 99}), (16 * MINUTE_US, {})):
        now[0] += later_us
        for number in range(100, 200):
            made = LedgerBatch(counters=(Counter("a_total", (), Decimal(number)),))
            ledger.write(made).result(10)
        with ledger.reader() as reader:
            found = {counter.name: counter.value for counter in recovery.counters(reader)}
        assert found == {"a_total": 199, "once_total": 7, **kept}


def test_registering_again_changes_nothing_and_a_new_description_is_kept_beside(open_ledger):
    ledger = open_ledger()
    for _ in range(2):
        ledger.write(registered(name="first")).result(10)
    ledger.write(registered(name="second", zone="FRA")).result(10)
    renamed = Device(GPUS[0], registered().devices[0].component, "H200", minute(0).method)
    ledger.write(LedgerBatch(devices=(renamed,))).result(10)
    with ledger.reader() as reader:
        assert [run["name"] for run in reader.rows("report/runs", project=None, limit=9)] == [
            "first"
        ]
        assert reader.rows("report/run", run_id="01RUN0")[0]["zone"] == "FRA"


def test_factors_hold_in_every_metered_hour_once_whatever_came_first(open_ledger):
    ledger = open_ledger()
    hours = tuple(minute(60 * n) for n in range(HOURS_A_DAY))
    ledger.write(LedgerBatch(intervals=hours[:12], site_id="lab")).result(10)
    factors = tuple(factors_of(config(), site(), START_US))
    for _ in range(2):
        ledger.write(LedgerBatch(factors=factors)).result(10)
    ledger.write(LedgerBatch(sites=(site(),), intervals=hours[6:], site_id="lab")).result(10)
    with ledger.reader() as reader:
        rows = reader.rows("totals/by_hour")
        assert len({row["hour"] for row in rows}) == HOURS_A_DAY
        assert len(recovery.factors(reader)) == len(factors)
        assert set(recovery.factors(reader)) == set(factors)


def test_old_readings_expire_and_intervals_never(open_ledger):
    day_us = 86_400_000_000
    now = [START_US]
    ledger = open_ledger(retention_days=2, now_us=lambda: now[0])
    batch = LedgerBatch(
        readings=(reading(1),), uses=(use(1),), intervals=(minute(0),), site_id="lab"
    )
    ledger.write(batch).result(10)
    now[0] += 3 * day_us
    ledger.write(LedgerBatch(nodes=(Node("n", "b", "h"),))).result(10)
    ledger.write(LedgerBatch(nodes=(Node("n", "b2", "h"),))).result(10)
    with ledger.reader() as reader:
        assert recovery.last_readings(reader) == {}
        assert recovery.recent_uses(reader) == []
        assert len(reader.rows("recovery/metered_hours")) == 1


def test_a_restarted_agent_finds_who_used_a_shared_device_since_its_last_interval(open_ledger):
    ledger = open_ledger()
    ledger.write(registered()).result(10)
    uses = tuple(use(n) for n in (10, 65, 70))
    before = LedgerBatch(uses=uses, intervals=(minute(0), minute(1)), site_id="lab")
    ledger.write(before).result(10)
    with ledger.reader() as reader:
        assert recovery.recent_uses(reader) == [use(65), use(70)]


def test_a_clock_set_back_hides_nothing_from_the_next_report(open_ledger):
    now = [START_US]
    ledger = open_ledger(now_us=lambda: now[0])
    ledger.write(registered()).result(10)
    now[0] -= 3_600_000_000
    ledger.write(LedgerBatch(intervals=(minute(0),), site_id="lab")).result(10)
    with ledger.reader() as reader:
        assert reader.rows("totals/by_run")[0]["amount"] == 36_000_000


def test_a_restarted_agent_finds_readings_runs_and_holds(open_ledger):
    ledger = open_ledger()
    ledger.write(registered()).result(10)
    seconds = [reading(n * 1_000_000) for n in range(0, 70, 10)]
    ledger.write(LedgerBatch(readings=tuple(seconds[:-1]))).result(10)
    last = LedgerBatch(intervals=(minute(0),), readings=(seconds[-1],), site_id="lab")
    ledger.write(last).result(10)
    after = [reading(n * 1_000_000) for n in (65, 75)]
    ledger.write(LedgerBatch(readings=tuple(after))).result(10)
    with ledger.reader() as reader:
        assert recovery.last_readings(reader) == {GPUS[0]: after[-1]}
        assert recovery.open_readings(reader) == {GPUS[0]: [seconds[-1], *after]}
        assert recovery.written_until(reader) == {GPUS[0]: START_US + 60_000_000}
        ((run, held),) = recovery.open_runs(reader, NODE.id)
        assert isinstance(run, Run)
        assert run == registered().runs[0]
        assert {hold.device_id for hold in held} == set(GPUS)
        assert recovery.open_runs(reader, "elsewhere") == []
        assert recovery.last_boot(reader, NODE.id) == NODE
        assert recovery.last_boot(reader, "elsewhere") is None


def test_the_instance_is_limited_pinned_and_locked(open_ledger):
    session = open_ledger()._session
    rows = session.con.execute("SELECT name, value FROM duckdb_settings()").fetchall()
    found = dict(rows)
    assert found["threads"] == "1"
    assert found["memory_limit"] == "61.0 MiB"
    assert found["enable_external_access"] == "false"
    assert found["autoinstall_known_extensions"] == "false"
    assert found["lock_configuration"] == "true"
    assert found["storage_compatibility_version"] == STORAGE_VERSION


def test_unknown_queries_and_parameters_are_refused_with_a_remedy(open_ledger):
    with open_ledger().reader() as reader:
        with pytest.raises(LedgerError, match="no query named"):
            reader.rows("report/nothing")
        with pytest.raises(LedgerError, match="no parameter 'color'"):
            reader.rows("report/run", run_id="x", color="red")
        with pytest.raises(LedgerError, match="needs 'run_id'"):
            reader.rows("report/run")


def test_a_question_that_does_not_end_is_given_up_and_the_next_is_answered(open_ledger):
    endless = Library({"endless": "SELECT count(*) AS n FROM range(10000000000) a, range(9) b\n"})
    with open_ledger() as ledger:
        with (
            ledger.reader() as reader,
            reader.by_texts(endless) as asked,
            asked.within(0.05),
            pytest.raises(LedgerError, match=r"endless took too long.*ask for less"),
        ):
            asked.rows("endless")
        with ledger.reader() as reader, reader.within(60):
            assert reader.rows("report/runs", project=None, limit=1) == []


def test_a_question_that_needs_too_much_memory_says_what_to_ask_instead(open_ledger):
    sql = "SELECT list(md5(range::VARCHAR) ORDER BY hash(range)) AS n FROM range(20000000)\n"
    with open_ledger() as ledger:
        with (
            ledger.reader() as reader,
            reader.by_texts(Library({"wide": sql})) as asked,
            pytest.raises(LedgerError, match=r"wide does not fit into the memory.*ask for less"),
        ):
            asked.rows("wide")
        with ledger.reader() as reader:
            assert reader.rows("report/runs", project=None, limit=1) == []


def test_a_counter_that_the_ledger_cannot_hold_costs_no_facts(open_ledger):
    absurd = Counter("meter_run_tokens_total", (("run", "odd"),), Decimal(10) ** 16)
    with open_ledger() as ledger:
        odd = ledger.write(replace(registered("odd"), counters=(absurd,)))
        other = ledger.write(registered("other"))
        assert (odd.result(30), other.result(30)) == (None, None)
        with ledger.reader() as reader:
            found = {row["run_id"] for row in reader.rows("report/runs", project=None, limit=9)}
            assert found == {"odd", "other"}
            assert list(recovery.counters(reader)) == []
        assert ledger.health().failures


def test_looks_that_wait_are_counted_and_given_up_with_readings():
    room = Pending(limit=10)
    look = DeviceUse("GPU-0", START_US, 0, 1, (("a", 1),), None, 0, idle_seen=False)
    room.add(LedgerBatch(uses=(look,) * 10))
    assert room.rows == 10
    room.add(LedgerBatch(intervals=(minute(0),)))
    assert (room.rows, room.dropped) == (1, 10)
    assert [batch.uses for batch, _ in room.take()] == [(), ()]


def test_the_waiting_room_gives_up_raw_readings_before_energy_and_then_refuses():
    room = Pending(limit=10)
    old = room.add(LedgerBatch(readings=tuple(reading(n) for n in range(8)),
                               intervals=(minute(0),)))  # fmt: skip
    room.add(LedgerBatch(intervals=tuple(minute(n) for n in range(5))))
    assert room.dropped == 8
    assert room.rows == 6
    refused = room.add(LedgerBatch(intervals=tuple(minute(n) for n in range(5))))
    with pytest.raises(LedgerFullError, match="waiting room"):
        refused.result(0)
    assert not old.done()
    tickets = room.take()
    room.put_back(tickets)
    assert [len(batch.intervals) for batch, _ in room.take()] == [1, 5]
