"""The configuration as the parts see it; reading it is :mod:`meter.settings`' work."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from meter.metering.activity import IdlePolicy


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an assumption is from that was named instead of a value."""

    source: str
    source_date: str
    licence: str
    detail: str


@dataclass(frozen=True, slots=True)
class Banded:
    """A value with its bounds; low = high = value where none were given."""

    value: Decimal
    low: Decimal
    high: Decimal
    origin: Origin | None = None  # None: the user's own value


@dataclass(frozen=True, slots=True)
class Window:
    """Local times of a time-of-use tariff: [start, end) on quarter hours, may pass midnight."""

    days: tuple[int, ...]  # 0 = Monday
    start: int  # minute of the day
    end: int  # 1440 = midnight
    price_per_kwh: Banded
    season: tuple[tuple[int, int], tuple[int, int]] | None = None  # first and last month and day


@dataclass(frozen=True, slots=True)
class Electricity:
    """A site's electricity tariff; windows first, else ``price_per_kwh``."""

    currency: str
    price_per_kwh: Banded | None
    windows: tuple[Window, ...] = ()
    timezone: str = "UTC"
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    source: str = "configuration"
    source_date: str | None = None


@dataclass(frozen=True, slots=True)
class Owned:
    """A GPU that was bought: its price with its share of the server, its life, its use."""

    price: Banded
    lifetime_years: Banded
    utilisation: Banded  # share of its life in which it works, above 0 to 1


@dataclass(frozen=True, slots=True)
class GpuTime:
    """What an hour of one GPU costs: a rate, or what it is made of where the GPU is owned."""

    currency: str
    rate_per_hour: Banded | None
    source: str = "configuration"
    owned: Owned | None = None
    source_date: str | None = None


@dataclass(frozen=True, slots=True)
class Embodied:
    """Embodied carbon of one GPU (kg) and of its share of the server; lifetime None: the usual."""

    kg_per_gpu: Banded | None
    server_kg_per_gpu: Banded | None
    lifetime_years: Banded | None = None
    source: str = "configuration"
    source_date: str | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A contract that says where electricity is from, for a share of the consumption.

    ``number`` counts those of a type. ``lacking`` are the quality criteria that it does not meet,
    in words: with any of them it does not count.
    """

    type: str  # certificate, ppa, supplier, residual
    number: int
    g_per_kwh: Banded
    share: Decimal
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    source: str = "configuration"
    lacking: tuple[str, ...] = ()
    source_date: str | None = None

    @property
    def name(self) -> str:
        """What it is called: ``certificate 1``."""
        return f"{self.type} {self.number}"


@dataclass(frozen=True, slots=True)
class Intensity:
    """Where live grid intensity is fetched; keys are never here, see ``meter.factors.feeds``."""

    provider: str  # electricity-maps, watttime or uk
    zone: str  # the provider's own name for it
    every_minutes: int = 10
    url: str | None = None  # instead of the provider's own address
    key_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    average: bool = False  # of WattTime: the average signal, not the marginal one
    direct: bool = False  # of Electricity Maps: direct emissions, not life-cycle ones


PAGE_RUNS = 50
"""Runs that have series of their own on a page of metrics."""


@dataclass(frozen=True, slots=True)
class ProjectBudget:
    """What a project may use in a UTC month: an amount of kWh, kgCO2e or a currency."""

    project: str
    amount: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set; paths are absolute, None is "not set"."""

    home: Path
    socket: Path
    lease_dir: Path
    listen: str = "127.0.0.1:9850"
    web_config: Path | None = None  # TLS and passwords of that address
    public_url: str | None = None  # where browsers reach it, without a slash at the end
    site_name: str = "default"
    zone: str | None = None
    zone_from: str = ""  # key, file and line, or the variable: what is wrong if it is unknown
    pue: Banded | None = None
    wue: Banded | None = None  # L/kWh of IT energy
    tnd_loss: Banded | None = None  # share of what is fed into the grid
    site_source_date: str | None = None  # of these three
    electricity: Electricity | None = None
    gpu_time: GpuTime | None = None
    embodied: Embodied | None = None
    instruments: tuple[Instrument, ...] = ()
    project: str | None = None
    simulate: str | None = None  # e.g. "2xH100": simulated GPUs instead of NVML
    replay: Path | None = None  # a recording instead of NVML
    host: bool = True  # meter CPU and RAM too
    retention_days: int = 30
    page_runs: int = PAGE_RUNS
    idle: IdlePolicy = IdlePolicy.OWNER  # of a GPU that several runs hold
    job_map: Path | None = None  # folder of DCGM's job map
    intensity: Intensity | None = None
    budgets: tuple[ProjectBudget, ...] = ()
