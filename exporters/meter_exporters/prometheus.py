"""The /metrics page: a custom collector over the agent's snapshot, text and OpenMetrics.

Nothing is computed here and nothing is kept: each scrape reads one immutable snapshot, so a run
that is over vanishes from the page by not being in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from meter.units import NS_PER_S, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from meter.snapshot import ForecastView, GpuView, Snapshot

MAX_SERIES = 5_000
"""Series on one page; what is above is left out and counted by the agent."""

_MW_PER_W = 1_000
_MJ_PER_J = 1_000

_OPENMETRICS = "application/openmetrics-text"
_PLAIN_NAMES = ("", "underscores", "allow-utf-8")  # ways of escaping that leave our names alone

Row = tuple[tuple[str, ...], float]
Encoder = Callable[[CollectorRegistry], bytes]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: its name as exposed, what it means, and where its rows come from."""

    name: str
    type: str  # counter, gauge or info
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Snapshot], Iterable[Row]] | None = None  # None: the snapshot's counters


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


def _run_budgets(snapshot: Snapshot) -> Iterator[Row]:
    for run in snapshot.runs:
        for budget in run.budgets:
            yield (run.id, budget.unit), float(budget.amount)


def _run_budgets_used(snapshot: Snapshot) -> Iterator[Row]:
    for run in snapshot.runs:
        for budget in run.budgets:
            if budget.used_ratio is not None:
                yield (run.id, budget.unit), float(budget.used_ratio)


def _project_budgets(snapshot: Snapshot) -> Iterator[Row]:
    for found in snapshot.project_budgets:
        yield (found.project, found.budget.unit), float(found.budget.amount)


def _project_budgets_used(snapshot: Snapshot) -> Iterator[Row]:
    for found in snapshot.project_budgets:
        if found.budget.used_ratio is not None:
            yield (found.project, found.budget.unit), float(found.budget.used_ratio)


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
        " be given to a run.", ("project", "component", "method"),
    ),
    Family(
        "meter_cost_total", "counter",
        "Money by project at the factors known when it was booked, in units of the currency.",
        ("project", "provider", "kind", "currency"),
    ),
    Family(
        "meter_emissions_grams_total", "counter",
        "Carbon dioxide equivalent by project at the factors known when it was booked, in grams.",
        ("project", "kind", "basis"),
    ),
    Family(
        "meter_tokens_total", "counter",
        "Tokens by project: those that its own jobs tell (provider own), and hosted usage as it is"
        " stored.", ("project", "provider", "model", "token_type"),
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
        "meter_run_tokens_total", "counter", "Tokens of a run so far, as the job tells them.",
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
    Family(
        "meter_run_budget", "gauge", "Budget of a run, in the unit of its label.", ("run", "unit"),
        _run_budgets,
    ),
    Family(
        "meter_run_budget_used_ratio", "gauge",
        "Part of a run's budget that is used, above 1 when it was more than all.",
        ("run", "unit"), _run_budgets_used,
    ),
    Family(
        "meter_project_budget", "gauge",
        "Budget of a project for this UTC month, in the unit of its label.",
        ("project", "unit"), _project_budgets,
    ),
    Family(
        "meter_project_budget_used_ratio", "gauge",
        "Part of a project's budget that is used this UTC month, above 1 when it was more than"
        " all.", ("project", "unit"), _project_budgets_used,
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
    Family(
        "meter_last_collect_success", "gauge",
        "1 if the source told something when it was last asked, else 0.", ("collector",),
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
        "Time for which nothing is known of a device's power, in seconds, since the agent's start.",
        ("uuid",), lambda s: (((device,), ns / NS_PER_S) for device, ns in s.health.gap_ns),
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
        "meter_store_write_failures_total", "counter",
        "Writes to the ledger that failed and are tried again, since the agent's start.", (),
        lambda s: (((), float(s.health.store_write_failures)),),
    ),
    Family(
        "meter_build_info", "info", "Version of the meter.", ("version",),
        lambda s: (((s.health.version,), 1.0),),
    ),
)  # fmt: skip


def families() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Every family's name, type, help and labels, for the reference page."""
    return [(family.name, family.type, family.help, family.labels) for family in FAMILIES]


class SnapshotCollector(Collector):
    """The page for prometheus_client; ``Writer`` writes the same."""

    def __init__(self, source: Callable[[], Snapshot], limit: int) -> None:
        self._source = source
        self._limit = limit

    def describe(self) -> Iterable[Metric]:
        """Every family, without samples."""
        return [_metric(family, ()) for family in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """The families that have samples now."""
        for family, rows in _page(self._source(), self._limit):
            yield _metric(family, rows)


def _page(snapshot: Snapshot, limit: int) -> list[tuple[Family, list[Row]]]:
    """The families that have rows, with at most so many rows together."""
    booked: dict[str, list[Row]] = {}
    for counter in snapshot.counters:
        values = tuple([value for _, value in counter.labels])
        booked.setdefault(counter.name, []).append((values, float(counter.value)))
    room = limit
    page: list[tuple[Family, list[Row]]] = []
    for family in reversed(FAMILIES):  # health first: it must not be crowded out
        rows = booked.get(family.name, []) if family.rows is None else family.rows(snapshot)
        kept = list(rows)[:room]
        room -= len(kept)
        if kept:
            page.append((family, kept))
    return page[::-1]


def _metric(family: Family, rows: Iterable[Row]) -> Metric:
    if family.type == "counter":
        counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
        for values, number in rows:
            counter.add_metric(values, number)
        return counter
    if family.type == "info":
        info = InfoMetricFamily(family.name.removesuffix("_info"), family.help)
        for values, _ in rows:
            info.add_metric((), dict(zip(family.labels, values, strict=True)))
        return info
    gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for values, number in rows:
        gauge.add_metric(values, number)
    return gauge


class Writer:
    """Writes whole pages as prometheus_client does, and some ten times as fast.

    Labels change rarely and values each second: a sample's text up to its value is kept from
    page to page, and a family's header is written by the library once.
    """

    def __init__(self) -> None:
        self._headers: dict[tuple[str, str], str] = {}
        self._starts: dict[tuple[str, tuple[str, ...]], str] = {}

    def write(self, page: Iterable[tuple[Family, list[Row]]], encoder: Encoder, end: str) -> bytes:
        """A page in the encoder's format, which ends in ``end``."""
        known, used = self._starts, {}
        lines: list[str] = []
        for family, rows in page:
            lines.append(self._header(family, encoder, end))
            for values, number in rows:
                key = (family.name, values)
                start = used[key] = known.get(key) or _start(family, values)
                lines.append(f"{start}{floatToGoString(number)}\n")  # type: ignore[no-untyped-call]
        self._starts = used
        lines.append(end)
        return "".join(lines).encode()

    def _header(self, family: Family, encoder: Encoder, end: str) -> str:
        found = self._headers.get((family.name, end))
        if found is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Fixed(_metric(family, ())))
            found = encoder(registry).decode().removesuffix(end)
            self._headers[family.name, end] = found
        return found


class _Fixed(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


def _start(family: Family, values: tuple[str, ...]) -> str:
    pairs = sorted(zip(family.labels, values, strict=True))
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{family.name}{{{labels}}} " if labels else f"{family.name} "


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class Exposition:
    """The page of whatever snapshot the source gives at each scrape."""

    def __init__(self, source: Callable[[], Snapshot], *, limit: int = MAX_SERIES) -> None:
        self._source = source
        self._limit = limit
        self._writer = Writer()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(SnapshotCollector(source, limit))

    def render(self, accept: str | None = None, names: Sequence[str] = ()) -> tuple[bytes, str]:
        """The page and its content type, as the Accept header and ``name[]`` ask for."""
        try:
            encoder, content_type = choose_encoder(accept or "")
        except (ValueError, TypeError):  # a version that is no number
            encoder, content_type = choose_encoder("")
        if names:
            return encoder(self._registry.restricted_registry(names)), content_type
        if content_type.partition("escaping=")[2] not in _PLAIN_NAMES:
            return encoder(self._registry), content_type
        end = "# EOF\n" if content_type.startswith(_OPENMETRICS) else ""
        page = _page(self._source(), self._limit)
        return self._writer.write(page, encoder, end), content_type


def text(snapshot: Snapshot) -> bytes:
    """The page in the classic text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(lambda: snapshot, MAX_SERIES))
    return generate_latest(registry)
