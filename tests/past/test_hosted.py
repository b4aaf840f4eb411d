"""Jobs of providers as runs: told again and again while they go on, booked once when they end."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter import summary
from meter.cli import runs
from meter.hosted_facts import (
    Adapter,
    Estimate,
    HostedJob,
    Hosting,
    JobStatus,
    Meter,
    Quantity,
    Training,
)
from meter.ledger.reader import Reader
from meter.ledger.reports import run_document, run_list
from meter.ledger.session import Session
from meter.ledger.usage import sides
from meter.limits import check_run_id
from meter.model import LedgerBatch, Method, Run, RunState, RunStatus
from meter.past.hosted import (
    NOTHING_BEFORE,
    Before,
    Judged,
    Sums,
    booked_job,
    hosting_usage,
    run_id_of,
)
from meter.past.hosted_again import Tier, made_again
from meter.period_document import Asked, PeriodRows, period_document
from meter.units import US_PER_HOUR
from meter_exporters import html_report

START_US = 1_772_355_600_000_000
DAY_US = 24 * US_PER_HOUR
JOB = HostedJob(
    provider="openai",
    id="ftjob-1",
    status=JobStatus.SUCCEEDED,
    provider_status="succeeded",
    created_us=START_US,
    seen_us=START_US + 9 * US_PER_HOUR,
    base_model="gpt-4o-mini",
    ended_us=START_US + 2 * US_PER_HOUR,
    tuned_model="ft:gpt-4o-mini:lab::1",
    training=Training.SFT,
    adapter=Adapter.LORA,
    quantities=(Quantity(Meter.TRAIN_TOKEN, Decimal(300_000)),),
)
RUNNING = replace(
    JOB, status=JobStatus.RUNNING, provider_status="running", ended_us=None, tuned_model=None,
    quantities=(),
)  # fmt: skip
TIER_3 = Estimate(3, 1_000_000, 5_000_000, 9_000_000, "tokens", (("tokens", "300000"),), ())
TIER_2 = Estimate(2, 0, None, 90_000_000, "duration")
JUDGED = Judged((TIER_3, TIER_2), TIER_3)


class Book:
    """A ledger in memory that is told of jobs as ``take_jobs`` tells it."""

    def __init__(self) -> None:
        ticks = itertools.count(START_US + DAY_US, 1_000_000)
        self.session = Session(Path(":memory:"), memory_limit_mb=64, now_us=lambda: next(ticks))
        self.reader = Reader(self.session.con)

    def tell(self, job: HostedJob, judged: Judged = JUDGED) -> None:
        known = {row["job_id"]: row for row in self.reader.rows("recovery/hosted_jobs")}
        before = NOTHING_BEFORE
        if row := known.get(job.id):
            before = Before(JobStatus(row["status"]), row["has_energy"])
        self.session.commit([booked_job(job, "chat", judged, before)])

    def document(self, run_id: str = "openai:ftjob-1") -> dict:
        return run_document(self.reader, run_id)


tellings = st.lists(
    st.sampled_from([
        replace(RUNNING, status=JobStatus.QUEUED, provider_status="queued"), RUNNING,
        replace(RUNNING, seen_us=JOB.seen_us + 1), JOB, replace(JOB, seen_us=JOB.seen_us + 5),
    ]),
    max_size=6,
)  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tellings)
def test_however_often_a_job_is_told_its_usage_and_energy_count_once(told) -> None:
    book = Book()
    for job in [*told, JOB, JOB]:
        book.tell(job)
    document = book.document()
    assert document["run"]["status"] == "completed"
    assert [row["quantity"] for row in document["usage"]] == [300_000]
    hosted = document["energy"]["by_component"]["hosted"]
    assert (hosted["low"], hosted["value"], hosted["high"]) == (1_000, 5_000, 9_000)
    assert hosted["method"] == "modelled"
    assert document["energy"]["measured_share"] == 0
    assert [one["tier"] for one in document["hosted"]["estimates"]] == [2, 3]
    assert [one["booked"] for one in document["hosted"]["estimates"]] == [False, True]


def test_a_running_job_is_a_run_without_figures() -> None:
    book = Book()
    book.tell(RUNNING)
    document = book.document()
    assert document["run"]["status"] == "running"
    assert document["hosted"]["status"] == "running"
    assert document["usage"] == document["hosted"]["estimates"] == []


@pytest.mark.parametrize("job", [RUNNING, JOB], ids=["running", "ended"])
def test_energy_that_is_not_known_is_no_zero_in_what_people_read(job) -> None:
    book = Book()
    book.tell(job, Judged((Estimate(4, 0, None, 0, "no tokens are told"),)))
    document = book.document()
    assert document["equivalents"] == []
    told = {notice["code"]: notice["text"] for notice in document["notices"]}
    assert ("hosted_pending" in told) == (job is RUNNING)
    assert ("hosted_unknown" in told) == (job is JOB)
    assert "no tokens are told" in told.get("hosted_unknown", "no tokens are told")
    assert "hosted_modelled" not in told  # nothing was
    (listed,) = run_list(book.reader)
    assert listed["energy_j"] is listed["low_j"] is listed["high_j"] is None
    shown = runs.text([listed], columns=200)
    assert ("..." in shown, "not known" in shown) == (job is RUNNING, job is JOB)
    assert "0 J" not in shown
    assert period_hosted_unknown(book) == (job is JOB)
    assert "  Energy    not known\n" in summary.text(document)
    page = html_report.export(document, ()).decode()
    assert "not known" in page
    assert "household" not in page
    assert ">0 J<" not in page


def period_hosted_unknown(book: Book) -> bool:
    """Whether the table of runs and the report of several say that an energy is not known."""
    (row,) = sides(book.reader, book.reader.newest_us())
    table = runs.costs_text([row], columns=200)
    said = "hosted_unknown" in {
        one["code"] for one in period_document(Asked(), PeriodRows([row], (), ()), "")["notices"]
    }
    assert said == ("not known" in table) == ("is not known, which is no zero" in table)
    return said


def test_an_own_run_that_used_nothing_keeps_its_zero() -> None:
    book = Book()
    own = Run("own", "own", "p", START_US, 0, "n", "s")
    state = RunState("own", RunStatus.COMPLETED, START_US + DAY_US)
    book.session.commit([LedgerBatch(runs=(own,), states=(state,), site_id="s")])
    (listed,) = run_list(book.reader)
    assert listed["energy_j"] == 0
    assert "not known" not in runs.text([listed])


def test_n08_trained_tokens_are_not_multiplied_by_epochs() -> None:
    book = Book()
    book.tell(replace(JOB, epochs=Decimal(3)))
    assert [row["quantity"] for row in book.document()["usage"]] == [300_000]


def test_n13_what_is_not_billed_is_in_no_sum() -> None:
    book = Book()
    failed = replace(JOB, status=JobStatus.FAILED, flags=("not_billed",), tuned_model=None)
    book.tell(failed)
    document = book.document()
    assert document["run"]["status"] == "failed"
    assert document["usage"] == []
    assert "not_billed" in {notice["code"] for notice in document["notices"]}


def test_n22_a_failed_job_without_a_model_keeps_hours_and_tokens() -> None:
    book = Book()
    book.tell(replace(JOB, status=JobStatus.FAILED, tuned_model=None))
    document = book.document()
    assert document["run"]["duration_s"] == 7_200
    assert [row["quantity"] for row in document["usage"]] == [300_000]


def test_an_upper_bound_alone_is_no_estimate() -> None:
    book = Book()
    book.tell(JOB, Judged((TIER_2,), TIER_2))
    document = book.document()
    hosted = document["energy"]["by_component"]["hosted"]
    assert (hosted["low"], hosted["value"], hosted["high"]) == (0, 45_000, 90_000)
    assert hosted["method"] == document["energy"]["it"]["method"] == "assumed"
    assert "hosted_bound" in {notice["code"] for notice in document["notices"]}
    assert document["equivalents"] == []
    told = summary.text(document)
    assert "Energy    at most 25.0 Wh, assumed" in told


def test_an_upper_bound_that_was_booked_as_the_value_is_put_right_when_it_is_told_again() -> None:
    booked = Sums(90_000_000, 0, 90_000_000)  # as it was until method 5
    tier = Tier(2, 0, None, 90_000_000, booked=True)
    batch = made_again(JOB, Judged((TIER_2,), TIER_2), [tier], booked)
    assert batch is not None
    assert sum(one.energy_mj for one in batch.intervals) == -45_000_000
    assert {one.method for one in batch.intervals} == {Method.ASSUMED}
    assert sum(one.high_mj for one in batch.intervals) == 0


def test_where_nothing_is_known_there_is_no_energy_and_the_reason_is_told() -> None:
    book = Book()
    book.tell(JOB, Judged((Estimate(4, 0, None, 0, "no tokens are told"),)))
    document = book.document()
    assert document["energy"]["devices"] == []
    assert document["hosted"]["estimates"][0]["reason"] == "no tokens are told"


@given(st.text(min_size=1, max_size=300))
def test_every_id_of_a_job_makes_a_run_id_and_no_two_the_same(text) -> None:
    made = run_id_of("vertex", text)
    assert check_run_id("id", made) == made
    assert made != run_id_of("vertex", text + "x")


def test_paths_are_known_by_their_end() -> None:
    assert run_id_of("openai", "ftjob-1") == "openai:ftjob-1"
    made = run_id_of("vertex", "projects/1/locations/eu/tuningJobs/77")
    assert made.startswith("vertex:77-")


@given(
    st.integers(0, 5 * DAY_US), st.one_of(st.none(), st.integers(0, 5 * DAY_US)),
    st.integers(0, 9 * DAY_US),
)  # fmt: skip
def test_hours_of_hosting_add_up_and_each_day_is_told_once(start, length, seen_after) -> None:
    began_us = START_US + start
    ended_us = None if length is None else began_us + length
    hosting = Hosting("azure", "d1", "gpt-4o-mini.ft-1", began_us, ended_us, units=Decimal(2))
    seen_us = (began_us if ended_us is None else ended_us) + seen_after
    events = list(hosting_usage(hosting, "chat", seen_us))
    assert len({event.id for event in events}) == len(events)
    hours = sum((event.quantities[0].amount for event in events), Decimal(0))
    until_us = seen_us - seen_us % DAY_US if ended_us is None else ended_us
    expected = Decimal(max(0, until_us - began_us)) / US_PER_HOUR * 2
    assert abs(hours - expected) <= Decimal("0.000001") * max(1, len(events))
    earlier = {event.id: event for event in hosting_usage(hosting, "chat", seen_us - DAY_US)}
    later = {event.id: event for event in events}
    if ended_us is None:
        assert earlier.items() <= later.items()


def test_a_deployment_that_is_to_end_later_has_hours_of_days_that_are_over() -> None:
    hosting = Hosting("azure", "d1", "m.ft-1", START_US, START_US + 900 * DAY_US)
    assert len(list(hosting_usage(hosting, "chat", START_US + 3 * DAY_US))) == 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (JobStatus.QUEUED, "running"), (JobStatus.PAUSED, "running"),
        (JobStatus.CANCELLED, "cancelled"), (JobStatus.SUCCEEDED, "completed"),
    ],
)  # fmt: skip
def test_where_a_job_stands_is_where_its_run_stands(status, expected) -> None:
    book = Book()
    book.tell(replace(JOB, status=status, ended_us=JOB.ended_us if status.ended else None))
    assert book.document()["run"]["status"] == expected
