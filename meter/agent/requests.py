"""What clients may send, checked strictly: unknown fields and odd values are refused."""

from __future__ import annotations

import time
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, field
from decimal import Decimal  # noqa: TC003  pydantic looks at it while running
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from meter import budgets, currencies, limits, links, reserved
from meter.errors import UsageError
from meter.ids import new_id
from meter.units import US_PER_HOUR, US_PER_QUARTER

MARKS = 1_000
"""Most marks of one request."""
MOST_NUMBER = 10**15
"""Greatest number of a mark of one source: years of a mark each microsecond."""
_BIGINT = 2**63 - 1


def _checked_name(value: str) -> str:
    try:
        return limits.check_name("it", value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _checked_label(value: str) -> str:
    try:
        return reserved.check_label("it", value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _checked_id(value: str) -> str:
    try:
        return limits.check_run_id("it", value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _checked_foreign_id(value: str) -> str:
    try:
        return links.check_foreign_id(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _rounded(places: int) -> AfterValidator:
    """To so many places: a third has more digits than are kept."""
    return AfterValidator(lambda value: round(value, places))


Name = Annotated[str, AfterValidator(_checked_name)]
Label = Annotated[str, AfterValidator(_checked_label)]
"""A name that metrics show."""
Phase = Annotated[str, AfterValidator(lambda value: value and _checked_label(value))]
"""The same of a mark; an empty one ends the one before."""
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


def _whole(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("a text is no number")  # noqa: TRY004 - pydantic takes no other
    return _no_boolean(value)


Instant = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=_BIGINT)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=_BIGINT)]
_Number = BeforeValidator(_no_boolean)
_Whole = BeforeValidator(_whole)
Steps = Annotated[int, _Whole, Field(ge=0, le=limits.STEPS)]
Tokens = Annotated[int, _Whole, Field(ge=0, le=limits.TRAINED_TOKENS)]


def _boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _wall_us() -> int:
    return time.time_ns() // 1_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sent(_Strict):
    """A request with instants by the sender's CLOCK_BOOTTIME.

    ``sent_ns`` is what that showed as the request was sent: it tells how far it is from ours.
    """

    sent_ns: Instant | None = None
    _received_ns: int = PrivateAttr(default_factory=_boot_ns)

    @property
    def received_ns(self) -> int:
        """What our clock showed as the request came."""
        return self._received_ns


def _known_unit(unit: str) -> str:
    if budgets.is_money(unit) and (fault := currencies.fault_of(unit)):
        raise ValueError(fault)
    return unit


class NewBudget(_Strict):
    """What a run may use: an amount of kWh, kgCO2e or a currency."""

    amount: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9)]
    unit: Annotated[str, Field(pattern="^(kWh|kgCO2e|[A-Z]{3})$"), AfterValidator(_known_unit)]


class NewLink(_Strict):
    """An id that somebody else gave a run."""

    source: Literal["wandb", "mlflow", "slurm", "torchelastic", "kubernetes", "custom"]
    id: Annotated[str, AfterValidator(_checked_foreign_id)]


class NewAttachment(_Strict):
    """A process that ran before its run began; whether its environment could be read."""

    pid: Annotated[int, Field(gt=0, le=2**31 - 1)]
    environment: bool = True


class NewRun(Sent):
    """A run that has begun; instants are CLOCK_BOOTTIME ns and UTC µs, now unless given."""

    id: RunId = Field(default_factory=new_id)
    name: Label | None = None
    project: Label | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    started_ns: Instant = Field(default_factory=_boot_ns)
    started_us: Instant = Field(default_factory=_wall_us)
    gpus: str | None = Field(None, max_length=limits.GPUS_CHARS)
    cuda_visible_devices: str | None = Field(None, max_length=limits.GPUS_CHARS)
    cuda_device_order: str | None = Field(None, max_length=64)
    nvidia_visible_devices: str | None = Field(None, max_length=limits.GPUS_CHARS)
    launcher_pid: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None
    job_pid: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None  # not under the launcher
    command: str | None = Field(None, max_length=1024)
    origin: str = Field("generated", max_length=64)
    resume: bool = False
    check: bool = False  # only say what would be answered
    budgets: list[NewBudget] = Field(default_factory=list, max_length=limits.BUDGETS)
    stop_over_budget: bool = False  # the launcher asks for it, and ends its job itself
    links: list[NewLink] = Field(default_factory=list, max_length=limits.LINKS)
    attached: NewAttachment | None = None

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


class RunEnd(Sent):
    """A run that has ended, now unless an instant is given."""

    status: Literal["completed", "failed", "abandoned"]
    exit_code: Annotated[int, Field(ge=-255, le=255)] | None = None
    ended_ns: Instant = Field(default_factory=_boot_ns)
    ended_us: Instant | None = None
    linger_s: Annotated[float, Field(ge=0, le=limits.LINGER_S)] | None = None


class NewMark(_Strict):
    """An instant inside a run; without ``at_ns`` it is now."""

    at_ns: Instant | None = None
    step: Steps | None = None
    epoch: Annotated[Decimal, _Number, Field(ge=0, lt=1_000_000), _rounded(6)] | None = (
        None  # epoch and fraction may be decimal text, which rounds nothing
    )
    phase: Phase | None = None
    tokens: Tokens | None = None
    fraction: Annotated[Decimal, _Number, Field(ge=0, le=1), _rounded(9)] | None = None

    @model_validator(mode="after")
    def _telling(self) -> NewMark:
        told = (self.step, self.epoch, self.phase, self.tokens, self.fraction)
        if all(one is None for one in told):
            raise ValueError("a mark that says nothing: give step, epoch, phase, tokens, fraction")
        return self


ManyMarks = Annotated[
    list[Any],  # each is looked at by itself: a wrong one keeps no other out
    Field(max_length=MARKS),
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": MARKS,
            "items": {"$ref": "#/components/schemas/NewMark"},
        }
    ),
]


class NewMarks(Sent):
    """Marks of one process, numbered from ``first`` on, so that what is sent twice is kept once.

    ``dropped`` are marks that it could not tell since it began, by reason.
    """

    source: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
    first: Annotated[
        int, BeforeValidator(_whole), Field(ge=0, le=MOST_NUMBER - MARKS)
    ]  # its last one is bounded too
    marks: ManyMarks
    dropped: Annotated[
        dict[Annotated[str, Field(pattern="^[a-z]{1,20}$")], Count], Field(max_length=16)
    ] = Field(default_factory=dict)


def _shape(given: object) -> str:
    if isinstance(given, list):
        return "(list)"
    return "(batch)" if isinstance(given, dict) and "marks" in given else "(mark)"


GivenMarks = Annotated[
    Annotated[NewMark, Tag("(mark)")]
    | Annotated[ManyMarks, Tag("(list)")]
    | Annotated[NewMarks, Tag("(batch)")],
    Discriminator(_shape),
]


@dataclass(frozen=True, slots=True)
class MarkList:
    """Marks that came together, each with its place; and those that are wrong, with the reason."""

    marks: tuple[tuple[int, NewMark], ...]
    invalid: tuple[tuple[int, str], ...]
    source: str | None = None
    first: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    sent: Sent = field(default_factory=Sent)

    @property
    def count(self) -> int:
        """How many came."""
        return len(self.marks) + len(self.invalid)

    @classmethod
    def of(cls, given: NewMarks | list[Any]) -> MarkList:
        """Look at each mark."""
        batch = given if isinstance(given, NewMarks) else None
        marks, invalid = [], []
        for place, each in enumerate(given if batch is None else batch.marks):
            try:
                marks.append((place, NewMark.model_validate(each)))
            except ValidationError as error:
                invalid.append((place, _reason(error)))
        kept = tuple(marks), tuple(invalid)
        if batch is None:
            return cls(*kept)
        return cls(*kept, batch.source, batch.first, batch.dropped, batch)


def _reason(error: ValidationError) -> str:
    """What is wrong, without what was sent."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "extra_forbidden":
        return "a field that is not known"
    place = "".join(str(part) for part in first["loc"][:1])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


class NewPastRun(_Strict):
    """A run that was not metered, as `meter runs add` states it; amounts are numbers or texts.

    Watts, pue, intensity (g/kWh), price (of a kWh) and gpu_rate may have bounds:
    ``"VALUE:LOW:HIGH"``.
    """

    name: Label
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
    project: Label | None = None
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
