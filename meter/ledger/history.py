"""What live series would have shown in a span of time, out of the ledger: streamed, in order.

Counters are what the facts known now add up to, from zero at the start of the span, or of the run
where they are a run's. They never go back: what a later correction took back never rose. So the
last value of each is what the reports tell of the same time, rounded once to what a float keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from heapq import nlargest
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from meter.errors import UsageError
from meter.ledger.instants import micros
from meter.limits import SHOWN_MIN
from meter.units import US_PER_HOUR, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meter.ledger.reader import Reader

LINGER_MIN = SHOWN_MIN
"""How long the series of a run go on after its end: as long as on the page."""
STEPS_MIN = (1, 2, 3, 5, 6, 10, 15, 30, 60)
"""Steps that may be asked for: facts are of whole minutes, rates of quarters of an hour."""
MOST_RUNS = 2_000
"""Runs that get series: as many as an agent keeps live counters of."""
MOST_SERIES = 100_000
"""Of a file; sums of projects are never left out, so that a span that has more is refused."""
_US_PER_MIN = 60 * US_PER_S
Row = dict[str, object]


class Fill(Enum):
    """What a series shows between two rows."""

    RISES = "rises"  # zero at first, then the last amount until the series ends
    HOLDS = "holds"  # the amount from ``at`` until ``until``
    POINT = "point"  # nothing


@dataclass(frozen=True, slots=True)
class Family:
    """A metric of history: which query tells it, by which labels, and from which columns."""

    name: str
    query: str
    labels: tuple[str, ...]
    fill: Fill = Fill.RISES
    amount: str = "amount"
    at: str = "at"
    of_runs: bool = False


def _run(name: str, query: str, *labels: str) -> Family:
    return Family(name, f"history/{query}", ("run", *labels), of_runs=True)


def _holds(name: str, query: str, *labels: str, of_runs: bool = False, **columns: str) -> Family:
    return Family(name, f"history/{query}", labels, Fill.HOLDS, of_runs=of_runs, **columns)


def _gauge(name: str, query: str, amount: str = "amount") -> Family:
    return Family(name, f"history/{query}", ("gpu", "uuid"), Fill.POINT, amount)


FAMILIES: tuple[Family, ...] = (
    Family("meter_gpu_energy_joules_total", "history/gpu_energy", ("gpu", "uuid")),
    _gauge("meter_gpu_power_watts", "gpu_power"),
    _gauge("meter_gpu_utilization_ratio", "gpu_readings", "utilization_ratio"),
    _gauge("meter_gpu_memory_used_bytes", "gpu_readings", "memory_used_bytes"),
    _gauge("meter_gpu_temperature_celsius", "gpu_readings", "temperature_celsius"),
    _holds(
        "meter_gpu_info", "gpus",
        "gpu", "uuid", "name", "pci_bus_id", "driver_version", "method", "simulated",
    ),
    Family("meter_host_energy_joules_total", "history/host_energy", ("component", "method")),
    Family(
        "meter_energy_joules_total", "history/energy", ("project", "component", "method")
    ),
    Family("meter_cost_total", "history/cost", ("project", "provider", "kind", "currency")),
    Family("meter_emissions_grams_total", "history/emissions", ("project", "kind", "basis")),
    Family("meter_tokens_total", "history/tokens", ("project", "provider", "model", "token_type")),
    Family("meter_hosting_seconds_total", "history/hosting", ("project", "provider", "model")),
    Family("meter_usage_unpriced_total", "history/unpriced", ("project", "provider", "model")),
    _run("meter_run_energy_joules_total", "run_energy", "component", "method"),
    _run("meter_run_cost_total", "run_cost", "kind", "currency"),
    _run("meter_run_emissions_grams_total", "run_emissions", "kind", "basis"),
    _run("meter_run_tokens_total", "run_tokens", "token_type"),
    _run("meter_run_phase_energy_joules_total", "run_phases", "phase"),
    _run("meter_run_steps_total", "run_steps"),
    _holds("meter_run_info", "runs", "run", "name", "project", "simulated", of_runs=True),
    _holds(
        "meter_run_start_timestamp_seconds", "runs", "run", of_runs=True, amount="started_at"
    ),
    _holds(
        "meter_run_end_timestamp_seconds", "runs", "run",
        of_runs=True, amount="ended_at", at="end_from",
    ),
    _holds("meter_run_gpu_info", "run_gpus", "run", "gpu", "uuid", of_runs=True),
    _holds("meter_run_budget", "run_budgets", "run", "unit", of_runs=True),
    _holds("meter_grid_intensity_grams_per_kwh", "grid_intensity", "zone", "source"),
    _holds("meter_electricity_price_per_kwh", "electricity_price", "site", "currency", "source"),
    _holds("meter_pue_ratio", "pue", "site", "source"),
)  # fmt: skip


class Sample(NamedTuple):
    """A value of a series at an instant (UTC µs); ``values`` in the order of its labels."""

    name: str
    values: tuple[str, ...]
    at_us: int
    value: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A span in UTC µs, of whole hours, and how far apart its samples are."""

    from_us: int
    to_us: int
    step_min: int = 1
    runs: bool = True  # whether those of single runs are wanted

    @classmethod
    def of(cls, from_us: int, to_us: int, step_min: int = 1, *, runs: bool = True) -> Asked:
        """The whole hours around a span. Raises UsageError where there is none."""
        if step_min not in STEPS_MIN:
            some = ", ".join(f"{step}m" for step in STEPS_MIN)
            raise UsageError(f"a step of {step_min} minutes is not possible", f"give one of {some}")
        if from_us >= to_us:
            raise UsageError("the span ends before it begins", "give a later --to")
        return cls(
            from_us // US_PER_HOUR * US_PER_HOUR,
            -(-to_us // US_PER_HOUR) * US_PER_HOUR,
            step_min,
            runs=runs,
        )

    @property
    def step_us(self) -> int:
        """Time between samples."""
        return self.step_min * _US_PER_MIN


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is told at most; ``left_out`` is called before all else where runs are more."""

    runs: int = field(default_factory=lambda: MOST_RUNS)
    series: int = MOST_SERIES
    left_out: Callable[[int], None] | None = None


def left_out_text(count: int) -> str:
    """What is to be said of runs that have no series."""
    runs = "run has no series of its own" if count == 1 else "runs have no series of their own"
    return (
        f"{count:,} {runs}: the {MOST_RUNS:,} that began last have; all are in the sums of their"
        " projects. Ask for shorter spans to see each."
    )


def samples(reader: Reader, asked: Asked, bounds: Bounds | None = None) -> Iterator[Sample]:
    """Every sample of the span: family by family, series by series, in order of time.

    All are of one state of the ledger, and none is later than what it knows. Raises LedgerError,
    and UsageError where there are too many series.
    """
    bounds = bounds or Bounds()
    left = _Left(bounds.series)
    with reader.snapshot():
        newest_us = reader.newest_us()
        end_us = min(asked.to_us, -(-newest_us // asked.step_us) * asked.step_us)
        grid = _Grid(asked.from_us, end_us, asked.step_us)
        given: dict[str, object] = {"as_of": newest_us, "to": asked.to_us, "step": asked.step_min}
        lived = {"first": asked.from_us, "last": asked.to_us, "linger": LINGER_MIN}
        runs = _runs(reader, {**given, **lived}, bounds) if asked.runs else {}
        runs_from_us = min(runs.values(), default=asked.from_us) // US_PER_HOUR * US_PER_HOUR
        for family in FAMILIES:
            if family.of_runs and not asked.runs:
                continue
            params = {**given, "from_": runs_from_us if family.of_runs else asked.from_us}
            params |= lived if family.of_runs else {}
            known = reader.params(family.query)
            params = {name: value for name, value in params.items() if name.rstrip("_") in known}
            rows: Iterable[Row] = reader.stream(family.query, **params)
            if family.of_runs:
                rows = (row for row in rows if row["run"] in runs)
            yield from _told(family, rows, grid, left)


def _runs(reader: Reader, params: dict[str, object], bounds: Bounds) -> dict[str, int]:
    """Runs of the span that get series, and when each began: those that began last."""
    known = reader.params("history/runs")
    params = {name: value for name, value in params.items() if name in known}
    began = [(_us(row["at"]), str(row["run"])) for row in reader.stream("history/runs", **params)]
    if len(began) > bounds.runs and bounds.left_out is not None:
        bounds.left_out(len(began) - bounds.runs)
    return {run: at_us for at_us, run in nlargest(bounds.runs, began)}


class _Left:
    """How many series there may still be."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def take(self) -> None:
        """One more. Raises UsageError."""
        self._left -= 1
        if self._left < 0:
            raise UsageError(
                f"the history has more than {self._most:,} series", "ask for a shorter time"
            )


class _Grid(NamedTuple):
    from_us: int
    end_us: int
    step_us: int

    def instants(self, from_us: int, until_us: int) -> range:
        """Those of the span from an instant on, up to but not at another."""
        first = max(from_us, self.from_us)
        first = -(-first // self.step_us) * self.step_us
        return range(first, min(until_us, self.end_us + 1), self.step_us)


def _told(family: Family, rows: Iterable[Row], grid: _Grid, left: _Left) -> Iterator[Sample]:
    def labels(row: Row) -> tuple[str, ...]:
        return tuple("" if row[label] is None else str(row[label]) for label in family.labels)

    rows = (row for row in rows if row[family.amount] is not None)
    for values, group in groupby(rows, labels):
        for number, (at_us, value) in enumerate(_filled(family, group, grid)):
            if not number:
                left.take()
            yield Sample(family.name, values, at_us, value)


def _filled(family: Family, rows: Iterable[Row], grid: _Grid) -> Iterator[tuple[int, float]]:
    if family.fill is Fill.RISES:
        yield from _rising(rows, grid)
        return
    told_us = 0
    for row in rows:
        value, at_us = _number(row[family.amount]), _us(row[family.at])
        until_us = at_us + 1 if family.fill is Fill.POINT else _until(row, grid)
        # of two places in one zone one may know an hour, the other its quarters
        for instant_us in grid.instants(max(at_us, told_us), until_us):
            yield instant_us, value
        told_us = max(told_us, until_us)


def _rising(rows: Iterable[Row], grid: _Grid) -> Iterator[tuple[int, float]]:
    """A counter, from zero; usage that is told outside of a run's time makes that longer."""
    value, next_us, until_us, at_us = 0.0, None, grid.end_us + 1, 0
    for row in rows:
        at_us = _us(row["at"])
        if next_us is None:
            next_us = min(_us(row["since"]), at_us - grid.step_us) if "since" in row else 0
            until_us = _until(row, grid)
        for instant_us in grid.instants(next_us, at_us):
            yield instant_us, value
        value, next_us = _number(row["amount"]), at_us
    until_us = max(until_us, at_us + LINGER_MIN * _US_PER_MIN)
    for instant_us in grid.instants(next_us or 0, until_us):
        yield instant_us, value


def _until(row: Row, grid: _Grid) -> int:
    until = row.get("until")
    return grid.end_us + 1 if until is None else _us(until)


def _us(value: object) -> int:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no instant")
    return micros(value)


def _number(value: object) -> float:
    if isinstance(value, datetime):
        return micros(value) / US_PER_S
    return float(value)  # type: ignore[arg-type]
