"""What is told of hosted work: usage, jobs, charges, estimates of energy; pure, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

TELEMETRY = "otlp"
"""Source of what telemetry counts and no answer's id names."""
FIREWORKS_METRICS = "fireworks-metrics"
"""Source of rows that have no id: theirs is a hash of all that they say."""
DETAILS_MISSING = "details_missing"
"""Flag: something that belongs to the job could not be read, or the key may not read it."""


class Meter(StrEnum):
    """What is counted and billed; of one event no token is in two of them."""

    INPUT = "input"  # not from a cache, not written to one
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"  # for as long as the provider keeps it by default
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_30M = "cache_write_30m"
    CACHE_WRITE_1H = "cache_write_1h"
    CACHE_WRITE_12H = "cache_write_12h"
    OUTPUT = "output"  # reasoning and thoughts included
    INPUT_AUDIO = "input_audio"
    OUTPUT_AUDIO = "output_audio"
    REQUEST = "request"
    TRAIN_TOKEN = "train_token"  # noqa: S105  epochs included
    TRAIN_HOUR = "train_hour"  # of the provider's clock, as billed
    GPU_SECOND = "gpu_second"  # of training, all GPUs together
    HOST_HOUR = "host_hour"
    STORAGE_GB_MONTH = "storage_gb_month"
    UNKNOWN = "unknown"  # something was used, the provider did not say how much


TOKEN_METERS = frozenset({
    Meter.INPUT, Meter.CACHED_INPUT, Meter.CACHE_WRITE, Meter.CACHE_WRITE_5M, Meter.CACHE_WRITE_30M,
    Meter.CACHE_WRITE_1H, Meter.CACHE_WRITE_12H, Meter.OUTPUT, Meter.INPUT_AUDIO,
    Meter.OUTPUT_AUDIO, Meter.TRAIN_TOKEN,
})  # fmt: skip
MOST = Decimal(10) ** 12
"""A quantity of one event is below it: what is more is a mistake."""
MOST_OTHER = Decimal(10) ** 9
"""The same of what is not counted in tokens: hours, seconds, requests."""


class Training(StrEnum):
    """How a model is trained."""

    SFT = "sft"
    DPO = "dpo"
    RFT = "rft"


class Adapter(StrEnum):
    """Which weights are trained."""

    LORA = "lora"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Quantity:
    """So much of a meter; ``amount`` None only of ``Meter.UNKNOWN``. At most six decimals."""

    meter: Meter
    amount: Decimal | None


class Usage(NamedTuple):  # made by the million, so the lightest of all
    """One event of usage, such as an answered request or a job's billed training.

    ``source`` and ``id`` make it one; ``model`` is the provider's own word, ``base_model`` the one
    it was tuned from or, for a plain model, None. ``context_tokens`` is all input, for prices that
    depend on it. There is one quantity at least. ``flags`` say what was odd, ``told`` holds other
    allow-listed fields as told. ``pays`` is the project of an event that names none: our word.
    """

    source: str
    id: str
    at_us: int
    provider: str
    model: str
    quantities: tuple[Quantity, ...]
    base_model: str | None = None
    project: str | None = None
    run_id: str | None = None
    region: str | None = None
    service_tier: str | None = None
    context_tokens: int | None = None
    training: Training | None = None
    adapter: Adapter | None = None
    parameters_b: Decimal | None = None  # of the base model, in billions
    flags: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    pays: str | None = None


class UsageEntry(NamedTuple):
    """An event of usage as the ledger keeps it, but for the commit that brings it.

    ``sha256`` is over what the event says. ``heads`` are the canonical lines of its rows, one for
    each meter, up to what the commit adds: its number and its instant. ``also`` is the key under
    which an earlier version kept the same, empty where there is none.
    """

    key: str  # digits
    sha256: str
    heads: tuple[str, ...]
    also: str = ""


class JobStatus(StrEnum):
    """Where a hosted job stands; the provider's own word is kept beside it."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that a job left behind on its way."""

    name: str
    step: int | None = None
    created_us: int | None = None


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPU time that a provider told: ``seconds`` of all GPUs together."""

    name: str
    seconds: Decimal
    count: int | None = None


@dataclass(frozen=True, slots=True)
class HostedJob:
    """A fine-tune at a provider, as it stood at ``seen_us``; what is None was not told.

    ``quantities`` are what the provider bills or counts for training. ``billed`` is its own word
    on the price, ``estimated`` a forecast of its. ``flags`` say what was odd, ``told`` holds other
    allow-listed fields as told (never file contents, prompts, or messages of a user).
    """

    provider: str
    id: str
    status: JobStatus
    provider_status: str
    created_us: int
    seen_us: int
    base_model: str
    started_us: int | None = None
    ended_us: int | None = None
    tuned_model: str | None = None
    training: Training | None = None
    adapter: Adapter | None = None
    quantities: tuple[Quantity, ...] = ()
    epochs: Decimal | None = None
    steps: int | None = None
    parameters_b: Decimal | None = None
    gpus: Gpus | None = None
    billed: Money | None = None
    estimated: Money | None = None
    name: str | None = None
    project: str | None = None
    region: str | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    error_code: str | None = None
    flags: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Hosting:
    """A deployed model that costs by the hour; ``ended_us`` None while it stands.

    ``units`` are replicas, their GPUs or provisioned units; None where nobody tells how many.
    """

    provider: str
    id: str
    model: str
    started_us: int
    ended_us: int | None = None
    region: str | None = None
    service_tier: str | None = None
    units: Decimal | None = Decimal(1)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a provider says it billed for a span; ``quantity`` in ``unit`` where it tells one."""

    source: str
    id: str
    provider: str
    start_us: int
    end_us: int
    amount: Decimal
    currency: str
    line_item: str
    project: str | None = None
    model: str | None = None
    job_id: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    flags: tuple[str, ...] = ()


NO_NUMBER = 4
"""The tier of an estimate that only says why there is none."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Energy of a hosted job by one tier of evidence, facility included, in mJ.

    ``mid_mj`` None is a bound alone: no more than ``high_mj`` is known. ``reason`` says in a
    sentence what it stands on, ``inputs`` name each number, ``factor_ids`` the rows behind them.
    Tier 4 has no number, only the reason: its zeros are none.
    """

    tier: int
    low_mj: int
    mid_mj: int | None
    high_mj: int
    reason: str
    inputs: tuple[tuple[str, str], ...] = ()
    factor_ids: tuple[str, ...] = ()

    @property
    def has_number(self) -> bool:
        """Whether anything is known of the energy."""
        return self.tier != NO_NUMBER


def as_told(fields: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Allow-listed fields as sorted pairs of text; those that are None are left out."""
    return tuple(sorted((name, str(value)) for name, value in fields.items() if value is not None))
