"""What was billed beside what was computed from usage and prices, and why they differ; pure.

A row is a line of a bill (a meter of a model, or a line item that stands for no known meter) of one
project in one currency, on one UTC day, or on the days of a charge that spans several. Every amount
is in exactly one row, so the rows' differences add up to billed minus computed, to the digit.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from meter.hosted_facts import Meter
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

DAY_US = 24 * US_PER_HOUR
ROUNDING = Decimal("0.005")
"""Half a cent: what an amount that is billed in cents can differ by."""
WITHIN = Decimal("0.005")
"""Part of what was billed that a difference may be to pass for none."""
_NOTHING = Decimal(0)


class Reason(StrEnum):
    """Why billed and computed differ, or that they do not."""

    EXACT = "exact"
    ROUNDING = "rounding"
    WITHIN = "within"
    NEIGHBOURING_DAY = "neighbouring_day"
    WHOLE_DAY = "whole_day"
    UNPRICED = "unpriced"
    UNCOUNTED = "uncounted"
    OTHER_CURRENCY = "other_currency"
    CREDIT = "credit"
    NOTHING_COMPUTED = "nothing_computed"
    NOTHING_BILLED = "nothing_billed"
    LINE_ITEM_UNKNOWN = "line_item_unknown"
    DIFFERS = "differs"

    @property
    def explained(self) -> bool:
        """Whether the difference has a cause that is known."""
        return self not in {Reason.LINE_ITEM_UNKNOWN, Reason.DIFFERS}


class Billed(NamedTuple):
    """What was billed for a line item in a span."""

    start_us: int
    end_us: int
    provider: str
    project: str
    line_item: str
    model: str | None
    currency: str
    amount: Decimal
    charges: int = 1
    credits: int = 0


class Computed(NamedTuple):
    """Usage of a meter on a day; without currency what no price is known for."""

    day_us: int
    provider: str
    project: str
    model: str
    meter: str
    currency: str | None
    amount: Decimal | None
    quantity: Decimal | None = None
    price_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """How bills and usage call the same: model and meter of a line item, a model on bills."""

    metered: Callable[[str, str, str | None], tuple[str | None, str] | None]
    billed_as: Callable[[str, str], str]


class Line(NamedTuple):
    """What is compared: a meter, of one model or of all; or a line item of no known meter."""

    provider: str
    project: str
    model: str | None
    meter: str | None
    line_item: str | None = None

    def text(self) -> str:
        """As people read it."""
        if self.line_item is not None:
            return self.line_item
        return f"{self.model}, {self.meter}" if self.model else f"{self.meter}, all models"


@dataclass(slots=True)
class Row:
    """A line in its days, ``end_us`` being the day after; None is nothing told."""

    start_us: int
    end_us: int
    line: Line
    currency: str
    billed: Decimal | None = None
    computed: Decimal | None = None
    charges: int = 0
    credits: int = 0
    reason: Reason = Reason.DIFFERS
    missing: tuple[str, ...] = ()  # prices, of an unknown line a hint; of an uncounted one, models
    price_ids: frozenset[str] = frozenset()  # that the computed amount stands on

    @property
    def difference(self) -> Decimal:
        """Billed minus computed."""
        return (self.billed or _NOTHING) - (self.computed or _NOTHING)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Usage of a day that no price is known for."""

    day_us: int
    line: Line
    model: str
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All rows in the order of their days, and usage without a price.

    ``uncounted`` is usage that was told without its amount: no price could help.
    """

    rows: tuple[Row, ...]
    unpriced: tuple[Unpriced, ...]
    uncounted: tuple[Unpriced, ...] = ()


def reconciled(
    billed: Sequence[Billed], computed: Sequence[Computed], names: Names
) -> Reconciliation:
    """Compare what was billed with what was computed."""
    lines = _Lines(billed, names)
    rows = _rows(billed, computed, lines)
    without = [
        Unpriced(one.day_us, lines.of_usage(one), one.model, one.quantity)
        for one in computed
        if one.currency is None
    ]
    unpriced = tuple(one for one in without if one.line.meter != Meter.UNKNOWN)
    uncounted = tuple(one for one in without if one.line.meter == Meter.UNKNOWN)
    _explain(rows, _Others(rows, unpriced, uncounted))
    return Reconciliation(tuple(rows), unpriced, uncounted)


class _Lines:
    """Which line a charge and which a usage belongs to.

    Where a project is billed for a meter of all models at once, its models are one line.
    """

    def __init__(self, billed: Iterable[Billed], names: Names) -> None:
        self._names = names
        self._whole = {
            (one.provider, one.project, found[1])
            for one in billed
            if (found := names.metered(one.provider, one.line_item, one.model)) and found[0] is None
        }

    def of_charge(self, one: Billed) -> Line:
        """The line of a charge."""
        found = self._names.metered(one.provider, one.line_item, one.model)
        if found is None:
            return Line(one.provider, one.project, None, None, one.line_item)
        return self._line(one.provider, one.project, *found)

    def of_usage(self, one: Computed) -> Line:
        """The line of usage."""
        model = self._names.billed_as(one.provider, one.model)
        return self._line(one.provider, one.project, model, one.meter)

    def _line(self, provider: str, project: str, model: str | None, meter: str) -> Line:
        whole = (provider, project, meter) in self._whole
        return Line(provider, project, None if whole else model, meter)


def _rows(billed: Sequence[Billed], computed: Sequence[Computed], lines: _Lines) -> list[Row]:
    """Each amount in one row: charges in their days, usage in the row that has its day."""
    charges: dict[tuple[Line, str], list[Billed]] = defaultdict(list)
    for one in billed:
        charges[lines.of_charge(one), one.currency].append(one)
    rows: dict[tuple[Line, str], list[Row]] = {}
    for (line, currency), found in charges.items():
        rows[line, currency] = list(_spans(line, currency, found))
    for use in computed:
        if use.currency is not None and use.amount is not None:
            row = _row_at(rows.setdefault((lines.of_usage(use), use.currency), []), use, lines)
            row.computed = (row.computed or _NOTHING) + use.amount
            row.price_ids |= set(use.price_ids)
    found_rows = [row for of_line in rows.values() for row in of_line]
    return sorted(found_rows, key=lambda row: (row.start_us, row.end_us, _order(row)))


def _order(row: Row) -> tuple[str, ...]:
    line = row.line
    return (line.provider, line.project, row.currency, line.text())


def _spans(line: Line, currency: str, charges: list[Billed]) -> Iterator[Row]:
    """Rows of whole days; charges whose days overlap share one."""
    row: Row | None = None
    for one in sorted(charges, key=lambda one: (one.start_us, one.end_us)):
        start_us = one.start_us - one.start_us % DAY_US
        end_us = one.end_us + -one.end_us % DAY_US
        if row is None or start_us >= row.end_us:
            if row is not None:
                yield row
            row = Row(start_us, end_us, line, currency, _NOTHING)
        row.end_us = max(row.end_us, end_us)
        row.billed = (row.billed or _NOTHING) + one.amount
        row.charges += one.charges
        row.credits += one.credits
    if row is not None:
        yield row


def _row_at(rows: list[Row], use: Computed, lines: _Lines) -> Row:
    for row in rows:
        if row.start_us <= use.day_us < row.end_us:
            return row
    row = Row(use.day_us, use.day_us + DAY_US, lines.of_usage(use), use.currency or "")
    rows.append(row)
    return row


# -- why they differ ----------------------------------------------------------------------------


def agreement(billed: Decimal, computed: Decimal) -> Reason | None:
    """How far two amounts agree; None if they do not."""
    off = abs(billed - computed)
    if off == 0:
        return Reason.EXACT
    if (billed == 0) != (computed == 0):
        return None
    if off <= ROUNDING and billed == round(billed, 2):
        return Reason.ROUNDING
    return Reason.WITHIN if off <= WITHIN * abs(billed) else None


@dataclass(slots=True)
class _Sum:
    """Rows of one span that are compared together."""

    start_us: int
    end_us: int
    rows: list[Row] = field(default_factory=list)

    @property
    def billed(self) -> Decimal:
        return sum((row.billed or _NOTHING for row in self.rows), _NOTHING)

    @property
    def computed(self) -> Decimal:
        return sum((row.computed or _NOTHING for row in self.rows), _NOTHING)

    def agrees(self) -> bool:
        """Whether both sides of all rows together agree."""
        return agreement(self.billed, self.computed) is not None

    def explains(self) -> bool:
        """Whether they agree and are not money and money back alone, of which no usage is told."""
        differing = [row for row in self.rows if row.reason is Reason.DIFFERS]
        used = any(row.computed for row in differing)
        signs = {(row.billed or _NOTHING) > 0 for row in differing if row.billed}
        return self.agrees() and (used or len(signs) < 2)


def _explain(rows: Sequence[Row], others: _Others) -> None:
    """Give each row its reason, the narrowest first."""
    for row in rows:
        if row.billed is not None and row.computed is not None:
            row.reason = agreement(row.billed, row.computed) or Reason.DIFFERS
    _neighbours(rows, lambda row: (row.line, row.currency))
    days = _sums(rows, _payer)
    for sums in days.values():
        for one in sums:
            if len(one.rows) > 1 and one.explains():
                _mark(one, Reason.WHOLE_DAY)
    _neighbours(rows, _payer)
    for row in rows:
        if row.reason is Reason.DIFFERS:
            row.reason, row.missing = others.reason(row)


def _payer(row: Row) -> tuple[object, ...]:
    return (row.line.provider, row.line.project, row.currency)


def _sums(
    rows: Iterable[Row], key: Callable[[Row], tuple[object, ...]]
) -> dict[tuple[object, ...], list[_Sum]]:
    """Sums of equal spans by what the key groups, in their order."""
    found: dict[tuple[object, ...], dict[tuple[int, int], _Sum]] = defaultdict(dict)
    for row in rows:
        span = row.start_us, row.end_us
        found[key(row)].setdefault(span, _Sum(*span)).rows.append(row)
    return {name: [sums[span] for span in sorted(sums)] for name, sums in found.items()}


def _neighbours(rows: Sequence[Row], key: Callable[[Row], tuple[object, ...]]) -> None:
    """Days that agree only together: a job across midnight is billed on one of them."""
    for sums in _sums(rows, key).values():
        before: _Sum | None = None
        for one in sums:
            if one.agrees() or all(row.reason is not Reason.DIFFERS for row in one.rows):
                before = None
                continue
            together = None if before is None else _Sum(0, 0, before.rows + one.rows)
            adjacent = before is not None and before.end_us == one.start_us
            if adjacent and together is not None and together.explains():
                _mark(together, Reason.NEIGHBOURING_DAY)
                before = None
            else:
                before = one


def _mark(one: _Sum, reason: Reason) -> None:
    for row in one.rows:
        if row.reason is Reason.DIFFERS:
            row.reason = reason


class _Others:
    """What else was told of a row's line and payer: why a row agrees with nothing."""

    def __init__(
        self, rows: Iterable[Row], unpriced: Iterable[Unpriced], uncounted: Iterable[Unpriced]
    ) -> None:
        self._of_line: dict[Line, list[Row]] = defaultdict(list)
        self._of_payer: dict[tuple[object, ...], list[Row]] = defaultdict(list)
        self._unpriced: dict[tuple[str, str], list[Unpriced]] = defaultdict(list)
        for row in rows:
            self._of_line[row.line].append(row)
            self._of_payer[_payer(row)].append(row)
        for one in unpriced:
            self._unpriced[one.line.provider, one.line.project].append(one)
        self._uncounted: dict[tuple[str, str], list[Unpriced]] = defaultdict(list)
        for one in uncounted:
            self._uncounted[one.line.provider, one.line.project].append(one)

    def reason(self, row: Row) -> tuple[Reason, tuple[str, ...]]:
        """The reason, and the prices that are missing, or the models that were not counted.

        What else was used explains no line of which nobody knows what it is: there a missing price
        is a hint.
        """
        if row.difference > 0:
            known = row.line.meter is not None
            missing, uncounted = self._missing(row), self._not_counted(row)
            if missing:
                return (Reason.UNPRICED if known else Reason.LINE_ITEM_UNKNOWN), missing
            if uncounted:
                return (Reason.UNCOUNTED, uncounted) if known else (Reason.LINE_ITEM_UNKNOWN, ())
        beside = [one for one in self._of_line[row.line] if one.currency != row.currency]
        if row.computed is None:
            if row.credits == row.charges:
                return Reason.CREDIT, ()
            if any(one.computed is not None and _meet(one, row) for one in beside):
                return Reason.OTHER_CURRENCY, ()
            known = row.line.meter is not None or not self._computed_beside(row)
            return (Reason.NOTHING_COMPUTED if known else Reason.LINE_ITEM_UNKNOWN), ()
        if row.billed is None:
            other = any(one.billed is not None and _meet(one, row) for one in beside)
            return (Reason.OTHER_CURRENCY if other else Reason.NOTHING_BILLED), ()
        return Reason.DIFFERS, ()

    def _computed_beside(self, row: Row) -> bool:
        rows = self._of_payer[_payer(row)]
        return any(one.computed is not None and _meet(one, row) for one in rows)

    def _missing(self, row: Row) -> tuple[str, ...]:
        """Prices that usage of the line lacks in its days; for an unknown line, of its payer."""
        found = {
            f"{one.model}, {one.line.meter}"
            for one in self._unpriced[row.line.provider, row.line.project]
            if row.start_us <= one.day_us < row.end_us
            and (row.line.meter is None or one.line == row.line)
        }
        return tuple(sorted(found))

    def _not_counted(self, row: Row) -> tuple[str, ...]:
        """Models of the line that were used in its days without saying how much."""
        found = {
            one.model
            for one in self._uncounted[row.line.provider, row.line.project]
            if row.start_us <= one.day_us < row.end_us and row.line.model in {None, one.line.model}
        }
        return tuple(sorted(found))


def _meet(one: Row, other: Row) -> bool:
    return one.start_us < other.end_us and other.start_us < one.end_us
