"""The families of /metrics: their names, labels and help, and where their rows come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from decimal import Decimal

    from meter.snapshot import BudgetView, ForecastView, GpuView, RunView, Snapshot

_MW_PER_W = 1_000
_MJ_PER_J = 1_000

_UNITS = ("grams_per_kwh", "joules", "watts", "grams", "ratio", "bytes", "celsius", "seconds")
"""As names end by them; an amount of money, tokens or events has none that holds for all rows."""

_ALWAYS = 2  # of a run: what it is called, when it began
_FORECASTS = 3  # how far it is, what it will have used, when it will end

Row = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: its name as exposed, what it means, and where its rows come from."""

    name: str
    type: str  # counter, gauge or info
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Snapshot], Iterable[Row]] | None = None  # None: the snapshot's counters
    exemplars: bool = False  # which run raised it, told in OpenMetrics

    @property
    def unit(self) -> str:
        """The unit that its name ends by, empty if none; OpenMetrics tells it in a line."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in _UNITS if stem.endswith(f"_{unit}")), "")


def _gpu(name: str, text: str, value: Callable[[GpuView], float | None]) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for gpu in snapshot.gpus:
            number = value(gpu)
            if number is not None:
                yield (gpu.index, gpu.uuid), number

    return Family(name, "gauge", text, ("gpu", "uuid"), rows)


def _factor(name: str, text: str, labels: tuple[str, ...]) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for factor in snapshot.factors:
            if factor.name == name:
                given = dict(factor.labels)
                yield tuple(given.get(label, "") for label in labels), float(factor.value)

    return Family(name, "gauge", text, labels, rows)


def _gpu_infos(snapshot: Snapshot) -> Iterator[Row]:
    for gpu in snapshot.gpus:
        simulated = "true" if gpu.simulated else "false"
        yield (
            gpu.index, gpu.uuid, gpu.name, gpu.pci_bus_id or "", gpu.driver_version or "",
            gpu.method.value, simulated,
        ), 1.0  # fmt: skip


def _run_infos(snapshot: Snapshot) -> Iterator[Row]:
    for run in snapshot.runs:
        yield (run.id, run.name, run.project, "true" if run.simulated else "false"), 1.0


def _run_starts(snapshot: Snapshot) -> Iterator[Row]:
    for run in snapshot.runs:
        yield (run.id,), run.started_us / US_PER_S


def _run_ends(snapshot: Snapshot) -> Iterator[Row]:
    for run in snapshot.runs:
        if run.ended_us is not None:
            yield (run.id,), run.ended_us / US_PER_S


def _run_gpus(snapshot: Snapshot) -> Iterator[Row]:
    for run in snapshot.runs:
        for index, uuid in run.gpus:
            yield (run.id, index, uuid), 1.0


def _forecast(name: str, text: str, value: Callable[[ForecastView], float]) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for run in snapshot.runs:
            if run.forecast is not None:
                yield (run.id,), value(run.forecast)

    return Family(name, "gauge", text, ("run",), rows)


def _budget(
    name: str, text: str, who: str, value: Callable[[BudgetView], Decimal | None]
) -> Family:
    """Of the budgets that runs have, or projects."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for owner, budget in _budgets(snapshot, who):
            number = value(budget)
            if number is not None:
                yield (owner, budget.unit), float(number)

    return Family(name, "gauge", text, (who, "unit"), rows)


def _budgets(snapshot: Snapshot, who: str) -> Iterator[tuple[str, BudgetView]]:
    if who == "project":
        return ((found.project, found.budget) for found in snapshot.project_budgets)
    return ((run.id, budget) for run in snapshot.runs for budget in run.budgets)


def series_of(run: RunView) -> int:
    """How many series a run has beside its counters, without making them."""
    found = _ALWAYS + len(run.gpus) + len(run.budgets)
    if run.ended_us is not None:
        found += 1
    if run.forecast is not None:
        found += _FORECASTS
    return found + sum(budget.used_ratio is not None for budget in run.budgets)


def _watts(gpu: GpuView) -> float | None:
    return None if gpu.power_mw is None else gpu.power_mw / _MW_PER_W


FAMILIES: tuple[Family, ...] = (
    Family(
        "meter_gpu_energy_joules_total", "counter",
        "Energy of a GPU, whoever used it, in joules.", ("gpu", "uuid"),
    ),
    _gpu("meter_gpu_power_watts", "Power of a GPU when it was last looked at, in watts.", _watts),
    _gpu(
        "meter_gpu_utilization_ratio", "Share of time in which a kernel ran on the GPU, 0 to 1.",
        lambda gpu: gpu.utilization_ratio,
    ),
    _gpu(
        "meter_gpu_memory_used_bytes", "Memory of the GPU in use, in bytes.",
        lambda gpu: gpu.memory_used_bytes,
    ),
    _gpu(
        "meter_gpu_temperature_celsius", "Temperature of the GPU, in degrees Celsius.",
        lambda gpu: gpu.temperature_celsius,
    ),
    Family(
        "meter_gpu_info", "info",
        "A GPU metered here; method is what its energy is at best.",
        ("gpu", "uuid", "name", "pci_bus_id", "driver_version", "method", "simulated"), _gpu_infos,
    ),
    Family(
        "meter_host_energy_joules_total", "counter",
        "Energy of processors and memory of the host, in joules.", ("component", "method"),
    ),
    Family(
        "meter_energy_joules_total", "counter",
        "Energy by project, in joules; (idle) is what nobody held, (unattributed) what could not"
        " be given to a run. Component hosted is of jobs at providers: IT energy as first"
        " estimated, method modelled, or assumed where only an upper bound is known.",
        ("project", "component", "method"),
    ),
    Family(
        "meter_cost_total", "counter",
        "Money by project at the factors known when it was booked, in units of the currency.",
        ("project", "provider", "kind", "currency"), exemplars=True,
    ),
    Family(
        "meter_emissions_grams_total", "counter",
        "Carbon dioxide equivalent by project at the factors known when it was booked, in grams;"
        " kinds hosted and hosted_overhead are of jobs at providers, modelled.",
        ("project", "kind", "basis"),
    ),
    Family(
        "meter_tokens_total", "counter",
        "Tokens by project: those that its own jobs tell (provider own), and hosted usage as it is"
        " stored.", ("project", "provider", "model", "token_type"), exemplars=True,
    ),
    Family(
        "meter_hosting_seconds_total", "counter",
        "Time for which a provider hosted a model, in seconds, as told by usage.",
        ("project", "provider", "model"),
    ),
    Family(
        "meter_usage_unpriced_total", "counter",
        "Events of hosted usage for which no price was known when they were booked.",
        ("project", "provider", "model"),
    ),
    Family(
        "meter_run_energy_joules_total", "counter", "Energy of a run so far, in joules.",
        ("run", "component", "method"),
    ),
    Family(
        "meter_run_cost_total", "counter",
        "Money of a run so far at the factors known when it was booked, in units of the currency.",
        ("run", "kind", "currency"),
    ),
    Family(
        "meter_run_emissions_grams_total", "counter",
        "Carbon dioxide equivalent of a run so far at the factors known when it was booked, in"
        " grams.", ("run", "kind", "basis"),
    ),
    Family(
        "meter_run_tokens_total", "counter",
        "Tokens of a run so far: train as its job tells them, its hosted usage as it is stored.",
        ("run", "token_type"),
    ),
    Family(
        "meter_run_phase_energy_joules_total", "counter",
        "Energy of a run by the phases that its job marks, in joules; (none) is the time without"
        " one, (other) are those beyond the first 16.", ("run", "phase"),
    ),
    Family(
        "meter_run_steps_total", "counter", "Steps of a run so far, as the job marks them.",
        ("run",),
    ),
    Family(
        "meter_run_info", "info", "A run that lives or ended a short while ago.",
        ("run", "name", "project", "simulated"), _run_infos,
    ),
    Family(
        "meter_run_start_timestamp_seconds", "gauge",
        "When a run began, in seconds since 1970 UTC.", ("run",), _run_starts,
    ),
    Family(
        "meter_run_end_timestamp_seconds", "gauge",
        "When a run ended, in seconds since 1970 UTC; absent while it lives.", ("run",), _run_ends,
    ),
    Family(
        "meter_run_gpu_info", "info", "A GPU that a live run holds.", ("run", "gpu", "uuid"),
        _run_gpus,
    ),
    _forecast(
        "meter_run_done_ratio", "Part of a live run that is done, 0 to 1, as its job last told.",
        lambda forecast: forecast.done_ratio,
    ),
    _forecast(
        "meter_run_forecast_energy_joules",
        "Energy that a live run will have used at its end, in joules: a model.",
        lambda forecast: forecast.energy_mj / _MJ_PER_J,
    ),
    _forecast(
        "meter_run_forecast_end_timestamp_seconds",
        "When a live run will end, in seconds since 1970 UTC: a model.",
        lambda forecast: forecast.ends_us / US_PER_S,
    ),
    _budget(
        "meter_run_budget", "Budget of a run, in the unit of its label.", "run",
        lambda budget: budget.amount,
    ),
    _budget(
        "meter_run_budget_used_ratio",
        "Part of a run's budget that is used, above 1 when it was more than all.", "run",
        lambda budget: budget.used_ratio,
    ),
    _budget(
        "meter_project_budget", "Budget of a project for this UTC month, in the unit of its label.",
        "project", lambda budget: budget.amount,
    ),
    _budget(
        "meter_project_budget_used_ratio",
        "Part of a project's budget that is used this UTC month, above 1 when it was more than"
        " all.", "project", lambda budget: budget.used_ratio,
    ),
    _factor(
        "meter_grid_intensity_grams_per_kwh",
        "Carbon intensity of the grid in force now, in grams of carbon dioxide equivalent per"
        " kWh.", ("zone", "source"),
    ),
    _factor(
        "meter_electricity_price_per_kwh",
        "Price of electricity in force now, in units of the currency per kWh.",
        ("site", "currency", "source"),
    ),
    _factor("meter_pue_ratio", "Facility energy over IT energy in force now.", ("site", "source")),
    _factor(
        "meter_price_book_timestamp_seconds",
        "The newest date at which a source told a price of a provider whose models are used here,"
        " in seconds since 1970 UTC.", ("provider",),
    ),
    Family(
        "meter_last_collect_success", "gauge",
        "1 if the source told something when it was last asked, else 0; no nvml where no GPU and no"
        " driver is or was.", ("collector",),
        lambda s: (((c.name,), float(c.success)) for c in s.health.collectors),
    ),
    Family(
        "meter_last_success_timestamp_seconds", "gauge",
        "When a source outside of the node last told something, in seconds since 1970 UTC.",
        ("collector",),
        lambda s: (
            ((c.name,), c.last_ok_us / US_PER_S)
            for c in s.health.collectors if c.last_ok_us is not None
        ),
    ),
    Family(
        "meter_energy_gap_seconds_total", "counter",
        "Time for which nothing is known of a device's power, in seconds; its energy may be known.",
        ("uuid",),
    ),
    Family(
        "meter_samples_dropped_total", "counter",
        "Readings and marks that were taken and lost, since the agent's start.", ("reason",),
        lambda s: (((reason,), float(n)) for reason, n in s.health.dropped),
    ),
    Family(
        "meter_series_dropped_total", "counter",
        "Series left out because there were too many, since the agent's start.", (),
        lambda s: (((), float(s.health.series_dropped)),),
    ),
    Family(
        "meter_series_left_out", "gauge",
        "Series that are left out now because there are too many: of this page, and projects, runs"
        " and models of the last minutes that have none of their own.", (),
        lambda s: (((), float(s.health.series_left_out)),),
    ),
    Family(
        "meter_store_write_failures_total", "counter",
        "Writes to the ledger that failed and are tried again, since the agent's start.", (),
        lambda s: (((), float(s.health.store_write_failures)),),
    ),
    Family(
        "meter_agent_info", "info",
        "How a browser reaches the agent; address is empty where it is the one that is scraped.",
        ("scheme", "address"), lambda s: (((s.reach.scheme, s.reach.address), 1.0),),
    ),
    Family(
        "meter_build_info", "info", "Version of the meter.", ("version",),
        lambda s: (((s.health.version,), 1.0),),
    ),
)  # fmt: skip


def families() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Every family's name, type, help and labels, for the reference page."""
    return [(family.name, family.type, family.help, family.labels) for family in FAMILIES]
