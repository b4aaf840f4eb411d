"""What the page on Grafana says of waiting and of bounds is what the code does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meter.agent import booking, usage_booking, usage_books
from meter.reserved import OTHER
from meter_exporters.prometheus import MAX_SERIES

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs" / "grafana.md").read_text()


@pytest.mark.parametrize(
    "said",
    [
        f"for {usage_booking.SHOWN_S:.0f} s where",
        f"{usage_booking._SCRAPES} times the time between the last two scrapes",
        f"{usage_booking.LONGEST_S:.0f} s at most",
        f"{booking.MAX_PROJECTS} projects, {usage_books.MAX_MODELS} models of providers",
        f"{usage_books.MAX_PAIRS:,} pairs of a project and a model",
        f"page of {MAX_SERIES:,} series",
        f"`{OTHER}`",
        "`meter_series_left_out`",
    ],
)
def test_a_number_of_the_page_is_the_codes(said: str) -> None:
    assert said in " ".join(PAGE.split())


def test_two_scrapes_of_a_quarter_and_of_a_whole_minute_are_seen_at_zero() -> None:
    for gap_s in (15, 60):
        waits_s = max(
            usage_booking.SHOWN_S, min(usage_booking.LONGEST_S, usage_booking._SCRAPES * gap_s)
        )
        assert waits_s >= 2 * gap_s


NEW = 'meter_energy_joules_total{project="new"}'
WHOLE = f"sum(max_over_time({NEW}[30d]))"


@pytest.mark.parametrize(
    ("samples", "increase", "whole"),
    [("_ 3000x9", 0, 3000), ("_ 0 3000x9", 3000, 3000), ("_ 3000 5000x9", 2000, 5000)],
    ids=["seen late", "seen at zero", "a later run"],
)
def test_what_the_page_says_to_ask_of_the_first_run_of_a_project_has_all_of_it(
    tmp_path: Path, require_tool: Callable[[str], str], samples: str, increase: int, whole: int
) -> None:
    assert f"`{WHOLE}`" in PAGE
    asked = {f"round(sum(increase({NEW}[11m])), 1000)": increase, WHOLE: whole}
    told = [
        {"expr": expression, "eval_time": "11m", "exp_samples": [{"labels": "{}", "value": value}]}
        for expression, value in asked.items()
    ]
    series = [{"series": NEW, "values": samples}]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": told}
    (tmp_path / "empty.yml").write_text("groups: []\n")
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": ["empty.yml"], "tests": [test]}))
    command = [require_tool("promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
