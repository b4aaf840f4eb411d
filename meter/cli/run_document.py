"""The shape of a run document, as far as a sum or a report looks at it.

``meter/schemas/run-1.json`` says the same of what is written; here more may be told than is known,
as a newer version does.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from meter.errors import UsageError
from meter.instants import parse_us
from meter.model import Component, Method, Severity


def _is_instant(text: str) -> str:
    try:
        parse_us(text, "an instant")
    except UsageError as error:
        raise ValueError(error.message) from None
    return text


def _is_positive(amount: str) -> str:
    if Decimal(amount) <= 0:
        raise ValueError("it should be more than 0")
    return amount


_Number = Annotated[float, Field(strict=True, ge=-1e18, le=1e18)]  # no infinity, no NaN
_Size = Annotated[_Number, Field(ge=0)]
_Share = Annotated[_Number, Field(ge=0, le=1)]
_Count = Annotated[int, Field(strict=True, ge=0, le=10**18)]
_Money = Annotated[str, Field(pattern=r"^-?\d{1,18}\.\d{2,9}$")]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
_Instant = Annotated[str, AfterValidator(_is_instant)]
_Method = Annotated[Method, Field(strict=False)]


class _Told(BaseModel):
    """Something in a document of which more may be told than is looked at."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Quantity(_Told):
    value: _Number
    low: _Number
    high: _Number
    method: _Method


class _Joules(_Quantity):
    unit: Literal["J"]


class _Grams(_Quantity):
    unit: Literal["g"]


class _Litres(_Quantity):
    unit: Literal["L"]


class _Amount(_Told):
    value: _Money
    low: _Money
    high: _Money
    unit: str
    method: _Method


class _InCurrency(_Told):
    currency: _Currency
    amount: _Amount

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        if self.amount.unit != self.currency:
            raise ValueError("currency and the amount's unit should be the same")
        return self


class _Cost(_InCurrency):
    kind: Annotated[str, Field(min_length=1)]


class _CostIn(_InCurrency):
    rates: list[str]


class _Link(_Told):
    source: str
    id: str
    recorded_at: _Instant


class _Run(_Told):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]  # it may name a file
    name: str
    project: str
    tags: dict[str, str]
    status: Literal["running", "completed", "failed", "cancelled", "abandoned"]
    started_at: _Instant
    ended_at: _Instant | None
    duration_s: _Size
    exit_code: int | None
    nodes: Annotated[list[str], Field(min_length=1)]
    links: list[_Link] = []


class _Components(_Told):
    gpu: _Joules
    cpu: _Joules
    ram: _Joules
    hosted: _Joules


class _Device(_Told):
    id: str
    component: Annotated[Component, Field(strict=False)] | None
    name: str | None
    energy: _Joules
    coverage: _Share
    method: _Method
    simulated: bool


class _PartEnergy(_Told):
    it: _Joules
    facility: _Joules | None
    by_component: _Components
    measured_share: _Share
    unattributed_share: _Share


class _Energy(_PartEnergy):
    devices: list[_Device]


class _Budget(_Told):
    unit: Annotated[str, Field(pattern=r"^(kWh|kgCO2e|[A-Z]{3})$")]
    amount: Annotated[_Money, AfterValidator(_is_positive)]
    stop: bool


class _Notice(_Told):
    code: str
    severity: Annotated[Severity, Field(strict=False)]
    text: str
    device: str | None


class _Equivalent(_Told):
    kind: str
    value: _Number
    factor: str


class _Factor(_Told):
    id: str
    kind: Annotated[str, Field(min_length=1)]
    scope: str
    value: _Number | _Money
    low: _Number | _Money
    high: _Number | _Money
    unit: str
    method: _Method
    source: str
    source_date: str | None
    valid_from: _Instant | None
    valid_to: _Instant | None
    recorded_at: _Instant
    share: _Share | None = None


class _Price(_Told):
    id: str
    recorded_at: _Instant | None = None


class _Usage(_Told):
    provider: str
    model: str
    meter: str
    quantity: _Number | str


class _Inference(_Told):
    provider: str
    model: str
    factors: list[str]


class _Steps(_Told):
    count: _Count
    trainings: _Count = 1
    median_j: _Size
    p95_j: _Size


class _Spent(_Told):
    duration_s: _Size
    energy: _Joules
    share: _Share


class _Epoch(_Spent):
    training: _Count = 1
    epoch: _Count
    to: _Size


class _Phase(_Spent):
    phase: str
    times: _Count


class _Estimate(_Told):
    tier: _Count
    low_j: _Size
    mid_j: _Size | None
    high_j: _Size
    booked: bool
    reason: str


class _PerMillion(_Told):
    currency: str
    value: Annotated[str, Field(pattern=r"^\d{1,18}(\.\d{1,30})?$")]


class _BreakEven(_Told):
    break_even_requests: _Size
    requests: _Count


class _Job(_Told):
    provider: str
    job_id: str
    base_model: str
    training: str | None
    adapter: str | None
    tuned_model: str | None
    status: str
    estimates: list[_Estimate]
    cost_per_million_trained_tokens: list[_PerMillion]
    break_even: list[_BreakEven]


class _Change(_Told):
    path: str


class _Statement(_Told):
    number: _Count
    sha256: str
    issued_at: _Instant
    method_version: str
    made_by: str
    replaces: _Count | None
    reason: str | None = None
    difference: list[_Change] = []


class _Carbon(_Told):
    location: _Grams | None
    market: _Grams | None
    overhead: _Grams | None
    tnd: _Grams | None
    embodied: _Grams | None
    embodied_board: _Grams | None = None
    embodied_server: _Grams | None = None
    market_default: _Grams | None = None


class _Figures(_Told):
    """What documents and their parts have."""

    run: _Run
    cost: list[_Cost]
    cost_in: _CostIn | None = None
    carbon: _Carbon
    water: _Litres | None
    as_of: _Instant
    coverage: _Share
    per: dict[str, _Joules]
    steps: _Steps | None = None
    epochs: list[_Epoch] = []
    phases: list[_Phase] = []
    budgets: list[_Budget] = []
    simulated: bool


class _Part(_Figures):
    energy: _PartEnergy
    usage: list[_Usage] = []
    inference: list[_Inference] = []
    devices: _Count
    sha256: str

    @model_validator(mode="after")
    def _of_one_node(self) -> Self:
        if len(self.run.nodes) > 1:
            raise ValueError("a part should be of one node")
        return self


class _Document(_Figures):
    energy: _Energy
    usage: list[_Usage]
    prices: list[_Price]
    factors: list[_Factor]
    notices: list[_Notice]
    equivalents: list[_Equivalent] = []
    inference: list[_Inference] = []
    hosted: _Job | None = None
    statement: _Statement | None = None
    parts: Annotated[list[_Part], Field(min_length=2)] = Field(default=[], validate_default=False)

    @model_validator(mode="after")
    def _nodes_are_the_parts(self) -> Self:
        of_parts = [node for part in self.parts for node in part.run.nodes]
        if self.parts and of_parts != self.run.nodes:
            raise ValueError("run.nodes should be those of parts, in their order")
        if not self.parts and len(self.run.nodes) > 1:
            raise ValueError("without parts run.nodes should be one")
        return self


DOCUMENT = TypeAdapter(_Document)
"""Checks a run document."""
