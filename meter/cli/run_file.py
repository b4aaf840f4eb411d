"""Run documents in files: whole, of this version, with numbers that are numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from meter.document import SCHEMA
from meter.errors import UsageError
from meter.figures import printable
from meter.instants import parse_us
from meter.model import Method  # noqa: TC001 - pydantic looks at it while running
from meter.several_nodes import Given

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 64 * 1024 * 1024
_REMEDY = "give what --summary-json, `meter show --json` or `meter report -o FILE.json` writes"

_Number = Annotated[float, Field(strict=True, ge=-1e18, le=1e18)]  # no infinity, no NaN
_Money = Annotated[str, Field(pattern=r"^-?\d{1,18}\.\d{2,9}$")]
_Share = Annotated[_Number, Field(ge=0, le=1)]
_Rows = list[dict[str, Any]]


class _Told(BaseModel):
    """Something in a document of which more may be told than is looked at."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Quantity(_Told):
    value: _Number
    low: _Number
    high: _Number
    unit: Literal["J", "g", "L"]
    method: Annotated[Method, Field(strict=False)]


class _Amount(_Told):
    value: _Money
    low: _Money
    high: _Money
    unit: str
    method: Annotated[Method, Field(strict=False)]


class _Cost(_Told):
    kind: str
    currency: str
    amount: _Amount


class _CostIn(_Told):
    currency: str
    amount: _Amount
    rates: list[str]


class _Link(_Told):
    source: str
    id: str
    recorded_at: str


class _Run(_Told):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]  # it may name a file
    name: str
    project: str
    tags: dict[str, str]
    status: str
    started_at: str
    ended_at: str | None
    duration_s: Annotated[_Number, Field(ge=0)]
    exit_code: int | None
    nodes: Annotated[list[str], Field(min_length=1)]
    links: list[_Link] = []


class _Components(_Told):
    gpu: _Quantity
    cpu: _Quantity
    ram: _Quantity
    hosted: _Quantity


class _Device(_Told):
    id: str
    component: str | None
    name: str | None
    energy: _Quantity
    coverage: _Share
    method: str
    simulated: bool


class _PartEnergy(_Told):
    it: _Quantity
    facility: _Quantity | None
    by_component: _Components
    measured_share: _Share
    unattributed_share: _Share


class _Energy(_PartEnergy):
    devices: list[_Device]


class _Budget(_Told):
    unit: str
    amount: _Money
    stop: bool


class _Notice(_Told):
    code: str
    severity: str
    text: str
    device: str | None


class _Equivalent(_Told):
    kind: str
    factor: str


class _Factor(_Told):
    id: str
    value: _Number | _Money


class _Price(_Told):
    id: str


class _Figures(_Told):
    """What documents and their parts have."""

    run: _Run
    cost: list[_Cost]
    cost_in: _CostIn | None = None
    carbon: dict[str, _Quantity | None]
    water: _Quantity | None
    as_of: str
    coverage: _Share
    per: dict[str, _Quantity]
    budgets: list[_Budget] = []
    simulated: bool


class _Part(_Figures):
    energy: _PartEnergy
    devices: Annotated[int, Field(ge=0)]
    sha256: str


class _Document(_Figures):
    energy: _Energy
    usage: _Rows
    prices: list[_Price]
    factors: list[_Factor]
    notices: list[_Notice]
    equivalents: list[_Equivalent] = []
    inference: _Rows = []
    parts: Annotated[list[_Part], Field(min_length=2)] = Field(default=[], validate_default=False)


_DOCUMENT = TypeAdapter(_Document)


def read_run(name: str) -> Given:
    """The document in a file; raises UsageError for what is none."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name} cannot be read ({reason})", "name another file") from None
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{name} has more than {_MOST_BYTES} bytes", _REMEDY)
    try:
        document = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is no JSON", _REMEDY) from None
    return Given(name, _checked(name, document))


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _checked(name: str, document: Any) -> Mapping[str, Any]:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise UsageError(f"{name} is no run document {SCHEMA}", _REMEDY)
    try:
        told = _DOCUMENT.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = printable(".".join(map(str, first["loc"])))
        raise UsageError(f"{name}: {where}: {first['msg']}", _REMEDY) from None
    for each in (told, *told.parts):
        instants = (each.as_of, each.run.started_at, each.run.ended_at)
        for text in (*instants, *(link.recorded_at for link in each.run.links)):
            if text is not None:
                parse_us(text, f"{name}: an instant")
    checked: Mapping[str, Any] = document
    return checked
