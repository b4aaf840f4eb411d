"""The tour's check sees energy that is at the wrong GPU, with the wrong owner or split wrongly."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from examples.adds_up import Compared, Sums, above_idle, wrong, wrong_split

BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - the ledger's are naive
END = BEGIN + timedelta(minutes=1)
RIGHT = Compared(
    whole=Sums(BEGIN, END, runs=12_000, idle=12_010),
    inner=Sums(BEGIN, END, runs=12_000, idle=11_000),
    true_whole=24_000,
    true_inner=23_000,
    true_runs=12_000,
    cuts=2,
    tick_j=40,
)
USE = {"left": 60, "right": 20}


def gpu(whole: float = 0, inner: float = 0, idle: float = 0) -> Compared:
    """One that has some energy too much, or as idle instead of the runs'."""
    sums = (RIGHT.whole, whole), (RIGHT.inner, inner)
    found = [replace(s, runs=s.runs - idle, idle=s.idle + idle + more) for s, more in sums]
    return replace(RIGHT, whole=found[0], inner=found[1])


def test_what_is_right_within_a_tick_at_each_end_is_right() -> None:
    assert wrong([RIGHT, gpu(whole=70, inner=20)]) == []


def test_errors_of_two_gpus_do_not_cancel() -> None:
    found = wrong([gpu(whole=300, inner=300), gpu(whole=-300, inner=-300)])
    assert [line[:5] for line in found] == ["GPU 0", "GPU 0", "GPU 1", "GPU 1"]


def test_a_first_interval_that_is_lost_is_seen() -> None:
    (found,) = wrong([gpu(whole=-400)])
    assert found.startswith("GPU 0: the sum of all is 23,610.0 J")


def test_a_ledger_of_idle_alone_is_wrong() -> None:
    found = wrong([gpu(idle=12_000)])
    assert any("in the time of its runs is 0.0 J, the truth 12,000.0 J" in one for one in found)
    assert any("its runs have no energy" in one for one in found)


@pytest.mark.parametrize("left", [4_950, 5_000, 4_500])
def test_a_split_by_use_is_right_but_for_a_look(left: float) -> None:
    assert wrong_split({"left": left, "right": 6_600 - left}, USE, look_j=660) == []


@pytest.mark.parametrize("left", [0, 1_650, 3_300, 6_600])
def test_another_split_is_wrong(left: float) -> None:
    found = wrong_split({"left": left, "right": 6_600 - left}, USE, look_j=660)
    assert len(found) == 2


@pytest.mark.parametrize("split", [{}, {"left": 6_600.0}])
def test_a_split_among_others_is_wrong(split: dict[str, float]) -> None:
    assert len(wrong_split(split, USE, look_j=660)) == 1


def test_idle_power_is_split_equally() -> None:
    split = {"left": 700 + 4_950.0, "right": 700 + 1_650.0}
    assert above_idle(split, 1_400 / 8_000) == pytest.approx({"left": 4_950, "right": 1_650})
