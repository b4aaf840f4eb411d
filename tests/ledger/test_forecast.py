"""Laws of the forecast, and its place in the document."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter import plans, summary
from meter.document_budget import budgets_of, forecast_of
from meter.forecast import LEAST, Progress, forecast
from meter.ledger import reports
from meter.model import Budget, LedgerBatch, Mark
from run_schema import run_schema
from tests.exporters.documents import document as sample
from tests.ledger.facts import MINUTE_US, START_US, ended, minute, registered

if TYPE_CHECKING:
    from meter.ledger import Ledger

S = 1_000_000
fractions = st.fractions(LEAST, 1, max_denominator=1_000)


@st.composite
def progress(draw: st.DrawFn) -> list[Progress]:
    """Marks in time, energy never falling, fractions that may go back."""
    steps = draw(
        st.lists(
            st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), fractions),
            min_size=1, max_size=12,
        )
    )  # fmt: skip
    at_us = energy_mj = 0
    marks = []
    for later_us, more_mj, fraction in steps:
        at_us, energy_mj = at_us + later_us, energy_mj + more_mj
        marks.append(Progress(at_us, fraction, energy_mj))
    return marks


@given(
    st.lists(st.integers(10, 1_000), min_size=2, max_size=20, unique=True),
    st.integers(0, 10**9), st.integers(1, 10**6),
)  # fmt: skip
def test_a_constant_rate_gives_the_end_exactly(done: list[int], first: int, rate: int) -> None:
    marks = [Progress(n * S, Fraction(n, 1_000), first + n * rate) for n in done]
    found = forecast(marks, 0)
    assert found is not None
    assert found.energy_mj == first + 1_000 * rate
    assert found.ends_us == 1_000 * S


@given(progress())
def test_what_is_spent_stays_spent_and_bounds_hold_the_value(marks: list[Progress]) -> None:
    found = forecast(marks, 0)
    assert found is not None
    spent = marks[-1].energy_mj
    assert spent <= found.low_mj <= found.energy_mj <= found.high_mj
    assert found.ends_us >= marks[-1].at_us


@given(progress(), st.randoms(use_true_random=False))
def test_the_order_in_which_marks_are_told_changes_nothing(
    marks: list[Progress], dice: Any
) -> None:
    mixed = list(marks)
    dice.shuffle(mixed)
    assert forecast(mixed, 0) == forecast(marks, 0)


@given(progress(), st.integers(1, 10**9))
def test_at_the_end_the_bounds_are_a_point(marks: list[Progress], more: int) -> None:
    last = marks[-1]
    end = Progress(last.at_us + 1, Fraction(1), last.energy_mj + more)
    found = forecast([*marks, end], 0)
    assert found is not None
    assert found.low_mj == found.energy_mj == found.high_mj == end.energy_mj
    assert found.ends_us == end.at_us


@given(st.integers(2, 99))
def test_bounds_of_a_steady_run_shrink_as_it_goes_on(done: int) -> None:
    marks = [Progress(n * S, Fraction(n, 100), n * 7) for n in range(1, done + 2)]
    before, after = forecast(marks[:-1], 0), forecast(marks, 0)
    assert before is not None
    assert after is not None
    assert after.high_mj - after.low_mj <= before.high_mj - before.low_mj


def test_nothing_is_forecast_before_the_first_percent() -> None:
    assert forecast([], 0) is None
    assert forecast([Progress(1, Fraction(1, 101), 5)], 0) is None
    assert forecast([Progress(1, Fraction(1, 100), 5)], 0) is not None


def test_one_mark_alone_tells_little() -> None:
    found = forecast([Progress(100, Fraction(1, 4), 40)], 0)
    assert found is not None
    assert (found.low_mj, found.energy_mj, found.high_mj) == (40, 160, 280)
    assert found.ends_us == 400


def test_work_lost_to_a_restart_is_spent_and_tells_no_rate() -> None:
    marks = [Progress(n, Fraction(n, 10), 10 * n) for n in range(1, 6)]
    back = [Progress(n + 3, Fraction(n, 10), 10 * (n + 3)) for n in range(3, 6)]
    found = forecast([*marks, *back], 0)
    assert found is not None
    assert found.energy_mj == 80 + 50
    just_back = forecast([*marks, back[0]], 0)
    assert just_back is not None
    assert just_back.energy_mj == 60 + 70


# -- in the document --------------------------------------------------------------------------


def running() -> dict[str, Any]:
    made = sample()
    made["run"]["status"] = "running"
    made["as_of"] = "1970-01-01T00:00:10.000000Z"
    return made


def halfway(made: dict[str, Any]) -> list[Progress]:
    now_mj = int(Fraction(str(made["energy"]["it"]["value"])) * 1_000)
    return [Progress(n * S, Fraction(n, 20), now_mj * n // 10) for n in range(1, 11)]


def test_every_figure_grows_with_the_energy_and_money_stays_decimal() -> None:
    made = running()
    found = forecast_of(made, halfway(made), 0)
    assert found is not None
    assert found["energy"]["value"] == pytest.approx(2 * made["energy"]["it"]["value"], rel=1e-6)
    for cost, now in zip(found["cost"], made["cost"], strict=True):
        assert isinstance(cost["amount"]["value"], str)
        want = 2 * Decimal(now["amount"]["value"])
        assert float(cost["amount"]["value"]) == pytest.approx(float(want), rel=1e-6)
        assert cost["amount"]["method"] in {"modelled", "assumed"}
    assert found["energy"]["low"] < found["energy"]["value"] < found["energy"]["high"]
    json.dumps(found, allow_nan=False)


def test_a_run_that_ended_or_used_nothing_has_no_forecast() -> None:
    made = running()
    marks = halfway(made)
    made["energy"]["it"]["value"] = 0.0
    assert forecast_of(made, marks, 0) is None
    assert forecast_of({**sample()}, marks, 0) is None


def test_an_end_that_is_nowhere_near_is_not_told() -> None:
    made = running()
    marks = [Progress(0, LEAST, 1), Progress(10**15, LEAST + Fraction(1, 10**9), 2)]
    found = forecast_of(made, marks, 0)
    assert found is not None
    assert found["ends_at"] is None
    assert "about" not in plans.forecast({**made, "forecast": found})


def test_an_end_that_is_past_is_not_told() -> None:
    made = running()
    made["as_of"] = "1970-01-01T00:00:21.000000Z"
    found = forecast_of(made, halfway(made), 0)
    assert found is not None
    assert found["ends_at"] is None


def test_budgets_tell_what_is_used_and_the_summary_shows_both() -> None:
    made = running()
    rows = [
        {"unit": unit, "amount": Decimal(amount), "stop": False}
        for unit, amount in (("kWh", "20"), ("kgCO2e", "5"), ("EUR", "50"), ("SEK", "1"))
    ]
    made["budgets"] = budgets_of(made, rows)
    by_unit = {found["unit"]: found for found in made["budgets"]}
    kwh = made["energy"]["it"]["value"] / 3.6e6
    assert by_unit["kWh"]["ratio"] == pytest.approx(kwh / 20)
    euros = sum(Decimal(c["amount"]["value"]) for c in made["cost"] if c["currency"] == "EUR")
    assert Decimal(by_unit["EUR"]["used"]) == euros
    assert by_unit["SEK"] == {
        "unit": "SEK", "amount": "1.00", "used": None, "ratio": None, "stop": False,
    }  # fmt: skip
    made["forecast"] = forecast_of(made, halfway(made), 0)
    made["notices"] = []
    shown = summary.text(made)
    assert "at the end, about 1970-01-01 00:00:20 UTC; 50 % is done, modelled" in " ".join(
        shown.split()
    )
    assert "of the budget of 20 kWh" in " ".join(shown.split())
    assert "nothing counts against 1 SEK yet" in plans.budgets(made)
    assert all(len(line) <= 80 for line in shown.splitlines())


# -- from the ledger --------------------------------------------------------------------------


@pytest.fixture
def ledger(open_ledger: Any) -> Ledger:
    opened: Ledger = open_ledger()
    return opened


def document_of(ledger: Ledger, *batches: LedgerBatch) -> dict[str, Any]:
    for batch in batches:
        ledger.write(batch).result(10)
    with ledger.reader() as reader:
        made = reports.run_document(reader, "01RUN0")
    run_schema().validate(made)
    return made


def test_the_document_of_the_ledger_has_both_and_keeps_the_schema(ledger: Ledger) -> None:
    intervals = tuple(minute(n) for n in range(10))
    marks = tuple(
        Mark("01RUN0", START_US + n * MINUTE_US, n * 36_000_000, fraction=Decimal(n) / 20)
        for n in range(11)
    )
    limits = (
        Budget("01RUN0", Decimal("0.2"), "kWh"),
        Budget("01RUN0", Decimal("0.3"), "kWh", stop=True),  # of one unit the first stands
        Budget("01RUN0", Decimal(7), "SEK"),
    )
    first = LedgerBatch(budgets=limits[:1])
    facts = LedgerBatch(intervals=intervals, site_id="lab", marks=marks, budgets=limits[1:])
    live_one = document_of(ledger, registered(), first, facts)
    assert [(b["unit"], b["amount"]) for b in live_one["budgets"]] == [
        ("SEK", "7.00"),
        ("kWh", "0.20"),
    ]
    assert live_one["budgets"][1]["ratio"] == pytest.approx(0.5)
    assert live_one["forecast"]["fraction"] == 0.5
    assert live_one["forecast"]["energy"]["value"] == pytest.approx(0.2 * 3.6e6)
    assert live_one["forecast"]["ends_at"] is None  # this ledger's clock is a day ahead
    over = document_of(ledger, ended(minutes=10))
    assert "forecast" not in over
    assert over["budgets"] == live_one["budgets"]


def test_of_very_many_marks_some_hundred_are_read_and_the_newest_is_one(ledger: Ledger) -> None:
    marks = tuple(
        Mark("01RUN0", START_US + n, n, fraction=Decimal(n) / 5_000) for n in range(5_000)
    )
    ledger.write(LedgerBatch(marks=marks)).result(10)
    with ledger.reader() as reader:
        rows = reader.rows("report/run_progress", run_id="01RUN0")
    assert 300 <= len(rows) <= 600
    assert (rows[0]["energy_mj"], rows[-1]["energy_mj"]) == (0, 4_999)
