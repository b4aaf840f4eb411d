"""Power of one GPU: as stated, or of its model."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from meter.config import Banded
from meter.errors import UsageError
from meter.factors.bundled import gpu_fact, hardware_factors, shown
from meter.model import FactorKind
from meter.past.amounts import band

if TYPE_CHECKING:
    from meter.model import Factor
    from meter.past.amounts import Range

_OFFERED = 4


@dataclass(frozen=True, slots=True)
class Power:
    """Mean power of one GPU in W, the GPU's name if it is known, and how the power is known."""

    watts: Banded
    gpu: str | None
    told: str
    fact: Factor | None = None


def power_of(watts: str | None, gpu: str | None, kind: Range) -> Power:
    """The power that is stated; raises UsageError for none, two, or an unknown GPU."""
    if watts is not None and gpu is not None:
        raise UsageError("watts and gpu are both given", "give one of them")
    if watts is not None:
        found = band(watts, kind)
        return Power(found, None, f"{shown(found)} W for each GPU")
    if gpu is None:
        raise UsageError("the power of a GPU is not known", "give watts, or the model as gpu")
    return _of_model(gpu)


def _of_model(gpu: str) -> Power:
    """The limit of the model's board, between those of its variants."""
    fact = gpu_fact(FactorKind.GPU_POWER, gpu, 0)
    if (
        fact is None
        or fact.item is None
        or fact.value is None
        or fact.low is None
        or fact.high is None
    ):
        raise UsageError(f"there is no power for the GPU {gpu[:40]!r}", _offer(gpu))
    watts = Banded(fact.value, fact.low, fact.high)
    told = (
        f"{shown(watts)} W for each GPU, the power limit of the {fact.item} ({fact.source}, "
        f"{fact.source_date}): a run may draw less"
    )
    return Power(watts, gpu if fact.item in gpu else fact.item, told, fact)


def _offer(gpu: str) -> str:
    known = {
        row.item.casefold(): row.item
        for row in hardware_factors(0)
        if row.kind is FactorKind.GPU_POWER and row.item
    }
    near = get_close_matches(gpu.casefold(), known, n=_OFFERED, cutoff=0.4)
    names = [known[name] for name in near]
    return f"did you mean {' or '.join(names)}? Else give watts" if names else "give watts"
