"""Looks and curve together against the stand-in's exact truth."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import pytest

from meter.sampling.curve import CurveBuilder
from standin import models, truth
from standin.scenario import Gpu, Scenario
from standin.shapes import Constant, RandomSpikes, Shape, Spikes, Square, Step, Steps
from tests.sampling.sessions import S, sample

if TYPE_CHECKING:
    from pathlib import Path

    from meter.model import Segment

SECONDS = 32
GAIN = 0.05
NOISE = RandomSpikes(height_w=4, width_s=0.003, period_s=0.005, probability=0.5, seed=3)
UNCOUNTED = {"V100": models.V100.without_counter(), "P100": models.P100}
UNCOUNTED["A100"] = models.A100.without_counter()


def swings(board: models.Model) -> dict[str, tuple[Shape, ...]]:
    """Loads that a board without a counter is to be right about; the spikes are 50 ms long."""
    low, high = board.idle_w, board.limit_w
    return {
        "constant": (Constant(high / 2),),
        "square 0.413 s": (Square(low_w=low, high_w=high, period_s=0.413),),
        "square 0.777 s": (Square(low_w=low, high_w=high, period_s=0.777),),
        "ramp": (Steps((Step(8, low, high), Step(8, high, low)), loop=True),),
        "spikes": (Constant(low), Spikes(height_w=high / 2, width_s=0.05, period_s=0.437)),
    }


def curve(board: Gpu, folder: Path) -> list[Segment]:
    """The settled curve of a GPU."""
    session = sample(Scenario(gpus=[board]), folder, SECONDS)
    builder = CurveBuilder(session.hellos[0].devices[0])
    segments = [s for reading in session.readings() for s in builder.feed(reading)]
    return segments + builder.finish(session.batches[-1].at_ns)


def energy_mj(
    segments: list[Segment], begin_ns: int, end_ns: int, figure: str = "energy_mj"
) -> float:
    """Energy of a window of the curve, or a bound of it."""
    total = 0.0
    for segment in segments:
        inside = min(segment.end_ns, end_ns) - max(segment.start_ns, begin_ns)
        if inside > 0:
            total += getattr(segment, figure) * inside / (segment.end_ns - segment.start_ns)
    return total


@pytest.mark.parametrize(
    "power", [Constant(600), Square(high_w=700, low_w=100, period_s=0.9)], ids=["flat", "square"]
)
@pytest.mark.parametrize(("tick_s", "jitter_s"), [(0.1, 0), (0.1, 0.001), (0.02, 0)])
def test_energy_agrees_with_the_truth_for_runs_and_steps(
    tmp_path: Path, power: Shape, tick_s: float, jitter_s: float
) -> None:
    counter = replace(models.H100.counter, tick_s=tick_s, jitter_s=jitter_s, phase_s=0.007)
    board = Gpu(power=power, sensor=models.H100.with_counter(counter))
    segments = curve(board, tmp_path)
    begin, end = 1 * S, 30 * S
    true = truth.energy_mj(board, begin, end)
    assert abs(energy_mj(segments, begin, end) - true) <= 0.001 * true
    chance, errors = random.Random(5), []
    for _ in range(40):
        at = chance.randrange(2 * S, 28 * S)
        until = at + chance.randrange(500, 900) * 1_000_000
        true = truth.energy_mj(board, at, until)
        errors.append(energy_mj(segments, at, until) / true - 1)
    assert abs(fmean(errors)) <= 0.001
    assert stdev(errors) <= 0.005


@pytest.mark.parametrize("noise", [(), (NOISE,)], ids=["clean", "noisy"])
@pytest.mark.parametrize("load", swings(models.A100))
@pytest.mark.parametrize("name", UNCOUNTED)
def test_without_a_counter_energy_is_right_to_two_percent_and_inside_its_bounds(
    tmp_path: Path, name: str, load: str, noise: tuple[Shape, ...]
) -> None:
    model = replace(UNCOUNTED[name], limit_w=1.05 * UNCOUNTED[name].limit_w)
    board = Gpu(power=swings(UNCOUNTED[name])[load] + noise, sensor=model)
    segments = curve(board, tmp_path)
    begin, end = 1 * S, 31 * S
    true = truth.energy_mj(board, begin, end)
    assert abs(energy_mj(segments, begin, end) - true) <= 0.02 * true
    low = energy_mj(segments, begin, end, "low_mj")
    high = energy_mj(segments, begin, end, "high_mj")
    assert low / (1 - GAIN) - 1 <= true <= high / (1 + GAIN) + 1


@pytest.mark.parametrize("phase_s", [0, 0.02, 0.047, 0.071])
@pytest.mark.parametrize("noise", [(), (NOISE,)], ids=["clean", "noisy"])
def test_a_square_that_is_locked_to_the_sensor_has_bounds_of_fifteen_percent(
    tmp_path: Path, noise: tuple[Shape, ...], phase_s: float
) -> None:
    square = Square(low_w=100, high_w=700, period_s=0.9, phase_s=phase_s)
    model = replace(models.A100.without_counter(), limit_w=750)
    board = Gpu(power=(square, *noise), sensor=model)
    segments = curve(board, tmp_path)
    begin, end = 1 * S, 31 * S
    true = truth.energy_mj(board, begin, end)
    middle = energy_mj(segments, begin, end)
    low = energy_mj(segments, begin, end, "low_mj") / (1 - GAIN)
    high = energy_mj(segments, begin, end, "high_mj") / (1 + GAIN)
    assert low <= true <= high
    assert max(high - middle, middle - low) <= 0.15 * true
