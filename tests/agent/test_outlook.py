"""The live forecast: that of every mark while they are few, near it when they are many."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.agents import agent, until
from meter.agent.outlook import MOST, Outlook
from meter.forecast import Progress, forecast
from meter.model import Mark

if TYPE_CHECKING:
    from pathlib import Path

PARTS = 1_000_000


def mark(at_us: int, part: int, energy_mj: int) -> Mark:
    return Mark(
        run_id="r", at_us=at_us, energy_mj=energy_mj, fraction=Decimal(part) / Decimal(PARTS)
    )


def told(marks: list[Mark]) -> Outlook:
    outlook = Outlook()
    for one in marks:
        outlook.note(one)
    return outlook


@given(st.lists(st.tuples(st.integers(0, PARTS), st.integers(1, 10**6)), min_size=1, max_size=MOST))
def test_of_few_marks_it_is_the_documents_forecast(steps) -> None:
    marks, energy_mj = [], 0
    for second, (part, more_mj) in enumerate(steps, start=1):
        energy_mj += more_mj
        marks.append(mark(second * 1_000_000, part, energy_mj))
    whole = forecast((Progress(m.at_us, Fraction(m.fraction), m.energy_mj) for m in marks), 0)
    assert told(marks).forecast(0) == whole


@given(st.integers(1, 10**9), st.integers(MOST + 1, 3_000))
def test_at_an_even_rate_many_marks_tell_the_exact_end(whole_mj: int, count: int) -> None:
    done = [PARTS * place // (2 * count) for place in range(1, count + 1)]
    found = told([mark(part, part, whole_mj * part) for part in done]).forecast(0)
    assert found is not None
    assert found.energy_mj == whole_mj * PARTS
    assert found.mark.fraction == Fraction(done[-1], PARTS)


def test_marks_that_are_kept_stay_few() -> None:
    outlook = told([mark(part, part, part) for part in range(1, PARTS, 97)])
    assert len(outlook._kept) <= MOST


def test_a_mark_that_tells_no_part_is_no_news() -> None:
    outlook = told([Mark(run_id="r", at_us=1, energy_mj=1, step=3)])
    assert outlook.forecast(0) is None


def energy(page: dict[str, float]) -> float:
    return sum(v for name, v in page.items() if name.startswith("meter_run_energy_joules_total"))


def test_the_page_tells_gpus_forecast_and_end_of_a_run(tmp_path: Path) -> None:
    with agent(tmp_path) as node:
        node.hear("listening")
        node.begin("r1")
        until(lambda: energy(node.page()), "energy")
        node.ask("POST", "/v1/runs/r1/marks", {"fraction": 0.25})
        page = until(
            lambda: (p := node.page()).get('meter_run_done_ratio{run="r1"}') and p, "a forecast"
        )
        assert page['meter_run_done_ratio{run="r1"}'] == 0.25
        assert page['meter_run_forecast_energy_joules{run="r1"}'] > energy(page)
        ends = page['meter_run_forecast_end_timestamp_seconds{run="r1"}']
        assert ends > page['meter_run_start_timestamp_seconds{run="r1"}']
        assert sum(name.startswith("meter_run_gpu_info") for name in page) == 2
        node.end("r1")
        page = until(
            lambda: (p := node.page()).get('meter_run_end_timestamp_seconds{run="r1"}') and p,
            "the end",
        )
        assert 'meter_run_done_ratio{run="r1"}' not in page
        assert not any(name.startswith("meter_run_gpu_info") for name in page)
