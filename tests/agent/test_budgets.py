"""Budgets of runs: what counts, what is said, and how often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agent.agents import agent, until
from meter.agent.booking import Account, Books
from meter.agent.budgeting import BudgetWatch, stops, used, uses
from meter.agent.runs import LiveRun
from meter.model import Budget, Run
from tests.agent.test_booking import RUN, book, part

if TYPE_CHECKING:
    from pathlib import Path

KWH_MJ = 3_600_000_000


def live(*budgets: Budget) -> LiveRun:
    run = Run(RUN.run_id, "try", RUN.project, 0, 0, "n", "lab")
    return LiveRun(run, budgets={budget.unit: budget for budget in budgets})


def budget(amount: str, unit: str, *, stop: bool = False) -> Budget:
    return Budget(RUN.run_id, Decimal(amount), unit, stop)


def test_energy_is_of_it_carbon_location_based_and_money_all_costs_in_its_currency() -> None:
    books = Books()
    book(books, part(2 * KWH_MJ, "r1"), part(5 * KWH_MJ, "r2"))
    totals = books.of_run("r1")
    assert used(totals, "kWh") == 2
    assert used(totals, "kgCO2e") == Decimal("0.2")
    assert used(totals, "EUR") == Decimal("0.4") + Decimal("0.001")  # and a GPU's second
    assert used(totals, "USD") is None


def test_energy_of_phases_counts_once() -> None:
    books = Books()
    book(books, part(2 * KWH_MJ, "r1"))
    books.phase(RUN, "train", Decimal(2 * KWH_MJ))
    assert used(books.of_run("r1"), "kWh") == 2


def test_carbon_of_another_basis_does_not_count() -> None:
    key = ("meter_run_emissions_grams_total", (("run", "r1"), ("kind", "electricity"),
                                               ("basis", "market")))  # fmt: skip
    assert used({key: Decimal(5)}, "kgCO2e") is None


def test_each_thing_is_said_once_and_at_its_time() -> None:
    books, watch, run = Books(), BudgetWatch(), live(budget("1", "kWh"))
    said = []
    for _ in range(12):
        book(books, part(KWH_MJ // 10, "r1"))
        said.append([notice.code for notice in watch.look([run], books, 0)])
    assert said[7] == ["budget_80"]
    assert said[9] == ["budget_spent"]
    assert [codes for index, codes in enumerate(said) if index not in {7, 9}] == [[]] * 10


def test_what_was_said_before_a_restart_is_not_said_again() -> None:
    books, run = Books(), live(budget("1", "kWh"))
    book(books, part(2 * KWH_MJ, "r1"))
    first = BudgetWatch().look([run], books, 0)
    told = [(notice.code, notice.text, notice.run_id) for notice in first]
    assert len(first) == 2
    assert BudgetWatch(told).look([run], books, 0) == []


def test_a_budget_without_a_price_is_said_to_count_nothing() -> None:
    books, watch = Books(), BudgetWatch()
    run = live(budget("1", "USD", stop=True))
    assert watch.look([run], books, 0) == []  # nothing is known yet
    book(books, part(KWH_MJ, "r1"))
    assert [notice.code for notice in watch.look([run], books, 0)] == ["budget_unpriced"]
    assert not stops(run, books)
    assert [use.plain()["used"] for use in uses(run, books)] == [None]


@pytest.mark.parametrize("stop", [True, False])
def test_only_a_budget_that_stops_ends_a_job(*, stop: bool) -> None:
    books, run = Books(), live(budget("1", "kWh", stop=stop))
    book(books, part(KWH_MJ, "r1"))
    assert stops(run, books) is stop


def test_a_run_without_budgets_is_looked_at_for_nothing() -> None:
    books = Books()
    book(books, part(KWH_MJ, "r1"))
    assert BudgetWatch().look([live()], books, 0) == []
    assert books.of_run(Account("none", "p").run_id) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"budgets": [{"amount": "0", "unit": "kWh"}]},
        {"budgets": [{"amount": "1", "unit": "Wh"}]},
        {"budgets": [{"amount": "NaN", "unit": "kWh"}]},
        {"budgets": [{"amount": "1", "unit": "EUR"}, {"amount": "2", "unit": "EUR"}]},
        {"stop_over_budget": True},
    ],
)
def test_wrong_budgets_and_fractions_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with agent(tmp_path) as node:
        node.hear("reading")
        node.begin("r0", expected=422, **wrong)
        node.begin("r1")
        for fraction in (-0.1, 1.1, "x"):
            assert node.ask("POST", "/v1/runs/r1/marks", {"fraction": fraction})[0] == 422
        assert node.ask("POST", "/v1/runs/r1/marks", {"fraction": 0.5})[0] == 202


def test_a_budget_is_told_once_also_when_the_agent_is_killed(tmp_path: Path) -> None:
    small = [{"amount": "0.00001", "unit": "kWh"}, {"amount": "7", "unit": "SEK"}]
    with agent(tmp_path) as first:
        first.hear("reading")
        first.begin("r1", budgets=small, stop_over_budget=True)
        until(lambda: first.ask("GET", "/v1/runs/r1/budgets")[1]["stop"], "it is used up")
        ratio = 'meter_run_budget_used_ratio{run="r1",unit="kWh"}'
        page = until(lambda: (found := first.page()).get(ratio, 0) >= 1 and found, "it is shown")
        assert page['meter_run_budget{run="r1",unit="kWh"}'] == 0.00001
        assert 'meter_run_budget_used_ratio{run="r1",unit="SEK"}' not in page
        until(lambda: codes(first.ask("GET", "/v1/runs/r1")[1]) >= CODES, "it is stored")
        first.kill()
    with agent(tmp_path) as second:
        second.hear("reading")
        until(lambda: second.ask("GET", "/v1/runs/r1/budgets")[1]["stop"], "it is known again")
        document = second.end("r1")
        assert second.ask("GET", "/v1/runs/none/budgets")[0] == 404
        second.stop()
    times = [n["times"] for n in document["notices"] if n["code"] in CODES]
    assert times == [1, 1, 1]


CODES = {"budget_80", "budget_spent", "budget_unpriced"}


def codes(document: dict[str, Any]) -> set[str]:
    return {notice["code"] for notice in document["notices"]}


@pytest.mark.parametrize("words", [(), ("--stop-over-budget",)])
def test_a_real_run_over_its_budget_keeps_its_exit_code(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    script = "trap 'echo term >> terms' TERM; i=0; "
    script += (
        "while [ $i -lt 100 ] && [ ! -e terms ] && [ ! -e go ]; do sleep 0.1; i=$((i+1)); done; "
    )
    script += "sleep 2; exit 7"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "METER_HOME": str(tmp_path / "home"),
        "METER_SOCKET": str(tmp_path / "agent.sock"),
        "METER_LEASE_DIR": str(tmp_path / "leases"),
        "METER_LISTEN": "127.0.0.1:0",
        "METER_SIMULATE": "8xH100",
    }
    options = ["run", "--budget", "0.0001 kWh", *words, "--", "sh", "-c", script]
    if not words:
        (tmp_path / "go").touch()
    done = subprocess.run(
        [sys.executable, "-m", "meter", *options],
        env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    end = "; its job is to be asked to end" if "--stop-over-budget" in words else ""
    said = " ".join(done.stderr.decode().split())
    assert f"The run's budget of 0.0001 kWh is used up{end}." in said
    terms = tmp_path / "terms"
    assert (terms.read_text().split() if terms.exists() else []) == ["term"] * bool(words)
    assert signal.SIGTERM.name.encode() in done.stderr or not words
