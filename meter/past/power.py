"""Power of one GPU: as stated, or of its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.past.amounts import Range, band

if TYPE_CHECKING:
    from meter.config import Banded


@dataclass(frozen=True, slots=True)
class Power:
    """Mean power of one GPU in W, the GPU's name if it is known, and how the power is known."""

    watts: Banded
    gpu: str | None
    told: str


def power_of(watts: str | None, gpu: str | None, kind: Range) -> Power:
    """The power that is stated; raises UsageError for none, two, or an unknown GPU."""
    if watts is not None and gpu is not None:
        raise UsageError("watts and gpu are both given", "give one of them")
    if watts is not None:
        found = band(watts, kind)
        return Power(found, None, f"{_shown(found)} W for each GPU")
    raise UsageError("the power of a GPU is not known", "give watts")


def _shown(watts: Banded) -> str:
    if watts.low == watts.high:
        return f"{watts.value:f}"
    return f"{watts.value:f} ({watts.low:f} to {watts.high:f})"
