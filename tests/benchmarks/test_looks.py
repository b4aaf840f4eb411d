from __future__ import annotations

import pytest

from benchmarks.looks import Look, between_ticks, changes, compared, held_mj, ticks

MS = 1_000_000


def constant(power_mw: int, tick_ms: int, lasting_ms: int, step_ms: int = 5) -> list[Look]:
    """Looks at a GPU of constant power whose counter tells only at its ticks."""
    return [
        Look(at * MS, power_mw * (at - at % tick_ms) // 1000, power_mw, power_mw)
        for at in range(0, lasting_ms, step_ms)
    ]


def test_the_tick_is_found_from_the_changes_of_the_counter() -> None:
    told = ticks(constant(300_000, tick_ms=100, lasting_ms=2_000))
    assert told["energy_mj"]["changes"] == 19
    assert told["energy_mj"]["period_ms"]["median"] == 100
    assert told["counter_step_mj"]["median"] == 30_000


def test_a_value_that_never_comes_is_told_as_absent() -> None:
    told = ticks([Look(at * MS, None, None, at) for at in range(10)])
    assert told["energy_mj"] is None
    assert told["instant_mw"]["changes"] == 9


def test_counter_and_power_agree_where_the_power_is_constant() -> None:
    looks = constant(250_000, tick_ms=100, lasting_ms=3_000)
    told = compared(looks, 330 * MS, 2_777 * MS)
    assert told["counter_j"] == pytest.approx(told["instant_power_j"])
    assert told["counter_over_instant_power"] == pytest.approx(1)


def test_a_window_is_cut_where_the_counter_changes() -> None:
    part = between_ticks(constant(100_000, tick_ms=100, lasting_ms=1_000), 150 * MS, 777 * MS)
    assert (part[0].at_ns, part[-1].at_ns) == (200 * MS, 700 * MS)


def test_power_holds_until_the_next_look() -> None:
    looks = [
        Look(0, None, None, 100_000),
        Look(500 * MS, None, None, 300_000),
        Look(1_000 * MS, None, None, 0),
    ]
    assert held_mj(looks, lambda look: look.instant_mw) == 200_000


def test_a_missing_power_makes_no_energy() -> None:
    assert (
        held_mj([Look(0, 1, None, None), Look(MS, 2, None, None)], lambda look: look.mean_mw)
        is None
    )


def test_a_change_across_a_missing_value_is_not_dated() -> None:
    looks = [Look(0, 1, None, None), Look(1, None, None, None), Look(2, 2, None, None)]
    assert changes(looks, lambda look: look.energy_mj) == []
