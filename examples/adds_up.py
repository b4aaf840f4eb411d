"""What a ledger has of stand-in GPUs, beside what they truly used; and what is wrong with it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from meter.ledger import open_reader
from standin import truth
from standin.clock import boottime_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from standin.scenario import Scenario

    Span = tuple[datetime, datetime]

MOST_OFF = 0.001
"""What a sum of the ledger may differ from the truth, beside a tick where it is cut inside one."""
MOST_OFF_SPLIT = 0.02
"""What the split of a shared GPU may differ from the use that the scenario sets."""


@dataclass(frozen=True)
class Sums:
    """Intervals of a GPU, added up by whose they are, in J."""

    begin: datetime
    end: datetime
    runs: float = 0.0
    idle: float = 0.0
    nobody: float = 0.0

    @property
    def total(self) -> float:
        """Everything."""
        return self.runs + self.idle + self.nobody


@dataclass(frozen=True)
class Compared:
    """A GPU's sums beside the truth of their times, in J.

    ``inner`` leaves out the first and the last interval: the curve begins and ends there between
    two ticks. ``split`` is what each run got of the energy above idle while several were on it.
    """

    whole: Sums
    inner: Sums
    true_whole: float
    true_inner: float
    true_runs: float  # in the time of its runs
    cuts: int  # begins and ends of runs
    tick_j: float  # what it uses in a tick at most
    split: Mapping[str, float] = field(default_factory=dict)

    @property
    def off(self) -> float:
        """By which part the sum differs from the truth, between first and last interval."""
        return self.inner.total / self.true_inner - 1


class Truth:
    """What the GPUs of a scenario used between two instants of the wall clock."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._wall_to_boot_ns = boottime_ns() - time.time_ns()

    def energy_j(self, gpu: int, begin: datetime, end: datetime) -> float:
        """Of a GPU, by its number."""
        from_ns, to_ns = (_ns(at) + self._wall_to_boot_ns for at in (begin, end))
        shape, anchor_ns = self._scenario.gpus[gpu], self._scenario.anchor_ns
        return truth.energy_mj(shape, from_ns, to_ns, anchor_ns=anchor_ns) / 1_000

    def tick_j(self, gpu: int, at: datetime) -> float:
        """What a GPU uses at most between two ticks of its counter: of a second's ticks."""
        counter = self._scenario.gpus[gpu].sensor.counter
        if counter is None:
            raise ValueError(f"GPU {gpu} has no counter")
        tick = timedelta(seconds=counter.tick_s)
        starts = [at + n * tick for n in range(round(1 / counter.tick_s))]
        return max(self.energy_j(gpu, start, start + tick) for start in starts)


def compared(ledger: Path, scenario: Scenario, held: Mapping[str, Sequence[int]]) -> list[Compared]:
    """Every GPU of a ledger; ``held`` are the GPUs of each run, by its name."""
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with open_reader(ledger) as reader:
        gpus = [row["id"] for row in reader.rows("recovery/devices") if row["component"] == "gpu"]
        runs = reader.rows("report/runs", project=None, limit=len(held) + 1)
        for row in reader.stream("audit/interval", after=-1, until=2**62):
            rows[row["device_id"]].append(row)
    names = {run["run_id"]: run["name"] for run in runs}
    spans = {run["name"]: (run["started_at"], run["ended_at"]) for run in runs}
    true = Truth(scenario)
    return [
        _gpu(number, rows[gpu], names, [spans[r] for r, on in held.items() if number in on], true)
        for number, gpu in enumerate(gpus)
    ]


def _gpu(
    number: int,
    rows: Sequence[dict[str, Any]],
    names: Mapping[str, str],
    spans: Sequence[Span],
    true: Truth,
) -> Compared:
    whole = _sums(rows)
    begin = min(row["end_at"] for row in rows if not row["correction"])
    end = max(row["start_at"] for row in rows if not row["correction"])
    inner = _sums([row for row in rows if begin <= row["start_at"] and row["end_at"] <= end])
    return Compared(
        whole=whole,
        inner=inner,
        true_whole=true.energy_j(number, whole.begin, whole.end),
        true_inner=true.energy_j(number, inner.begin, inner.end),
        true_runs=sum(true.energy_j(number, *span) for span in _joined(spans)),
        cuts=2 * len(spans),
        tick_j=true.tick_j(number, whole.begin),
        split=_split(rows, names),
    )


def _sums(rows: Sequence[dict[str, Any]]) -> Sums:
    kinds: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        kinds[row["kind"]] += row["energy_mj"] / 1_000
    return Sums(
        begin=min(row["start_at"] for row in rows),
        end=max(row["end_at"] for row in rows),
        runs=kinds["run"],
        idle=kinds["idle"],
        nobody=kinds["unattributed"],
    )


def _split(rows: Sequence[dict[str, Any]], names: Mapping[str, str]) -> dict[str, float]:
    """Energy of each run while the GPU was split, which is what is modelled of it."""
    found: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        if row["kind"] == "run" and row["method"] == "modelled":
            found[names[row["run_id"]]] += row["energy_mj"] / 1_000
    return dict(found)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Times that any of some spans covers."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def above_idle(split: Mapping[str, float], idle_part: float) -> dict[str, float]:
    """What each run got of the energy above idle, where the idle part is split equally."""
    idle_j = sum(split.values()) * idle_part / max(1, len(split))
    return {name: energy_j - idle_j for name, energy_j in split.items()}


def wrong(gpus: Sequence[Compared]) -> list[str]:
    """What does not add up, in a line each; nothing if all does."""
    found = []
    for number, gpu in enumerate(gpus):
        runs = gpu.whole.runs + gpu.whole.nobody
        for what, told, true, cuts in (
            ("the sum between its first and last interval", gpu.inner.total, gpu.true_inner, 0),
            ("the sum of all", gpu.whole.total, gpu.true_whole, 2),
            ("what was used in the time of its runs", runs, gpu.true_runs, gpu.cuts),
        ):
            if abs(told - true) > MOST_OFF * true + cuts * gpu.tick_j:
                found.append(f"GPU {number}: {what} is {told:,.1f} J, the truth {true:,.1f} J")
        if gpu.whole.runs <= 0:
            found.append(f"GPU {number}: its runs have no energy")
    return found


def wrong_split(shares: Mapping[str, float], use: Mapping[str, float], look_j: float) -> list[str]:
    """What is wrong with the split of energy above idle, by the use that the scenario sets.

    A process that has just come or gone may be missed by a look, which stands for ``look_j``.
    """
    if shares.keys() != use.keys():
        return [f"split among {', '.join(sorted(shares)) or 'nobody'}, not {', '.join(use)}"]
    energy_j, used = sum(shares.values()), sum(use.values())
    most_off_j = MOST_OFF_SPLIT * energy_j + 2 * look_j * max(use.values()) / used
    return [
        f"{name} has {shares[name]:,.1f} J of {energy_j:,.1f} J above idle, its use is {part:.0%}"
        for name, part in ((name, one / used) for name, one in use.items())
        if not abs(shares[name] - energy_j * part) <= most_off_j
    ]


def _ns(at: datetime) -> int:
    since = at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1_000
