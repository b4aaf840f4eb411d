"""Eight GPUs of the stand-in with loads of a training node, for benchmarks of cost."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from standin.models import H100, Counter
from standin.scenario import Gpu, Scenario
from standin.shapes import Constant, Spikes, Square

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADS = (
    Square(100, 700, period_s=0.9),
    Constant(640),
    (Constant(300), Spikes(350, width_s=0.05, period_s=1.0)),
    Square(250, 650, period_s=2.7, duty=0.8),
)


def node(count: int = 8) -> Scenario:
    """GPUs whose counters tick every 100 ms, each at a moment of its own."""
    models = [H100.with_counter(Counter(phase_s=0.011 * number)) for number in range(count)]
    gpus = [Gpu(power=LOADS[n % len(LOADS)], sensor=model) for n, model in enumerate(models)]
    return replace(Scenario(gpus=gpus), seed=1)


@contextlib.contextmanager
def eight_gpus() -> Iterator[dict[str, str]]:
    """The variables that make a process see these GPUs."""
    with tempfile.TemporaryDirectory(prefix="gpus-") as folder:
        scenario = node()
        scenario.write(folder)
        variables = scenario.environment(folder)
        del variables["METER_STANDIN_CALLS"]
        yield variables
