"""Estimates made anew: the run has what its newest estimate says, and earlier reports stay."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter import figures
from meter.hosted_facts import Estimate
from meter.ledger.reports import run_document
from meter.model import LedgerBatch, RunEstimate
from meter.past.hosted import Judged, Sums
from meter.past.hosted_again import MADE_AGAIN, Tier, made_again
from tests.past.test_hosted import JOB, JUDGED, TIER_2, TIER_3, Book

RUN = "openai:ftjob-1"


def tiers(book: Book) -> tuple[list[Tier], Sums | None]:
    rows = book.reader.rows("recovery/hosted_estimates")
    names = ("tier", "low_mj", "mid_mj", "high_mj", "booked")
    found = [Tier(**{name: row[name] for name in names}) for row in rows]
    first = rows[0]
    if first["run_mj"] is None:
        return found, None
    return found, Sums(*(int(first[name]) for name in ("run_mj", "run_low_mj", "run_high_mj")))


def again(book: Book, judged: Judged) -> bool:
    batch = made_again(JOB, judged, *tiers(book))
    if batch is not None:
        book.session.commit([batch])
    return batch is not None


def hosted(document: dict) -> tuple[float, float, float]:
    energy = document["energy"]["by_component"]["hosted"]
    return energy["low"], energy["value"], energy["high"]


@st.composite
def judgements(draw) -> Judged:
    low, mid, high = sorted(draw(st.tuples(*[st.integers(0, 10**10)] * 3)))
    best = Estimate(draw(st.sampled_from((1, 3))), low, mid, high, "tokens")
    return Judged((best, TIER_2), best)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(judgements(), min_size=1, max_size=4))
def test_a_run_has_what_its_newest_estimate_says_and_earlier_reports_stay(given_) -> None:
    book = Book()
    book.tell(JOB)
    seen = [(book.reader.newest_us(), book.document())]
    for judged in given_:
        again(book, judged)
        assert not again(book, judged)
        best = judged.energy
        document = book.document()
        assert hosted(document) == tuple(
            mj / 1_000 for mj in (best.low_mj, best.mid_mj, best.high_mj)
        )
        assert [one["mid_j"] for one in document["hosted"]["estimates"] if one["booked"]] == [
            best.mid_mj / 1_000
        ]
        seen.append((book.reader.newest_us(), document))
    for as_of_us, document in seen:
        earlier = run_document(book.reader, RUN, as_of_us=as_of_us)
        assert hosted(earlier) == hosted(document)
        assert earlier["hosted"]["estimates"] == document["hosted"]["estimates"]


def test_a_job_that_had_no_estimate_gets_its_energy_with_the_first() -> None:
    """As when the size of its base model is learned after it was booked."""
    book = Book()
    nothing = Judged((Estimate(4, 0, None, 0, "the size of its base model is not known"),))
    book.tell(JOB, nothing)
    assert not again(book, nothing)
    assert figures.is_unknown(figures.readable(book.document())["energy"]["it"])
    as_of_us = book.reader.newest_us()
    assert again(book, JUDGED)
    assert not again(book, JUDGED)
    assert hosted(book.document()) == (1_000, 5_000, 9_000)
    assert "hosted_unknown" not in {one["code"] for one in book.document()["notices"]}
    assert book.reader.rows("report/hosted_to_book", since_seq=None)  # for live counters too
    earlier = run_document(book.reader, RUN, as_of_us=as_of_us)
    assert "hosted_unknown" in {one["code"] for one in earlier["notices"]}


def test_an_estimate_that_an_earlier_version_did_not_book_is_booked() -> None:
    book = Book()
    book.tell(JOB, Judged((Estimate(4, 0, None, 0, "nothing"),)))
    late = LedgerBatch(hosted_energy=(RunEstimate(RUN, TIER_3, booked=True),))
    book.session.commit([late])
    assert figures.is_unknown(figures.readable(book.document())["energy"]["it"])
    assert again(book, Judged((TIER_3,), TIER_3))
    assert hosted(book.document()) == (1_000, 5_000, 9_000)


def test_the_same_books_change_nothing() -> None:
    book = Book()
    book.tell(JOB)
    assert made_again(JOB, JUDGED, *tiers(book)) is None


def test_a_correction_holds_no_time_and_is_told() -> None:
    book = Book()
    book.tell(JOB)
    before = book.document()
    more = replace(TIER_3, mid_mj=6_000_000)
    assert again(book, Judged((more, TIER_2), more))
    after = book.document()
    assert after["run"]["duration_s"] == before["run"]["duration_s"]
    assert [one["code"] for one in after["notices"]].count(MADE_AGAIN) == 1


def test_what_cannot_be_estimated_any_more_has_no_energy() -> None:
    book = Book()
    book.tell(JOB)
    assert again(book, Judged((TIER_2,), None))
    assert hosted(book.document()) == (0, 0, 0)
