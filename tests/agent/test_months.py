"""Budgets of projects by month: the ledger's part, the live part, and what is said."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agents import agent, configured, until
from meter import settings
from meter.agent.booking import Books
from meter.agent.budgeting import BudgetWatch
from meter.agent.months import Month, Months, Sums
from meter.config import ProjectBudget
from meter.errors import ConfigError, LedgerError
from meter.units import US_PER_HOUR, US_PER_S
from tests.agent.test_booking import RUN, book, part
from tests.agent.test_budgets import KWH_MJ, live

if TYPE_CHECKING:
    from pathlib import Path

AT = Month.of(1_764_000_000 * US_PER_S)
NOW_US = AT.from_us + US_PER_HOUR
BUDGET = ProjectBudget(RUN.project, Decimal(10), "kWh")


def settled(months: Months, now_us: int, books: Books) -> None:
    """Look until the ledger has answered."""
    months.look(now_us, books)
    for thread in threading.enumerate():
        if thread.name == "meter-months":
            thread.join()
    months.look(now_us, books)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001
def test_a_month_begins_and_ends_at_utc_midnight(at: datetime) -> None:
    at = at.replace(tzinfo=UTC)
    month = Month.of(int(at.timestamp()) * US_PER_S)
    first, after = (
        datetime.fromtimestamp(us // US_PER_S, UTC) for us in (month.from_us, month.to_us)
    )
    assert first <= at.replace(microsecond=0) < after
    assert (first.day, first.hour, after.day, after.hour) == (1, 0, 1, 0)
    assert timedelta(28) <= after - first <= timedelta(31)
    assert month.name == f"{first:%Y-%m}"


def test_what_the_ledger_has_and_what_was_booked_since_are_counted_once() -> None:
    books = Books()
    book(books, part(3 * KWH_MJ, "r1"))  # the ledger has it
    months = Months([BUDGET], lambda _from, _to: {(RUN.project, "kWh"): Decimal(5)})
    settled(months, NOW_US, books)
    assert [use.used for _, use in months.uses] == [Decimal(5)]
    book(books, part(2 * KWH_MJ, "r1"))
    months.look(NOW_US + 1, books)
    assert [use.used for _, use in months.uses] == [Decimal(7)]


def test_the_ledger_is_asked_rarely_and_for_a_new_month_at_once() -> None:
    asked: list[int] = []

    def stored(from_us: int, _to_us: int) -> Sums:
        asked.append(from_us)
        return {}

    months, books = Months([BUDGET], stored), Books()
    for second in range(60):
        settled(months, NOW_US + second * US_PER_S, books)
    assert asked == [AT.from_us]
    settled(months, NOW_US + US_PER_HOUR, books)
    assert asked == [AT.from_us] * 2
    settled(months, AT.to_us, books)
    assert asked == [AT.from_us, AT.from_us, AT.to_us]


def test_a_ledger_that_cannot_be_asked_is_asked_again_and_nothing_is_claimed() -> None:
    answers: list[Sums | None] = [None, {(RUN.project, "kWh"): Decimal(9)}]

    def stored(_from_us: int, _to_us: int) -> Sums:
        answer = answers.pop(0)
        if answer is None:
            raise LedgerError("busy")
        return answer

    months, books = Months([BUDGET], stored), Books()
    settled(months, NOW_US, books)
    assert months.uses == ()
    settled(months, NOW_US + 61 * US_PER_S, books)
    assert [use.used for _, use in months.uses] == [Decimal(9)]


def test_a_project_is_told_of_once_a_month_and_in_each_of_its_runs() -> None:
    watch, books = BudgetWatch(), Books()
    watch.months = Months([BUDGET], lambda _from, _to: {(RUN.project, "kWh"): Decimal(11)})
    settled(watch.months, NOW_US, books)
    first = watch.look([live()], books, NOW_US)
    assert {(notice.code, notice.run_id) for notice in first} == {
        (code, run)
        for code in ("project_budget_80", "project_budget_spent")
        for run in (None, "r1")
    }
    assert watch.look([live()], books, NOW_US + 1) == []
    told = [(notice.code, notice.text, notice.run_id) for notice in first]
    again = BudgetWatch(told)
    again.months = watch.months
    assert again.look([live()], books, NOW_US + 2) == []
    settled(watch.months, AT.to_us, books)
    assert len(watch.look([], books, AT.to_us)) == 2  # another month


def load(folder: Path, text: str) -> tuple[Any, list[Any]]:
    return settings.load({**configured(folder, text), "HOME": str(folder)})


def test_budgets_of_projects_are_read_whatever_the_project_is_called(tmp_path: Path) -> None:
    text = '[budgets.chatbot]\nmonth = ["500 EUR", "0.2MWh"]\n["budgets"."a.b c"]\n'
    config, notices = load(tmp_path, text + 'month = ["1tCO2e"]\n')
    assert notices == []
    assert config.budgets == (
        ProjectBudget("chatbot", Decimal(500), "EUR"),
        ProjectBudget("chatbot", Decimal(200), "kWh"),
        ProjectBudget("a.b c", Decimal(1000), "kgCO2e"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[budgets.x]\nmonth = ["0EUR"]', "not above zero"),
        ('[budgets.x]\nmonth = ["5 XX"]', "no unit that is known"),
        ("[budgets.x]\nmonth = [5]", "amounts in quotes"),
        ('[budgets.x]\nmonth = "5EUR"', "must be a list"),
        ('[budgets.x]\nyear = ["5EUR"]', "must have 'month'"),
        ('[budgets.x]\nmonth = ["5EUR", "6EUR"]', "two budgets of one unit"),
        ("budgets = 3", "must be a table"),
    ],
)
def test_a_wrong_budget_names_key_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml, line") as error:
        load(tmp_path, text + "\n")
    assert said in str(error.value)


def test_a_project_over_its_month_is_told_once_across_restarts(tmp_path: Path) -> None:
    budgets = configured(tmp_path, '[budgets.tests]\nmonth = ["0.00001kWh", "7SEK"]\n')
    ratio = 'meter_project_budget_used_ratio{project="tests",unit="kWh"}'
    for number in range(2):
        with agent(tmp_path, **budgets) as node:
            node.hear("reading")
            node.begin(f"r{number}")
            until(lambda node=node: node.page().get(ratio, 0) >= 1, "it is used up")
            page = node.page()
            assert page['meter_project_budget{project="tests",unit="SEK"}'] == 7
            assert 'meter_project_budget_used_ratio{project="tests",unit="SEK"}' not in page
            found = node.ask("GET", "/v1/status")[1]["budgets"]
            assert [each["unit"] for each in found] == ["kWh", "SEK"]
            document = node.end(f"r{number}")
            said = [n["code"] for n in document["notices"] if n["code"].startswith("project")]
            assert said == ["project_budget_80", "project_budget_spent"]
            node.stop()
    from meter.ledger import recovery
    from meter.ledger.reader import open_reader

    reader = open_reader(tmp_path / "ledger.duckdb")
    told = [run for _, _, run in recovery.told_of_budgets(reader)]
    rows = reader.rows("report/run_notices", run_id="r0", start=0, end=0)
    reader.close()
    assert sorted(map(str, told)) == ["None", "None", "r0", "r0", "r1", "r1"]
    assert {row["times"] for row in rows} == {1}
