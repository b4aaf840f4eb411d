"""How many parameters a token of a base model passes through; pure."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.hosted.constants import Band
from meter.model import FactorKind

if TYPE_CHECKING:
    from meter.hosted.constants import Constants
    from meter.hosted_facts import HostedJob

_MOST_B = 100_000
_SIZE = re.compile(r"(?<![a-z0-9.])(a?)(\d{1,4}(?:\.\d{1,3})?)b(?![a-z0-9])")
_VERSION = (
    r"(-(\d{4}(-\d{2}-\d{2})?|latest|instruct|chat|base|hf|v\d+(\.\d+)?|\d+k|\d{2}-\d{4}|it))*"
)


def parameters_of(job: HostedJob, constants: Constants) -> tuple[Band, str] | None:
    """Billions of parameters of a job's base model, and where they are from.

    What the provider told goes first, then the factor rows, then the model's own name.
    """
    if job.parameters_b is not None and 0 < job.parameters_b <= _MOST_B:
        return _exactly(Fraction(job.parameters_b)), "as the provider tells"
    for item in sorted(constants.items(FactorKind.MODEL_PARAMETERS), key=len, reverse=True):
        if _names(item, job.base_model):
            band = constants.find(FactorKind.MODEL_PARAMETERS, job.provider, item)
            if band is not None:
                return band, "as the books say"
    named = billions_in(job.base_model)
    return (_exactly(named), "as the model's name says") if named else None


def billions_in(name: str) -> Fraction | None:
    """The size that an open model's name tells, active parameters before all: ``30B-A3B`` is 3.

    None where it tells none, or of experts (``8x7B``), whose sum is not told.
    """
    found = _SIZE.findall(name.rpartition("/")[2].casefold())
    active = [size for mark, size in found if mark]
    sizes = active or [size for _, size in found]
    return Fraction(sizes[0]) or None if len(sizes) == 1 else None


def _names(item: str, model: str) -> bool:
    """Whether a model is this one: a version of it may follow, another model's name may not."""
    name = model.rpartition("/")[2].casefold()
    return re.fullmatch(rf"{re.escape(item.casefold())}{_VERSION}", name) is not None


def _exactly(number: Fraction) -> Band:
    return Band(number, number, number)
