"""Feeds in the agent: pace, what is news, staleness, and a thread that nothing ends but a stop."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.agent import feeding as feeding_module
from meter.agent.feed_pace import Pace
from meter.agent.feed_rest import NAME, Rest
from meter.agent.feed_watch import FeedWatch
from meter.agent.feeding import Feeding, Surroundings
from meter.errors import FeedError, FeedRefusedError, LedgerError
from meter.factors.feeds import About, Point, factors_of_points
from meter.factors.live import in_force
from meter.ledger.expansion import KnownFactors, statements_to_write
from meter.model import FactorKind, LedgerBatch
from tests.ledger.facts import START_US, site

HOUR_US = 3_600_000_000
GRACE_US = HOUR_US // 6
ABOUT = About("maps", "Maps", "FR", FactorKind.GRID_INTENSITY, "average", "none")
LAB = site("FRA")
PATIENCE_S = 30


def hour(n: int, value: object, state: str = "") -> Point:
    start = START_US + n * HOUR_US
    return Point(start, start + HOUR_US, Decimal(str(value)), state)


def rows(*points: Point, recorded_us: int = START_US):
    return factors_of_points(points, ABOUT, LAB.id, recorded_us)


def watch() -> FeedWatch:
    return FeedWatch(ABOUT, START_US, GRACE_US)


# -- pace


@given(st.floats(0, 0.999), st.integers(0, 60), st.none() | st.floats(0, 90_000))
def test_a_failure_is_never_tried_again_sooner_than_asked_for(chance, failures, asked_s):
    wait_s = Pace(600, failures).after_failure(chance, asked_s)
    assert wait_s >= max(30, asked_s or 0)
    assert wait_s <= max(3_960, asked_s or 0)
    assert Pace(600, failures).after_failure(chance, refused=True) >= 300


@given(st.floats(0, 0.999), st.none() | st.floats(-5, 7_200))
def test_an_answer_is_followed_by_the_next_within_the_period_and_its_jitter(chance, left_s):
    assert 60 <= Pace(600).after_answer(chance, left_s) <= 660


def test_waits_double_up_to_a_cap():
    waits = [Pace(600, n).after_failure(0) for n in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[:3] == [30, 60, 120]
    assert waits[-1] == 3_600


# -- what is news

rounds = st.lists(
    st.dictionaries(st.integers(0, 5), st.integers(0, 4), max_size=6), min_size=1, max_size=8
)


@given(rounds, st.randoms(use_true_random=False))
def test_order_duplicates_and_corrections_leave_what_was_said_last(said, chance):
    truth: dict[int, int] = {}
    known, ours, everything = KnownFactors(), watch(), []
    for at, values in enumerate(said):
        truth |= values
        points = [hour(n, value) for n, value in values.items()]
        chance.shuffle(points)
        given_rows = rows(*points, *points, recorded_us=START_US + at)
        everything += given_rows
        fresh = ours.news(given_rows)
        ours.keep(fresh, START_US)
        written = statements_to_write(known, fresh)
        assert {row.id for row in written} == {row.id for row in fresh}
        assert ours.news(given_rows) == []
        known.add(written)
    chance.shuffle(everything)
    at_once = statements_to_write(KnownFactors(), everything)
    for n in range(6):
        at_us = START_US + n * HOUR_US
        polled = in_force([*known._standing, *known.at_hours([at_us])], LAB, at_us)
        for found in (polled, in_force(at_once, LAB, at_us)):
            row = found.get(FactorKind.GRID_INTENSITY)
            assert (row.value if row else None) == truth.get(n)


def test_a_value_that_is_not_estimated_any_more_is_news_and_one_of_the_ledger_is_not():
    ours = watch()
    ours.recall(rows(hour(0, 50, "estimated by the provider")))
    assert ours.news(rows(hour(0, 50, "estimated by the provider"))) == []
    assert len(ours.news(rows(hour(0, 50)))) == 1


# -- staleness


def codes(ours: FeedWatch, now_us: int) -> list[str]:
    return [notice.code for notice in ours.look(now_us)]


def test_stale_some_time_after_the_last_row_until_one_holds_again():
    ours = watch()
    ours.keep(rows(hour(0, 52)), START_US)
    ours.heard(START_US)
    end_us = START_US + HOUR_US
    assert codes(ours, START_US) == []
    assert codes(ours, end_us + GRACE_US - 1) == []
    ours.failed(FeedError("maps answers 500", "wait"), refused=False)
    (stale,) = ours.look(end_us + GRACE_US)
    assert stale.code == "intensity_stale"
    assert "52 g/kWh for 2026-03-01 09:00 to 10:00 UTC" in stale.text
    assert "maps answers 500" in stale.text
    assert codes(ours, end_us + 5 * HOUR_US) == ["intensity_stale"]
    view = ours.view()
    assert (view.stale, view.value, view.last_ok_us) == (True, 52, START_US)
    ours.keep(rows(hour(5, 60)), START_US + 6 * HOUR_US)  # the past is filled in, not the present
    assert codes(ours, START_US + 6 * HOUR_US) == ["intensity_stale"]
    ours.keep(rows(hour(6, 70)), START_US + 6 * HOUR_US)
    assert codes(ours, START_US + 6 * HOUR_US) == []


def test_a_feed_that_never_gave_anything_is_stale_after_the_grace():
    ours = watch()
    assert codes(ours, START_US + GRACE_US - 1) == []
    (stale,) = ours.look(START_US + GRACE_US)
    assert "no grid intensity yet" in stale.text


def test_old_rows_of_the_ledger_do_not_make_a_new_agent_stale_at_once():
    ours = watch()
    ours.recall(rows(hour(-48, 52)))
    assert codes(ours, START_US) == []
    (stale,) = ours.look(START_US + GRACE_US)
    assert "52 g/kWh" in stale.text


# -- the thread


class Scripted:
    """A feed that gives or raises what it is told to."""

    about = ABOUT

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.old: object = []

    def fetch(self, now_us: int) -> list[Point]:
        del now_us
        return self._give(self.script.pop(0) if len(self.script) > 1 else self.script[0])

    def past(self, from_us: int, to_us: int) -> list[Point]:
        assert from_us < to_us
        return self._give(self.old)

    def _give(self, what: object) -> list[Point]:
        if isinstance(what, Exception):
            raise what
        return what


class House:
    """What the feeding has around it, kept in lists."""

    def __init__(self) -> None:
        self.batches: list[LedgerBatch] = []
        self.taken: list = []
        self.live: list[str] = []
        self.now_us = START_US
        self.full: Exception | None = None
        self.rest: Rest | None = None

    def write(self, batch: LedgerBatch) -> None:
        if self.full is not None:
            raise self.full
        self.batches.append(batch)

    def learn(self, factors):
        self.now_us += 1
        self.write(LedgerBatch(factors=tuple(factors)))
        return [replace(factor, recorded_us=self.now_us) for factor in factors]

    def feeding(self, feed: Scripted, known=()) -> Feeding:
        around = Surroundings(
            site_id=LAB.id,
            learn=self.learn,
            take=self.taken.extend,
            write=self.write,
            runs=lambda: self.live,
            now_us=lambda: self.now_us,
            rest=self.rest,
        )
        return Feeding(feed, 10, around, known)

    def notices(self) -> list[tuple[str, str | None]]:
        return [(n.code, n.run_id) for batch in self.batches for n in batch.notices]


def test_the_first_answer_fills_the_last_day_and_rows_go_to_ledger_and_rates():
    house, feed = House(), Scripted([hour(0, 50)])
    feed.old = [hour(n, 40 - n) for n in range(-3, 1)]
    house.feeding(feed).poll()
    written = [factor for batch in house.batches for factor in batch.factors]
    assert {factor.recorded_us for factor in written} == {0}  # the ledger tells when
    assert [(f.valid_from_us, f.value) for f in written] == [
        (f.valid_from_us, f.value) for f in house.taken
    ]
    assert len({factor.valid_from_us for factor in written}) == 4


def test_the_same_answer_again_writes_nothing_also_after_a_restart():
    house = House()
    running = house.feeding(Scripted([hour(0, 50)]))
    running.poll()
    running.poll()
    assert len(house.taken) == 1
    house.feeding(Scripted([hour(0, 50)]), house.taken.copy()).poll()
    assert len(house.taken) == 1


def test_hours_that_have_not_begun_are_left_out():
    house = House()
    house.feeding(Scripted([hour(0, 50), hour(1, 60)])).poll()
    assert [factor.value for factor in house.taken] == [50]


def test_a_failing_past_leaves_the_present_alive():
    house, feed = House(), Scripted([hour(0, 50)])
    feed.old = FeedRefusedError("maps answers 403", "check the plan")
    running = house.feeding(feed)
    assert running.poll() <= 660
    running.look()
    view = running.view()
    assert view.value == 50
    assert "of the last day: maps answers 403" in view.error


@pytest.mark.parametrize(
    "error",
    [
        FeedError("maps answers 500", "wait"),
        FeedError("busy", "wait", retry_after_s=7_000),
        RuntimeError("defect"),
    ],
)
def test_no_error_leaves_a_poll(error):
    house = House()
    running = house.feeding(Scripted(error))
    wait_s = running.poll()
    assert wait_s >= (7_000 if isinstance(error, FeedError) and error.retry_after_s else 30)
    running.look()
    assert running.view().error
    assert house.taken == []


def test_a_closed_ledger_is_told_and_its_rows_are_given_again():
    house = House()
    house.full = LedgerError("the ledger is closed", "open it again")
    running = house.feeding(Scripted([hour(0, 50)]))
    running.poll()
    running.look()
    assert "takes no factors" in running.view().error
    house.full = None
    running.poll()
    assert [factor.value for factor in house.taken] == [50]


def test_a_busy_ledger_keeps_the_rows_and_leaves_the_rates_right():
    class Busy(House):
        def learn(self, factors):
            raise LedgerError("not written in time", "send them again")

    house = Busy()
    running = house.feeding(Scripted([hour(0, 50)]))
    running.poll()
    assert [(factor.value, factor.recorded_us) for factor in house.taken] == [(50, START_US)]
    assert [[factor.value for factor in batch.factors] for batch in house.batches] == [[50]]
    house.now_us += 3 * HOUR_US
    running.look()
    assert running.view().stale


def test_a_refused_key_is_told_once_to_each_run_until_it_is_taken_again():
    house = House()
    house.live = ["a"]
    no = FeedRefusedError("maps answers 401", "check the key")
    running = house.feeding(Scripted(no, no, [hour(0, 50)], no))
    refused = "intensity_refused"
    for n in range(4):
        running.poll()
        running.look()
        house.live = ["a", "b"] if n else ["a"]
    assert house.notices() == [(refused, "a"), (refused, "a"), (refused, "b")]


def test_staleness_is_told_to_each_run_once_also_to_one_that_begins_meanwhile():
    house = House()
    house.live = ["a", "b"]
    running = house.feeding(Scripted([hour(0, 50)]))
    running.poll()
    running.look()
    house.now_us += 2 * HOUR_US
    running.look()
    running.look()
    house.live = ["a", "b", "c"]
    running.look()
    running.look()
    stale = "intensity_stale"
    assert house.notices() == [(stale, "a"), (stale, "b"), (stale, "c")]
    assert running.view().stale
    house.live = []
    house.now_us -= 2 * HOUR_US
    running.look()
    assert house.notices()[-1] == ("intensity_back", None)


def test_the_thread_asks_again_and_again_and_stops_while_it_waits(monkeypatch):
    monkeypatch.setattr(feeding_module, "START_S", 0.0)
    house, asked = House(), threading.Semaphore(0)

    class Counting(Scripted):
        def fetch(self, now_us):
            asked.release()
            return super().fetch(now_us)

    monkeypatch.setattr(feeding_module, "SECONDS_PER_MINUTE", 0.001)
    running = house.feeding(Counting([hour(0, 50)], RuntimeError("x"), [hour(0, 51)]))
    running.start()
    assert asked.acquire(timeout=PATIENCE_S)
    assert asked.acquire(timeout=PATIENCE_S)
    assert running.stop()


def test_a_feed_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(feeding_module, "START_S", 0.0)
    monkeypatch.setattr(feeding_module, "_STOP_S", 0.05)
    house, inside, free = House(), threading.Event(), threading.Event()

    class Hanging(Scripted):
        def fetch(self, now_us):
            inside.set()
            free.wait(PATIENCE_S)
            return super().fetch(now_us)

    running = house.feeding(Hanging([hour(0, 50)]))
    running.start()
    assert inside.wait(PATIENCE_S)
    assert not running.stop()
    free.set()
    running._thread.join(PATIENCE_S)
    assert house.taken == []  # what came too late was thrown away


def test_rows_of_another_provider_are_not_taken_for_ones_own():
    ours = watch()
    ours.recall([replace(row, book="other") for row in rows(hour(0, 50))])
    assert len(ours.news(rows(hour(0, 50)))) == 1


# -- a provider that is down, and runs that are short


def test_a_failure_without_a_row_of_the_present_is_told_at_once_and_once():
    house = House()
    house.live = ["a"]
    running = house.feeding(Scripted(FeedError("maps answers 500", "wait"), [hour(0, 50)]))
    running.poll()
    running.look()
    house.live = ["a", "b"]
    running.look()
    stale, back = "intensity_stale", "intensity_back"
    assert house.notices() == [(stale, "a"), (stale, "b")]
    assert running.view().stale
    assert running.ended("a", START_US, START_US + 1) is None
    told = running.ended("c", START_US, START_US + 1)
    assert told is not None
    assert (told.code, told.run_id) == (stale, "c")
    assert "maps answers 500" in told.text
    assert running.ended("c", START_US, START_US + 1) is None
    house.live = ["b"]
    running.poll()
    running.look()
    assert house.notices()[2:] == [(back, "b")]
    assert running.ended("d", START_US, START_US + 1) is None


def test_a_failure_while_the_present_is_known_is_no_staleness():
    house = House()
    house.live = ["a"]
    running = house.feeding(Scripted([hour(0, 50)], FeedError("maps answers 500", "wait")))
    running.poll()
    running.poll()
    running.look()
    assert (running.view().stale, house.notices()) == (False, [])
    assert running.ended("a", START_US, START_US + 1) is None


def test_a_run_that_is_over_before_the_first_answer_is_told_at_its_end():
    told = House().feeding(Scripted([])).ended("a", START_US, START_US + 1)
    assert told is not None
    assert "has given no grid intensity yet" in told.text
    refusing = House().feeding(Scripted(FeedRefusedError("maps answers 401", "check the key")))
    refusing.poll()
    told = refusing.ended("a", START_US, START_US + 1)
    assert told is not None
    assert told.code == "intensity_refused"


# -- what one agent leaves to the next


def test_what_a_provider_asks_for_outlives_the_agent(tmp_path):
    house = House()
    house.rest = Rest(tmp_path, ABOUT.book, ABOUT.zone)
    house.feeding(Scripted(FeedError("busy", "wait", retry_after_s=3_600))).poll()
    after = house.feeding(Scripted([hour(0, 50)]))
    assert after._rest_s() == 3_600
    assert after._rest_s() == 0  # at the start only
    after.look()
    assert "left alone until 2026-03-01T" in after.view().error
    assert after.view().stale
    kept = tmp_path / NAME
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text()) == {
        "provider": "maps",
        "zone": "FR",
        "not_before_us": START_US + HOUR_US,
    }
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert Rest(tmp_path, ABOUT.book, "DE").until_us(START_US) == 0
    house.now_us += HOUR_US
    assert house.feeding(Scripted([hour(0, 50)]))._rest_s() == 0


def test_after_an_answer_the_next_agent_asks_when_it_was_due(tmp_path):
    house = House()
    house.rest = Rest(tmp_path, ABOUT.book, ABOUT.zone)
    wait_s = house.feeding(Scripted([hour(0, 50)])).poll()
    assert abs(house.feeding(Scripted([hour(0, 50)]))._rest_s() - wait_s) < 1
    wait_s = house.feeding(Scripted(FeedError("maps answers 500", "wait"))).poll()
    assert abs(house.feeding(Scripted([hour(0, 50)]))._rest_s() - wait_s) < 1
    house.now_us += HOUR_US
    assert house.feeding(Scripted([hour(1, 50)]))._rest_s() == 0
    house.feeding(Scripted(FeedRefusedError("a key that is none"))).poll()
    assert house.feeding(Scripted([hour(1, 50)]))._rest_s() == 0  # it may have been mended


def test_what_the_ledger_has_of_the_present_is_not_asked_for_at_the_start():
    house = House()
    known = rows(hour(0, 50))
    running = house.feeding(Scripted([hour(0, 50)]), known)
    assert 60 <= running._rest_s() <= 660
    assert running.view().value == 50
    for other in (
        {"scope": "elsewhere"},
        {"source": "Maps, zone DE"},
        {"basis": "average, direct"},
    ):
        strange = [replace(row, **other) for row in known]
        assert house.feeding(Scripted([]), strange)._rest_s() == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 5_000,
        b'{"provider": "maps", "zone": "FR"}',
        b'{"provider": "maps", "zone": "FR", "not_before_us": true}',
        b'{"provider": "maps", "zone": "FR", "not_before_us": "soon"}',
        b'{"provider": "maps", "zone": "FR", "not_before_us": 9999999999999999999}',
    ],
)
def test_a_file_of_nonsense_is_as_none(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    assert Rest(tmp_path, "maps", "FR").until_us(START_US) == 0


def test_a_home_that_cannot_be_written_is_no_error(tmp_path):
    rest = Rest(tmp_path / "gone", "maps", "FR")
    rest.keep(START_US)
    assert rest.until_us(START_US) == 0


def test_what_others_learned_is_shown_last():
    house = House()
    running = house.feeding(Scripted([hour(0, 50)]))
    running.poll()
    running.look()
    running.learned(rows(hour(0, "0.05")))
    assert running.view().value == Decimal("0.05")
