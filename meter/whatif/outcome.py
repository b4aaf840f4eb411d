"""What a profile amounts to at a place: energy, money and carbon with bounds, exact until the end.

The same lines, products and one rounding as the queries of the run document.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from meter.model import Component, FactorKind, Method
from meter.whatif.place import EXACT, Place, Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.model import Factor
    from meter.whatif.place import Slot
    from meter.whatif.profile import Amount, Profile, Use

_ONE = Decimal(1)
_NANO = Decimal("1E-9")
_MILLI = Decimal("1E-3")

Places = dict[str, Place]
"""The place that stands for each site of a run."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in a document's unit, between its bounds."""

    low: Decimal
    value: Decimal
    high: Decimal
    unit: str
    method: Method


@dataclass(frozen=True, slots=True)
class Cost:
    """Money of one kind in one currency."""

    kind: str
    currency: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run amounts to; ``unpriced``, ``ungridded``, ``without_pue`` and ``unrated``
    count the uses without such a rate, ``worldwide`` those that take the world's mean intensity.

    ``facility`` is None unless every use has a PUE. ``hourly`` of the ``uses`` stand on an
    intensity of their own hour or day.
    """

    it: Quantity
    components: dict[Component, Quantity]
    facility: Quantity | None
    cost: tuple[Cost, ...]
    location: Quantity | None
    overhead: Quantity | None
    factors: tuple[Factor, ...]
    uses: int
    unpriced: int
    ungridded: int
    hourly: int
    without_pue: int = 0
    unrated: int = 0
    worldwide: int = 0

    def total(self, currency: str) -> Quantity | None:
        """All money in one currency; None if there is none."""
        amounts = [one.amount for one in self.cost if one.currency == currency]
        if not amounts:
            return None
        return Quantity(
            sum((one.low for one in amounts), Decimal(0)),
            sum((one.value for one in amounts), Decimal(0)),
            sum((one.high for one in amounts), Decimal(0)),
            currency,
            Method.weakest(one.method for one in amounts),
        )

    @property
    def currencies(self) -> tuple[str, ...]:
        """Currencies of the costs, sorted."""
        return tuple(sorted({one.currency for one in self.cost}))


class _Sum:
    """Exact sums of a value and its bounds, and the weakest method in them."""

    def __init__(self) -> None:
        self.low = self.value = self.high = Decimal(0)
        self.methods: set[Method] = set()

    def add(self, low: Decimal, value: Decimal, high: Decimal, *methods: Method) -> None:
        self.low = EXACT.add(self.low, low)
        self.value = EXACT.add(self.value, value)
        self.high = EXACT.add(self.high, high)
        self.methods.update(methods)

    def plus(self, other: _Sum) -> _Sum:
        both = _Sum()
        for one in (self, other):
            both.add(one.low, one.value, one.high, *one.methods)
        return both

    def quantity(self, unit: str, step: Decimal) -> Quantity:
        low, value, high = (
            EXACT.multiply(EXACT.quantize(part, _ONE), step)
            for part in (self.low, self.value, self.high)
        )
        method = Method.weakest(self.methods) if self.methods else Method.ASSUMED  # zero of nothing
        return Quantity(low, value, high, unit, method)


class _Books:
    """What is being added up."""

    def __init__(self) -> None:
        self.energy = {component: _Sum() for component in Component}
        self.facility = _Sum()
        self.lines: dict[tuple[str, str], _Sum] = {}
        self.factors: dict[str, Factor] = {}
        self.without_pue = self.unpriced = self.ungridded = self.hourly = 0
        self.unrated = self.worldwide = 0

    def take(self, use: Use, slot: Slot) -> None:
        energy = use.energy
        self.energy[use.component].add(*_decimals(energy), use.method)
        for rate in slot.energy:
            self._line(rate, energy, use.method)
        if use.component is Component.GPU:
            for rate in slot.gpu_time:
                self._line(rate, use.held)
        if slot.overhead is None:
            self.without_pue += 1
        else:
            self.facility.add(*_facility(energy, slot.overhead), use.method, slot.overhead.method)
        kinds = {rate.kind for rate in slot.energy}
        self.unpriced += "electricity" not in kinds
        self.ungridded += "location" not in kinds
        self.hourly += slot.hourly
        self.unrated += use.component is Component.GPU and not slot.gpu_time
        self.worldwide += FactorKind.GRID_INTENSITY not in slot.known
        self.factors.update((factor.id, factor) for factor in slot.factors)

    def _line(self, rate: Rate, amount: Amount, *methods: Method) -> None:
        found = self.lines.setdefault((rate.kind, rate.unit), _Sum())
        found.add(*_product(rate, amount), rate.method, *methods)


def priced(profile: Profile, places: Mapping[str, Place]) -> Outcome:
    """What a profile amounts to, each site's part at the place that stands for the site."""
    books = _Books()
    for use in profile.uses:
        books.take(use, places[use.site_id].at(use.at_us))
    it = _Sum()
    for component in Component:
        it = it.plus(books.energy[component])
    location, overhead = (
        books.lines.pop((kind, "g"), None) for kind in ("location", "location_overhead")
    )
    both = location.plus(overhead) if location and overhead else location
    whole = bool(profile.uses) and not books.without_pue
    return Outcome(
        it=it.quantity("J", _MILLI),
        components={
            component: books.energy[component].quantity("J", _MILLI) for component in Component
        },
        facility=books.facility.quantity("J", _MILLI) if whole else None,
        cost=tuple(
            Cost(kind, unit, found.quantity(unit, _NANO))
            for (kind, unit), found in sorted(books.lines.items())
        ),
        location=both.quantity("g", _NANO) if both else None,
        overhead=overhead.quantity("g", _NANO) if overhead else None,
        factors=tuple(books.factors[one] for one in sorted(books.factors)),
        uses=len(profile.uses),
        unpriced=books.unpriced,
        ungridded=books.ungridded,
        hourly=books.hourly,
        without_pue=books.without_pue,
        unrated=books.unrated,
        worldwide=books.worldwide,
    )


def _decimals(amount: Amount) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(amount.low), Decimal(amount.value), Decimal(amount.high)


def _product(rate: Rate, amount: Amount) -> tuple[Decimal, Decimal, Decimal]:
    low, value, high = _decimals(amount)
    ends = [EXACT.multiply(end, side) for end in (low, high) for side in (rate.low, rate.high)]
    return min(ends), EXACT.multiply(value, rate.value), max(ends)


def _facility(amount: Amount, overhead: Rate) -> tuple[Decimal, Decimal, Decimal]:
    low, value, high = _decimals(amount)
    return (
        EXACT.multiply(low, 1 + overhead.low),
        EXACT.multiply(value, 1 + overhead.value),
        EXACT.multiply(high, 1 + overhead.high),
    )
