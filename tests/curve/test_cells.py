"""Cells between ticks: edges are placed where cell and levels fit, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meter.sampling.curve_cells import Cell, reach, shape

MS = 1_000_000


def cells(*powers_w, span_ms=100):
    """Neighbouring cells of these mean powers."""
    return [
        Cell(i * span_ms * MS, (i + 1) * span_ms * MS, p * span_ms) for i, p in enumerate(powers_w)
    ]


def drawn(*powers_w):
    made = cells(*powers_w)
    return shape(made[:2], made[2], made[3:])


def test_one_edge_between_two_levels_is_placed_exactly():
    assert drawn(100, 100, 250, 700, 700) == [(275 * MS, 7_500)]
    assert drawn(700, 700, 250, 100, 100) == [(225 * MS, 17_500)]


def test_a_level_has_no_edges():
    assert drawn(400, 400, 400, 400, 400) == []


def test_a_cell_beside_an_edge_belongs_to_its_level():
    assert drawn(100, 400, 700, 700, 700) == []


def test_a_spike_between_equal_levels_is_left_in_the_middle():
    assert drawn(200, 200, 500, 200, 200) == []


def test_without_flat_neighbours_the_curve_bends_monotonely():
    ((at, energy),) = drawn(100, 200, 400, 600, 650)
    assert at == 250 * MS
    assert 0 < energy < 20_000  # rising power: less than half of the energy in the first half


def test_a_cell_nobody_looked_at_is_a_straight_line():
    made = cells(100, 100, 250, 700, 700)
    made[2].hole = True
    assert shape(made[:2], made[2], made[3:]) == []


@given(st.lists(st.integers(0, 1_000), min_size=5, max_size=5))
def test_no_shape_leaves_its_cell(powers):
    made = cells(*powers)
    breaks = shape(made[:2], made[2], made[3:])
    assert len(breaks) <= 1
    for at, energy in breaks:
        assert made[2].start_ns < at < made[2].end_ns
        assert 0 <= energy <= made[2].energy_mj


@given(st.integers(1, 70_000), st.integers(0, 100), st.integers(0, 100))
def test_the_reach_holds_every_course_that_the_limit_allows(energy, when, how):
    most_mw = 840_000.0
    span = 100 * MS
    below, above = reach(0, span, energy, [], most_mw)
    at = span * when // 100
    lowest = max(0.0, energy - most_mw * (span - at) / 1e9)
    highest = min(float(energy), most_mw * at / 1e9)
    truth = lowest + (highest - lowest) * how / 100
    line = energy * when / 100
    assert line - below <= truth <= line + above


def test_one_cell_is_enough_of_a_level_that_was_seen_before():
    made = cells(100, 250, 700, 400)
    assert shape(made[:1], made[1], made[2:]) != [(175 * MS, 7_500)]
    assert shape(made[:1], made[1], made[2:], [100.0e3, 700.0e3]) == [(175 * MS, 7_500)]
