"""What the agent shows of itself: immutable, replaced whole after each commit; pure.

Exporters of the live state read this and nothing else. What is unknown or stale is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from meter.model import Component, Counter, Method

Series = tuple[str, tuple[str, ...]]
"""A metric's name, and values of its labels."""


@dataclass(frozen=True, slots=True)
class GpuView:
    """A GPU metered here and what it showed last; None is "not given" or stale."""

    uuid: str
    index: str  # NVML's index, as a label
    name: str
    method: Method
    simulated: bool = False
    pci_bus_id: str | None = None
    driver_version: str | None = None
    power_mw: int | None = None
    utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None


@dataclass(frozen=True, slots=True)
class HostView:
    """A host component metered here."""

    id: str
    component: Component
    name: str
    method: Method
    simulated: bool = False
    power_mw: int | None = None


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget and the part of it that is used; None: nothing is booked in its unit."""

    unit: str
    amount: Decimal
    used_ratio: Decimal | None


@dataclass(frozen=True, slots=True)
class ForecastView:
    """What a live run will have used at its end, by the part of it that is done: a model."""

    done_ratio: float
    energy_mj: float
    ends_us: int


@dataclass(frozen=True, slots=True)
class RunView:
    """A run that lives, or ended a short while ago; ``gpus`` are those that it holds."""

    id: str
    name: str
    project: str
    started_us: int
    simulated: bool = False
    ended_us: int | None = None
    budgets: tuple[BudgetView, ...] = ()
    gpus: tuple[tuple[str, str], ...] = ()  # index and UUID
    forecast: ForecastView | None = None


@dataclass(frozen=True, slots=True)
class ProjectBudgetView:
    """A project's budget of this UTC month."""

    project: str
    budget: BudgetView


@dataclass(frozen=True, slots=True)
class FactorGauge:
    """A factor in force now; ``labels`` as the metric of that name has them."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: Decimal


@dataclass(frozen=True, slots=True)
class Collector:
    """A measuring source: whether its last collection told anything, else why not."""

    name: str
    success: bool
    reason: str | None = None
    last_ok_us: int | None = None  # where that is kept


@dataclass(frozen=True, slots=True)
class FeedView:
    """A provider of live grid intensity: its last good value in g/kWh, and whether it is stale."""

    name: str
    zone: str
    kind: str
    last_ok_us: int | None = None
    value: Decimal | None = None
    value_from_us: int | None = None
    value_to_us: int | None = None
    stale: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the meter itself fares; all counts are since this agent's start."""

    version: str
    collectors: tuple[Collector, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()  # samples, by reason
    series_dropped: int = 0
    series_left_out: int = 0  # lately: nothing that is over
    store_write_failures: int = 0
    fresh: bool = True
    reason: str | None = None  # why it is not fresh


@dataclass(frozen=True, slots=True)
class Exemplar:
    """The run whose booking raised a counter, by how much in the counter's unit, and when (UTC)."""

    run_id: str
    amount: Decimal
    at_us: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How a browser reaches the agent; no address: the one at which Prometheus scrapes it."""

    scheme: str = "http"
    address: str = ""  # host, port and path

    @classmethod
    def of(cls, url: str) -> Reach:
        """As somebody has told by a URL."""
        scheme, _, address = url.partition("://")
        return cls(scheme, address)


AS_SCRAPED = Reach()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live state at an instant (CLOCK_BOOTTIME ns); counters in order, a run's by its id."""

    at_ns: int
    health: Health
    gpus: tuple[GpuView, ...] = ()
    hosts: tuple[HostView, ...] = ()
    runs: tuple[RunView, ...] = ()
    factors: tuple[FactorGauge, ...] = ()
    project_budgets: tuple[ProjectBudgetView, ...] = ()
    counters: tuple[Counter, ...] = ()
    of_runs: Mapping[str, tuple[Counter, ...]] = field(default_factory=dict)
    exemplars: Mapping[Series, Exemplar] = field(default_factory=dict)
    reach: Reach = AS_SCRAPED
