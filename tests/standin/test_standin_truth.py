"""The truth against integrals that can be done by hand, and against its own laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standin.scenario import (
    Constant,
    Gpu,
    Ramp,
    RandomSpikes,
    Sine,
    Spikes,
    Square,
    Step,
    Steps,
)
from standin.truth import energy_mj, exact_mj, power_mw
from standin.units import ns
from tests.standin.standin_loads import SHAPES

instants = st.integers(min_value=-ns(50), max_value=ns(100_000))
gpus = st.builds(
    Gpu,
    power=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
    time_scale=st.sampled_from([1, 0.5, 3.7]),
)


@pytest.mark.parametrize(
    ("shape", "seconds", "joules"),
    [
        (Constant(300), 10, 3000),
        (Ramp(100, 700, over_s=4), 4, 1600),
        (Ramp(100, 700, over_s=4), 6, 1600 + 1400),
        (Ramp(100, 700, over_s=4, repeat_s=4), 12, 4800),
        (Square(100, 700, period_s=0.9), 9, 3600),
        (Square(100, 700, period_s=1, duty=0.25), 1.1, 175 + 75 + 70),
        (Sine(400, 150, period_s=2), 10, 4000),
        (Spikes(500, width_s=0.05, period_s=1), 20, 500),
        (RandomSpikes(500, width_s=0.05, period_s=1), 20, 500),
        (Steps((Step(1, 100), Step(2, 100, 500), Step(1, 500))), 10, 100 + 600 + 7 * 500),
        (Steps((Step(1, 100), Step(1, 300)), loop=True), 5, 900),
        (Constant(300, phase_s=5), 2, 600),
    ],
)
def test_energy_of_a_shape_is_what_paper_and_pencil_say(shape, seconds, joules):
    assert energy_mj(Gpu(power=shape), 0, ns(seconds)) == pytest.approx(joules * 1000, abs=1e-6)


def test_layers_add_up():
    gpu = Gpu(power=(Constant(100), Square(0, 50, period_s=1)))
    assert energy_mj(gpu, 0, ns(2)) == 250_000
    assert power_mw(gpu, ns(0.2)) == 150_000


def test_a_time_scale_stretches_the_load():
    shape = Square(100, 700, period_s=1)
    slow = Gpu(power=shape, time_scale=10)
    assert power_mw(slow, ns(4.9)) == 700_000
    assert power_mw(slow, ns(5)) == 100_000
    assert energy_mj(slow, 0, ns(30)) == 10 * energy_mj(Gpu(power=shape), 0, ns(3))


@given(gpus, instants, instants, instants)
def test_energy_adds_up_over_any_division_of_the_time(gpu, first, second, third):
    start, cut, end = sorted((first, second, third))
    parts = exact_mj(gpu, start, cut) + exact_mj(gpu, cut, end)
    assert parts == exact_mj(gpu, start, end)
    assert parts >= 0


@given(gpus, instants, st.integers(min_value=1, max_value=ns(3)))
def test_an_anchor_only_moves_the_origin(gpu, start, length):
    moved = exact_mj(gpu, start + 77, start + length + 77, anchor_ns=77)
    assert moved == exact_mj(gpu, start, start + length)


@given(st.sampled_from(SHAPES), st.integers(min_value=-ns(10), max_value=ns(1000)))
def test_energy_is_the_integral_of_power(shape, start):
    gpu, slices, width = Gpu(power=shape), 200, ns(0.001)
    middle = [start + width * index + width // 2 for index in range(slices)]
    summed = sum(power_mw(gpu, at) for at in middle) * width / ns(1)
    edges = 2 * 700_000 * width / ns(1) * 25  # slices that an edge of a shape falls into
    assert energy_mj(gpu, start, start + slices * width) == pytest.approx(summed, abs=edges)
