"""Other GPUs for a run: how its time and energy scale, by peak compute and by power."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import TYPE_CHECKING

from meter.errors import UsageError
from meter.model import Component, FactorKind
from meter.whatif.profile import Ratio, Replacement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from meter.model import Factor

_OFFERED = 4
_ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A model's peak compute and its power."""

    name: str
    compute: Factor  # TFLOPS
    power: Factor  # W

    @property
    def factors(self) -> tuple[Factor, Factor]:
        """The rows that say so."""
        return self.compute, self.power


class Catalogue:
    """GPU models by the parts of names that factor rows state."""

    def __init__(self, factors: Iterable[Factor]) -> None:
        self._compute: dict[str, Factor] = {}
        self._power: dict[str, Factor] = {}
        books = {FactorKind.GPU_COMPUTE: self._compute, FactorKind.GPU_POWER: self._power}
        ordered = sorted(factors, key=lambda one: (one.rank, one.recorded_us, one.id))
        for factor in ordered:
            if factor.kind in books and factor.item:
                books[factor.kind][factor.item] = factor

    def of_device(self, name: str) -> Gpu:
        """The model of a device by its full name; the longest part of it that is known.

        Raises UsageError if none is.
        """
        found = self._find(name)
        if found is None:
            raise UsageError(
                f"peak compute and power of the run's {name[:60]!r} are not in the books",
                "import a gpu_compute and a gpu_power row for it",
            )
        return found

    def named(self, text: str) -> Gpu:
        """The model that a person means. Raises UsageError with the nearest names."""
        found = self._find(text)
        if found is not None:
            return found
        key = text.casefold()
        names = self._names()
        within = [name for name in names if key and key in name.casefold()]
        if len(within) == 1 and (found := self._find(within[0])) is not None:
            return found
        near = within or get_close_matches(key, [one.casefold() for one in names], _OFFERED, 0.4)
        shown = [name for name in names if name.casefold() in {one.casefold() for one in near}]
        offer = f"did you mean {' or '.join(shown[:_OFFERED])}?" if shown else self._some()
        raise UsageError(f"there is no GPU {text[:40]!r} in the books", offer)

    def _some(self) -> str:
        names = self._names()
        return f"give one of {', '.join(names)}" if names else "import gpu_compute and gpu_power"

    def _names(self) -> list[str]:
        """Names of models of which both figures are known."""
        items = {*self._compute, *self._power}
        return sorted(name for name in items if self._find(name) is not None)

    def _find(self, name: str) -> Gpu | None:
        compute, power = _longest(self._compute, name), _longest(self._power, name)
        if compute is None or power is None:
            return None
        items = (str(compute.item), str(power.item))
        return Gpu(max(items, key=lambda item: (len(item), item)), compute, power)


def _longest(book: Mapping[str, Factor], name: str) -> Factor | None:
    known = [item for item in book if _within(item, name)]
    found = book[max(known, key=lambda item: (len(item), item))] if known else None
    return found if found is not None and found.value else None


def _within(item: str, name: str) -> bool:
    """Whether an item is whole words of a name: ``A10`` is no A100."""
    words = rf"(?<![A-Za-z0-9]){re.escape(item)}(?![A-Za-z0-9])"
    return re.search(words, name, re.IGNORECASE) is not None


def replacements(
    devices: Mapping[str, Mapping[str, str]], model: str, catalogue: Catalogue
) -> tuple[dict[str, Replacement], Gpu, dict[str, Gpu]]:
    """What takes each GPU's place, by device id; the new model, and the old ones by their name.

    Raises UsageError for a model that is not known, or a run without a GPU.
    """
    new = catalogue.named(model)
    old = {
        device_id: catalogue.of_device(device["name"])
        for device_id, device in devices.items()
        if device["component"] == Component.GPU
    }
    if not old:
        raise UsageError("the run used no GPU", "leave --gpu out")
    found = {device_id: replacement(one, new) for device_id, one in old.items()}
    return found, new, {one.name: one for one in old.values()}


def replacement(old: Gpu, new: Gpu) -> Replacement:
    """A model in place of another, as far as peak figures tell.

    The value takes the time to go with peak compute and the power with the boards' power. The
    bounds hold too a job that gets no faster, and one that needs the same energy as before.
    """
    if _same(old, new):
        same = Ratio(_ONE, _ONE, _ONE)
        return Replacement(same, same)
    time, power = _ratio(old.compute, new.compute), _ratio(new.power, old.power)
    low = min(_ONE, power.low, time.low * power.low)
    high = max(_ONE, power.high, time.high * power.high)
    return Replacement(
        time=Ratio(min(_ONE, time.low), time.value, max(_ONE, time.high)),
        energy=Ratio(low, time.value * power.value, high),
    )


def _same(old: Gpu, new: Gpu) -> bool:
    return [one.id for one in old.factors] == [one.id for one in new.factors]


def _ratio(over: Factor, under: Factor) -> Ratio:
    low, value, high = _parts(over)
    least, middle, most = _parts(under)
    return Ratio(low / most, value / middle, high / least)


def _parts(factor: Factor) -> tuple[Fraction, Fraction, Fraction]:
    parts: tuple[Decimal | None, ...] = (factor.low, factor.value, factor.high)
    low, value, high = (Fraction(part or 1) for part in parts)
    return low, value, high
