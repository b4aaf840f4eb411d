"""What clients may send, checked strictly: unknown fields and odd values are refused."""

from __future__ import annotations

import time
from decimal import Decimal  # noqa: TC003  pydantic looks at it while running
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from meter import limits
from meter.errors import UsageError
from meter.ids import new_id
from meter.units import US_PER_HOUR, US_PER_QUARTER

_BIGINT = 2**63 - 1


def _checked_name(value: str) -> str:
    try:
        return limits.check_name("it", value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _checked_id(value: str) -> str:
    try:
        return limits.check_run_id("it", value)
    except UsageError as error:
        raise ValueError(str(error)) from None


Name = Annotated[str, AfterValidator(_checked_name)]
RunId = Annotated[str, AfterValidator(_checked_id)]


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are no amounts")  # noqa: TRY004 - pydantic takes no other
    return value


Told = Annotated[
    Annotated[str, Field(max_length=200)] | int | Annotated[float, Field(allow_inf_nan=False)],
    BeforeValidator(_no_boolean),
    AfterValidator(str),
]
Instant = Annotated[int, Field(ge=0, le=_BIGINT)]
Count = Annotated[int, Field(ge=0, le=_BIGINT)]


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _wall_us() -> int:
    return time.time_ns() // 1_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NewBudget(_Strict):
    """What a run may use: an amount of kWh, kgCO2e or a currency."""

    amount: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9)]
    unit: Annotated[str, Field(pattern="^(kWh|kgCO2e|[A-Z]{3})$")]


class NewRun(_Strict):
    """A run that has begun; instants are CLOCK_BOOTTIME ns and UTC µs, now unless given."""

    id: RunId = Field(default_factory=new_id)
    name: Name | None = None
    project: Name | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    started_ns: Instant = Field(default_factory=_boot_ns)
    started_us: Instant = Field(default_factory=_wall_us)
    gpus: str | None = Field(None, max_length=limits.GPUS_CHARS)
    cuda_visible_devices: str | None = Field(None, max_length=limits.GPUS_CHARS)
    cuda_device_order: str | None = Field(None, max_length=64)
    nvidia_visible_devices: str | None = Field(None, max_length=limits.GPUS_CHARS)
    launcher_pid: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None
    command: str | None = Field(None, max_length=1024)
    origin: str = Field("generated", max_length=64)
    resume: bool = False
    check: bool = False  # only say what would be answered
    budgets: list[NewBudget] = Field(default_factory=list, max_length=limits.BUDGETS)
    stop_over_budget: bool = False  # the launcher asks for it, and ends its job itself

    @model_validator(mode="after")
    def _bounded(self) -> NewRun:
        try:
            limits.check_tags(self.tags)
        except UsageError as error:
            raise ValueError(str(error)) from None
        if len({budget.unit for budget in self.budgets}) < len(self.budgets):
            raise ValueError("two budgets of one unit: give one of each")
        if self.stop_over_budget and not self.budgets:
            raise ValueError("stop_over_budget without a budget: give one")
        return self


class NewStatement(_Strict):
    """A statement wanted of a run: by what was known at an instant, with a reason to restate."""

    run: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS)]
    as_of: Annotated[str, Field(max_length=40)] | None = None
    reason: Name | None = None


class RunEnd(_Strict):
    """A run that has ended, now unless an instant is given."""

    status: Literal["completed", "failed", "abandoned"]
    exit_code: Annotated[int, Field(ge=-255, le=255)] | None = None
    ended_ns: Instant = Field(default_factory=_boot_ns)
    ended_us: Instant | None = None
    linger_s: Annotated[float, Field(ge=0, le=limits.LINGER_S)] | None = None


class NewMark(_Strict):
    """An instant inside a run; without ``at_ns`` it is now."""

    at_ns: Instant | None = None
    step: Count | None = None
    epoch: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)] | None = None
    phase: Name | None = None
    tokens: Count | None = None
    fraction: Annotated[Decimal, Field(ge=0, le=1, max_digits=18, decimal_places=9)] | None = None


class NewPastRun(_Strict):
    """A run that was not metered, as `meter runs add` states it; amounts are numbers or texts.

    Watts, pue, intensity (g/kWh), price (of a kWh) and gpu_rate may have bounds:
    ``"VALUE:LOW:HIGH"``.
    """

    name: Name
    gpu_hours: Told | None = None
    wall_hours: Told | None = None
    count: Told | None = None
    watts: Told | None = None
    gpu: Told | None = None
    start: Told | None = None
    end: Told | None = None
    pue: Told | None = None
    intensity: Told | None = None
    zone: Told | None = None
    price: Told | None = None
    gpu_rate: Told | None = None
    currency: Told | None = None
    project: Name | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    id: RunId | None = None


class NewPoint(_Strict):
    """The intensity of [from, to) in g/kWh, on quarter hours."""

    from_us: Annotated[int, Field(ge=0, le=_BIGINT, multiple_of=US_PER_QUARTER)]
    to_us: Annotated[int, Field(ge=0, le=_BIGINT, multiple_of=US_PER_QUARTER)]
    value: Annotated[Decimal, Field(ge=0, le=3_000, decimal_places=9)]
    state: str = Field("", max_length=200)

    @model_validator(mode="after")
    def _forward(self) -> NewPoint:
        if not 0 < self.to_us - self.from_us <= US_PER_HOUR:
            raise ValueError("to_us must be after from_us, by an hour at most")
        if not self.state.isprintable():
            raise ValueError("state must be printable")
        return self


class NewIntensity(_Strict):
    """Points of a provider of live grid intensity, as `meter factors sync` fetched them."""

    provider: Literal["electricity-maps", "watttime", "uk"]
    zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    average: bool = False
    direct: bool = False
    points: Annotated[list[NewPoint], Field(min_length=1, max_length=2_000)]
