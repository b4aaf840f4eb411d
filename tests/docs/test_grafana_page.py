"""What the page on Grafana says of waiting and of bounds is what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from meter.agent import booking, usage_booking, usage_books
from meter.reserved import OTHER
from meter_exporters.prometheus import MAX_SERIES

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
