"""Rows of the 1 Hz table become segments again."""

from __future__ import annotations

from meter.metering.rebuild import segments_of
from meter.metering.wall import WallAnchor
from meter.model import Basis, Component, Device, Method, RawReading

GPU = Device("gpu-a", Component.GPU, "H100", Method.MEASURED)


def row(second, curve_mj):
    return RawReading("gpu-a", second * 10**6, second * 10**9, curve_mj, second * 10**9 - 5)


def test_rows_become_contiguous_segments():
    first, second = segments_of(GPU, [row(1, 100), row(2, 300), row(3, 350)])
    assert (first.energy_mj, second.energy_mj) == (200, 50)
    assert first.end_ns == second.start_ns == 2 * 10**9 - 5
    assert (first.low_mj, first.high_mj) == (190, 210)
    assert first.basis is Basis.COUNTER


def test_a_row_below_the_one_before_is_made_up_for_by_the_next():
    (only,) = segments_of(GPU, [row(1, 100), row(2, 90), row(3, 150)])
    assert (only.start_ns, only.energy_mj) == (10**9 - 5, 50)


def test_one_row_makes_no_segment():
    assert segments_of(GPU, [row(1, 100)]) == []


def test_wall_labels_go_back_and_forth():
    anchor = WallAnchor(boot_ns=1_500, wall_us=90_000_000)
    assert anchor.us(2_499) == 90_000_000
    assert anchor.us(1_499) == 89_999_999
    assert anchor.ns(anchor.us(12_500)) == 12_500
    assert anchor.minute_ns(anchor.minute(1_500)) == 1_500 - 30_000_000_000
