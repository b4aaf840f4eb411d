"""Fireworks' table of metered quantities: usage, since it has no amounts; pure.

Source: docs.fireworks.ai, "Exporting Billing Metrics": a row for each use. The account's e-mail
address is not kept. A row with GPU time is billed by it, so its tokens are told beside, not
counted. Which words stand for training in ``usage_type`` is not documented. Training is priced by
the size of the model, which a row tells, and by its sort, which is read from the word.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.faults import Fault, shown
from meter.hosted.bills.rows import BillError, derived_id
from meter.hosted.bills.tables import table_rows
from meter.hosted.bills.wanted import Sheet, Wanted
from meter.hosted.bounds import PARAMETERS, Bound
from meter.hosted.models import base_model
from meter.hosted.normalised import USAGE_TYPE_GUESSED
from meter.hosted.parameters import billions_in
from meter.hosted_facts import FIREWORKS_METRICS, Meter, Quantity, Training, Usage, as_told
from meter.instants import parse_us

if TYPE_CHECKING:
    from meter.hosted.bills.rows import BillRow

HEADER = frozenset({"usage_type", "accelerator_seconds", "prompt_tokens", "completion_tokens"})
SOURCE = FIREWORKS_METRICS
_TRAINING = ("TRAIN", "TUNING", "TUNED")
_SORTS = MappingProxyType({
    "SFT": Training.SFT, "SUPERVISED": Training.SFT, "DPO": Training.DPO,
    "RFT": Training.RFT, "REINFORCEMENT": Training.RFT,
})  # fmt: skip
_ABOUT = (
    "start_time", "end_time", "usage_type", "accelerator_type", "accelerator_seconds",
    "base_model_name", "model_bucket", "parameter_count", "prompt_tokens", "completion_tokens",
)  # fmt: skip
_MOST = Bound.below(10**12)
_BILLION = Decimal(10) ** 9
_CHARS = 200
_NOTICE = (
    "Fireworks' metrics have no amounts: they are taken as usage. "
    "The same requests told from elsewhere as well would count twice."
)


def sheet(text: str, wanted: Wanted) -> Sheet:
    """Usage of a table; rows that are alike are told apart by their number. Raises BillError."""
    faults: list[Fault] = []
    seen: Counter[str] = Counter()
    usages = []
    for index, row in enumerate(table_rows(text)):
        before = len(faults)
        about = derived_id(*(row.cells.get(name) for name in _ABOUT))
        seen[about] += 1
        found = _usages(row, f"{about}-{seen[about]}", wanted, faults)
        usages += found
        if not found and len(faults) == before:
            faults.append(Fault("has neither GPU time nor tokens", index, row.line))
    if faults:
        raise BillError(faults)
    return Sheet(usages=tuple(usages), notices=(_NOTICE,))


def _usages(row: BillRow, row_id: str, wanted: Wanted, faults: list[Fault]) -> list[Usage]:
    """An event for each meter, as an agent takes them: told either way they are the same."""
    before = len(faults)
    kind = _text(row, "usage_type", faults)
    model = _text(row, "base_model_name", faults)
    at_us = _instant(row, faults)
    seconds, prompt, completion = (
        _number(row, name, faults)
        for name in ("accelerator_seconds", "prompt_tokens", "completion_tokens")
    )
    parameters = _number(row, "parameter_count", faults, PARAMETERS)
    if len(faults) > before or kind is None or model is None or at_us is None:
        return []
    training = any(word in kind.upper() for word in _TRAINING)
    told = {"usage_type": kind, "accelerator_type": row.cells.get("accelerator_type")}
    return [
        Usage(
            source=SOURCE,
            id=f"{row_id}:{one.meter.value}",
            at_us=at_us,
            provider=wanted.provider,
            model=model,
            quantities=(one,),
            base_model=base_model(model),
            project=wanted.project_of(None),
            training=_sort(kind) if training else None,
            parameters_b=_billions(parameters, model),
            flags=(USAGE_TYPE_GUESSED,) if training else (),
            told=as_told(told),
        )
        for one in _quantities(seconds, prompt, completion, training=training)
    ]


def _sort(kind: str) -> Training | None:
    """Which training a usage type names; None where it names none, or several."""
    found = {_SORTS[word] for word in kind.upper().split("_") if word in _SORTS}
    return found.pop() if len(found) == 1 else None


def _billions(parameters: Decimal, model: str) -> Decimal | None:
    """Size of a model as far as it is kept; where it is not told, its name may tell it."""
    if parameters:
        return (parameters / _BILLION).quantize(Decimal("1E-6")) or None
    named = billions_in(model)
    return None if named is None else Decimal(named.numerator) / Decimal(named.denominator)


def _quantities(
    seconds: Decimal, prompt: Decimal, completion: Decimal, *, training: bool
) -> tuple[Quantity, ...]:
    if seconds:
        return (Quantity(Meter.GPU_SECOND, seconds),)
    if training:
        tokens = prompt + completion
        return (Quantity(Meter.TRAIN_TOKEN, tokens),) if tokens else ()
    found = (Quantity(Meter.INPUT, prompt), Quantity(Meter.OUTPUT, completion))
    return tuple(one for one in found if one.amount)


def _text(row: BillRow, column: str, faults: list[Fault]) -> str | None:
    found = row.cells.get(column)
    if found is None:
        faults.append(Fault("is missing", None, row.line, column))
    elif len(found) > _CHARS or not found.isprintable():
        faults.append(Fault("is too long, or cannot be printed", None, row.line, column))
    else:
        return found
    return None


def _instant(row: BillRow, faults: list[Fault]) -> int | None:
    """The end of a use, written ``2025-10-20 17:16:48 UTC``; its start where it has no end."""
    column = "end_time" if "end_time" in row.cells else "start_time"
    found = _text(row, column, faults)
    if found is None:
        return None
    try:
        return parse_us(found.removesuffix(" UTC"))
    except UsageError:
        faults.append(Fault(f"{shown(found)} is no instant", None, row.line, column))
        return None


def _number(row: BillRow, column: str, faults: list[Fault], bound: Bound = _MOST) -> Decimal:
    """A quantity from 0, to four places; nothing is 0."""
    text = row.cells.get(column)
    if text is None:
        return Decimal(0)
    try:
        found = Decimal(text) if len(text) <= 30 else None
    except ArithmeticError:
        found = None
    if found is None or not found.is_finite() or bound.fault(found):
        faults.append(Fault(f"{shown(text)} is no quantity", None, row.line, column))
        return Decimal(0)
    return found.quantize(Decimal("1E-4"))
