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
from standin.shapes import Constant, Shape, Square
from tests.sampling.sessions import S, sample

if TYPE_CHECKING:
    from pathlib import Path

    from meter.model import Segment

SECONDS = 32


def curve(board: Gpu, folder: Path) -> list[Segment]:
    """The settled curve of a GPU."""
    session = sample(Scenario(gpus=[board]), folder, SECONDS)
    builder = CurveBuilder(session.hellos[0].devices[0])
    segments = [s for reading in session.readings() for s in builder.feed(reading)]
    return segments + builder.finish(session.batches[-1].at_ns)


def energy_mj(segments: list[Segment], begin_ns: int, end_ns: int) -> float:
    """Energy of a window of the curve."""
    total = 0.0
    for segment in segments:
        inside = min(segment.end_ns, end_ns) - max(segment.start_ns, begin_ns)
        if inside > 0:
            total += segment.energy_mj * inside / (segment.end_ns - segment.start_ns)
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
