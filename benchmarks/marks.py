"""What a mark costs the training thread, and how well the energy of a step follows the truth.

The calls are timed in a job of its own, first with an agent that listens, then with none. The
energy of steps is that of consecutive marks, as the agent books them, against the stand-in's exact
truth; a board's gain (about ±5 %, part of every bound) comes on top.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.metered import ANCHOR, Window, recorded
from benchmarks.stage import Stage
from benchmarks.table import Table, quantile, show
from meter.metering.intervals import IntervalBuilder
from meter.model import Basis, Hold, Method, Segment
from standin import truth
from standin.models import H100, V100, Counter
from standin.scenario import Gpu, Scenario
from standin.shapes import Constant, Square

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.metered import Curve

RUN = "01KMARKS000000000000000000"
CALLS = 5_000
PACE_S = 0.002
JOB = """
import json, sys, time
import meter
calls, pace_s = int(sys.argv[1]), float(sys.argv[2])
began = time.perf_counter_ns()
meter.mark(step=0)
first = time.perf_counter_ns() - began
took = []
for step in range(1, calls):
    began = time.perf_counter_ns()
    meter.mark(step=step, tokens=step * 4096)
    took.append(time.perf_counter_ns() - began)
    time.sleep(pace_s)
meter.marks.flush(5)
print(json.dumps({"first": first, "took": took, "dropped": meter.marks.dropped()}))
"""
SECOND_NS = 1_000_000_000
DEVICES = 8
APART_S = 0.0015
"""Samplers that are recorded together do not all wake up in the same moment."""
STOPPING_S = 4.0
"""While recordings are ended one by one, this process is too busy to hear the others in time."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    calls: int
    record_s: float


def caller_table(size: Size) -> Table:
    """Time that a call takes, on the thread that makes it."""
    table = Table(
        f"Cost of meter.mark on the caller ({size.calls:,} calls, one each 2 ms)",
        ("agent", "first call", "median", "p99", "greatest", "dropped"),
        hold="< 50 µs per call; the first loads the client",
    )
    with Stage({"METER_SIMULATE": "1xH100"}) as stage:
        stage.start_agent()
        stage.register(RUN)
        row(table, "listens", stage.environment, size)
        stage.end(RUN)
    with Stage({"METER_SIMULATE": "1xH100"}) as stage:
        row(table, "none", stage.environment, size)
    return table


def row(table: Table, name: str, environment: Mapping[str, str], size: Size) -> None:
    """Run the job and add what its calls took."""
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(size.calls), str(PACE_S)],
        env={**environment, "METER_RUN_ID": RUN},
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    micros = [ns / 1_000 for ns in found["took"]]
    table.add(
        name,
        f"{found['first'] / 1e6:.1f} ms",
        f"{statistics.median(micros):.1f} µs",
        f"{quantile(micros, 0.99):.1f} µs",
        f"{max(micros):.0f} µs",
        sum(found["dropped"].values()),
    )


def steps_table(size: Size) -> Table:
    """Errors of the steps between marks."""
    table = Table(
        "Energy of steps of 0.5-0.9 s between marks",
        ("counter", "load", "steps", "sd", "greatest", "mean of 20, greatest", "inside bounds"),
        hold="sd <= 0.5 % where levels last >= 3 ticks and jitter <= 1 ms, else <= 1 %; always"
        " inside bounds; mean of 20 steps <= 0.1 %",
    )
    loads = {"constant 300 W": Constant(300), "square 100/700 W, 0.9 s": Square(100, 700, 0.9)}
    wanted = itertools.product(((20, V100), (100, H100)), (0.0, 1.0, 3.0), loads)
    cases = {
        (f"ticks of {tick_ms} ms, jitter {jitter_ms:g} ms", load): Gpu(
            power=loads[load],
            sensor=replace(model, limit_w=700.0).with_counter(
                Counter(tick_s=tick_ms / 1e3, jitter_s=jitter_ms / 1e3, phase_s=number * APART_S)
            ),
        )
        for number, ((tick_ms, model), jitter_ms, load) in enumerate(wanted)
    }
    with recorded([Scenario(gpus=[gpu]) for gpu in cases.values()], size.record_s) as found:
        for names, [curve] in zip(cases, found, strict=True):
            until_ns = curve.first_ns + round((size.record_s - STOPPING_S) * SECOND_NS)
            table.add(*names, *summary(marked(curve, min(until_ns, curve.last_ns))))
    return table


def marked(curve: Curve, until_ns: int) -> list[Window]:
    """Consecutive steps of a run that marks the end of each."""
    builder = IntervalBuilder(ANCHOR, [Hold(RUN, curve.device.id, curve.first_ns)])
    for segment in curve.segments:
        builder.add(segment)
    chance = random.Random(1)
    before_ns = curve.first_ns + 4 * SECOND_NS
    before = builder.point(RUN, before_ns)
    found = []
    while before_ns + SECOND_NS < until_ns:
        at_ns = before_ns + chance.randint(500_000_000, 900_000_000)
        point = builder.point(RUN, at_ns)
        found.append(
            Window(
                point.energy - before.energy,
                point.low - before.low - point.below - before.above,
                point.high - before.high + point.above + before.below,
                truth.energy_mj(curve.gpu, before_ns, at_ns, anchor_ns=curve.anchor_ns),
            )
        )
        before_ns, before = at_ns, point
    return found


def summary(found: list[Window]) -> tuple[str, ...]:
    """Spread of the errors."""
    errors = [window.error for window in found]
    twenties = [
        sum(w.energy for w in found[at : at + 20]) / sum(w.true for w in found[at : at + 20]) - 1
        for at in range(max(1, len(found) - 19))
    ]
    return (
        str(len(found)),
        f"{statistics.pstdev(errors) * 100:.2f} %",
        f"{max(errors, key=abs) * 100:+.2f} %",
        f"{max(twenties, key=abs) * 100:+.3f} %",
        f"{sum(window.inside for window in found)} of {len(found)}",
    )


def agent_table() -> Table:
    """Time that the agent takes to find a mark's energy, in a full open minute."""
    names = [f"GPU-{n}" for n in range(DEVICES)]
    builder = IntervalBuilder(ANCHOR, [Hold(RUN, name, 0) for name in names])
    tick_ns = 20_000_000
    for at_ns in range(0, 60 * SECOND_NS, tick_ns):
        for name in names:
            builder.add(
                Segment(
                    name, at_ns, at_ns + tick_ns, 6_000, 5_700, 6_300, Basis.COUNTER,
                    Method.MEASURED,
                )
            )  # fmt: skip
    chance = random.Random(1)
    took = []
    for _ in range(2_000):
        at_ns = chance.randrange(60 * SECOND_NS)
        began = time.perf_counter()
        builder.point(RUN, at_ns)
        took.append((time.perf_counter() - began) * 1e6)
    table = Table(
        f"Energy of a mark in the agent, {DEVICES} GPUs with ticks of 20 ms, a whole minute open",
        ("median", "p99"),
    )
    table.add(f"{statistics.median(took):.0f} µs", f"{quantile(took, 0.99):.0f} µs")
    return table


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description="cost of marks, error of the energy of steps")
    parser.add_argument("--quick", action="store_true", help="few calls, few steps")
    options = parser.parse_args()
    size = Size(500, 15.0) if options.quick else Size(CALLS, 90.0)
    show([caller_table(size), agent_table(), steps_table(size)])


if __name__ == "__main__":
    main()
