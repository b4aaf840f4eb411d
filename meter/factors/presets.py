"""Named assumptions about a site: PUE, WUE and grid losses that nobody measured there."""

from __future__ import annotations

from difflib import get_close_matches

from meter.config import Banded, Origin
from meter.errors import FactorError
from meter.factors.sheets import PRESETS, Fact, sheet

_OFFERED = 3


def presets(kind: str) -> dict[str, Fact]:
    """The presets of ``pue``, ``wue`` or ``tnd_loss``, by name."""
    return {fact.item: fact for fact in sheet(PRESETS) if fact.kind == kind and fact.item}


def preset(kind: str, name: str) -> Banded:
    """A preset's value with its bounds and where it is from.

    Raises FactorError, with the nearest names, for an unknown one.
    """
    known = presets(kind)
    fact = known.get(name.casefold().strip().replace(" ", "-").replace("_", "-"))
    if fact is None:
        near = get_close_matches(name.casefold(), known, n=_OFFERED, cutoff=0.4) or sorted(known)
        raise FactorError(
            f"there is no preset {name[:40]!r}", f"give a number, or one of {', '.join(near)}"
        )
    told = f"preset {fact.item}, an assumption" + (f": {fact.detail}" if fact.detail else "")
    origin = Origin(fact.source, fact.source_date, fact.licence, told)
    return Banded(fact.value, fact.low, fact.high, origin)
