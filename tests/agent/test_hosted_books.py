"""Energy of hosted jobs in the counters: each once, as first estimated, whoever is killed."""

from __future__ import annotations

import itertools
import signal
import time
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from meter import budgets
from meter.agent.booking import EMISSIONS, ENERGY, Books, key_of
from meter.agent.budgeting import used
from meter.agent.hosted_books import HostedBooks, hosted_after
from meter.factors.hosted import hosted_factors
from meter.hosted_facts import Estimate
from meter.ledger import Ledger
from meter.ledger.reports import run_document
from meter.past.hosted import Judged, Sums, booked_job, run_id_of
from meter.past.hosted_again import Tier, made_again
from meter.past.hosted_judging import judged
from tests.agent.agents import PATIENCE_S, agent
from tests.cli.places import Place
from tests.hosted.jobs.recorded import SHAPES
from tests.past.test_hosted import DAY_US, JOB, START_US

if TYPE_CHECKING:
    from meter.hosted_facts import HostedJob

LABELS = {"component": "hosted", "method": "modelled"}
best = st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)).map(
    lambda parts: Estimate(3, parts[0], parts[0] + parts[1], sum(parts), "tokens")
)


def ledger() -> Ledger:
    ticks = itertools.count(START_US + 2 * DAY_US, 1_000_000)
    return Ledger.open(Path(":memory:"), now_us=lambda: next(ticks))


def told(made: Ledger, job: HostedJob, estimate: Estimate, project: str = "a") -> None:
    batch = booked_job(job, project, Judged((estimate,), estimate))
    made.write(batch, urgent=True).result(PATIENCE_S)


def look(made: Ledger, books: Books) -> None:
    hosted = HostedBooks(books)
    with made.reader() as reader:
        last = reader.one("recovery/last_commit")
        assert last is not None
        sums = hosted_after(reader, hosted.seq, last["recorded_at"])
    hosted.book(sums, int(last["seq"]))


def energy(books: Books) -> dict:
    return {key: value for key, value in books.totals().items() if key[0] == ENERGY}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.lists(best, min_size=1, max_size=3), st.booleans()), max_size=4),
    st.booleans(),
)
def test_counters_are_the_jobs_energy_however_often_it_is_looked_at(steps, spread) -> None:
    with ledger() as made:
        books, number = Books(), 0
        expected: dict = defaultdict(Decimal)
        for estimates, restarts in steps:
            for estimate in estimates:
                project = "ab"[number % 2] if spread else "a"
                told(made, replace(JOB, id=f"ftjob-{number}"), estimate, project)
                expected[key_of(ENERGY, project=project, **LABELS)] += Decimal(
                    estimate.mid_mj
                ).scaleb(-3)
                number += 1
            look(made, books)
            look(made, books)
            books = Books(books.all()) if restarts else books
        assert energy(books) == expected


def test_a_corrected_estimate_moves_reports_and_no_counter() -> None:
    first = Estimate(3, 1_000, 5_000, 9_000, "tokens")
    less = Estimate(3, 500, 2_000, 3_000, "tokens")
    with ledger() as made:
        books = Books()
        told(made, JOB, first)
        look(made, books)
        batch = made_again(
            JOB, Judged((less,), less), [Tier(3, 1_000, 5_000, 9_000, booked=True)],
            Sums(5_000, 1_000, 9_000),
        )  # fmt: skip
        assert batch is not None
        made.write(batch, urgent=True).result(PATIENCE_S)
        look(made, books)
        assert list(energy(books).values()) == [Decimal(5)]
        with made.reader() as reader:
            document = run_document(reader, run_id_of(JOB.provider, JOB.id))
        assert document["energy"]["by_component"]["hosted"]["value"] == 2.0


def test_the_counters_agree_with_the_job_s_document_and_its_carbon_stands_apart() -> None:
    with ledger() as made:
        books = Books()
        found = judged(JOB, hosted_factors(0))
        made.write(booked_job(JOB, "a", found), urgent=True).result(PATIENCE_S)
        look(made, books)
        with made.reader() as reader:
            document = run_document(reader, run_id_of(JOB.provider, JOB.id))
    (joules,) = energy(books).values()
    assert float(joules) == document["energy"]["it"]["value"]
    emitted = {key: value for key, value in books.totals().items() if key[0] == EMISSIONS}
    kinds = {dict(key[1])["kind"] for key in emitted}
    assert kinds == {"hosted", "hosted_overhead"}
    location = document["carbon"]["location"]["value"]
    assert abs(float(sum(emitted.values())) - location) < 1e-6
    for unit in (budgets.ENERGY, budgets.CARBON):  # the ledger knows of which month a job is
        assert used(books.of_project("a"), unit) is None


def test_an_upper_bound_has_a_label_of_its_own() -> None:
    with ledger() as made:
        books = Books()
        told(made, JOB, Estimate(2, 0, None, 90_000, "duration"))
        look(made, books)
    (key,) = energy(books)
    assert dict(key[1])["method"] == "assumed"


def test_an_agent_shows_zero_first_and_books_once_also_when_it_is_killed_between(
    tmp_path: Path,
) -> None:
    words = ("jobs", "import", str(SHAPES / "openai_succeeded.json"), "--provider", "openai")
    name = 'meter_energy_joules_total{component="hosted",method="modelled",project="lab"}'

    def shown(node, wanted) -> float | None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = node.page().get(name)
            if wanted(found) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def post(node) -> None:
        place = Place(tmp_path, METER_SOCKET=node.socket)
        assert place.call(*words, "--project", "lab") == 0

    with agent(tmp_path) as node:
        node.hear("reading")
        time.sleep(1)  # its first look, at what came before it, is over
        post(node)
        assert shown(node, lambda found: found == 0) == 0
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
    with agent(tmp_path) as node:
        node.hear("reading")
        first = shown(node, bool)
        assert first
        post(node)
        assert shown(node, bool) == first
    with agent(tmp_path) as node:
        node.hear("reading")
        assert shown(node, bool) == first
