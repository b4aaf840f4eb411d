"""Rows of a sheet as factors: schema, units, ranges, places, times; all faults at once; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from meter import currencies
from meter.errors import FactorError
from meter.factors.books import HOURLY, IMPORTED_OWN, WORLD, WORLD_SCOPE, YEARLY
from meter.factors.cells import NEXT, Cells, bounds, duplicates
from meter.factors.cloud_regions import PROVIDERS
from meter.factors.market import RANKS
from meter.factors.money_limits import beyond
from meter.factors.row_windows import windows_of
from meter.factors.rows import ROWS, Row, RowsError, refused
from meter.factors.shared_times import SharedTimes
from meter.factors.units import QUANTITIES, basis_of
from meter.factors.zones import zone_of
from meter.faults import Fault, place_of, shown
from meter.instants import instant
from meter.model import Factor, FactorKind, Method
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from meter.factors.units import Quantity

COLUMNS = (
    "kind", "scope", "item", "value", "low", "high", "unit", "currency", "source", "source_date",
    "licence", "valid_from", "valid_to", "windows", "basis", "method", "rank", "share", "detail",
    "book", "recorded_at",
)  # fmt: skip
"""Columns of a sheet of factors."""
EXPORTED = ("id", "status")
"""Columns that an export has besides, and an import does not need."""

BOOK = "import"
_SCOPE_OF = re.compile(r"([a-z0-9]+):([A-Za-z0-9._-]+)")
PAST = "past"
HOSTED = "hosted"
_PROVIDERS = (*PROVIDERS, PAST, HOSTED)
"""Before the colon of a cloud region, ``aws:us-east-1``, of a run that was booked by hand, or of a
provider of hosted models."""

_INTENSITIES = frozenset({
    FactorKind.GRID_INTENSITY, FactorKind.MARGINAL_INTENSITY, FactorKind.MARKET_INTENSITY,
    FactorKind.MARKET_EXCLUDED,
})  # fmt: skip
_MARKET = frozenset({FactorKind.MARKET_INTENSITY, FactorKind.MARKET_EXCLUDED})
_NINE = Decimal("1E-9")
_SIX = Decimal("1E-6")
_MOST_RANK = 999
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are checked against: the sites there are, and what the ledger knows until when.

    ``standing`` are its imported rows that may end others (``valid_to`` is ``next``).
    """

    sites: Collection[str]
    newest_us: int
    now_us: int
    standing: Sequence[Factor] = ()


def factors_of_rows(rows: Sequence[Row], known: Known) -> list[Factor]:
    """The factors that rows state, without id and instant: these the ledger gives.

    Raises RowsError with every fault of every row.
    """
    if len(rows) > ROWS:
        raise refused(f"{len(rows):,} rows are too many; the limit is {ROWS:,}: split them")
    faults: list[Fault] = []
    factors: dict[int, Factor] = {}
    told: set[str] = set()
    for index, row in enumerate(rows):
        reader = _Reader(Cells(row, index, known.now_us), known, told)
        factor = reader.factor()
        faults += reader.cells.faults
        if factor is not None:
            factors[index] = factor
    _end_with_the_next(factors, rows, known)
    keys = {
        index: (*_place(one), one.valid_from_us, one.valid_to_us, one.windows)
        for index, one in factors.items()
    }
    faults += duplicates(keys, rows)
    faults += _overlaps(factors, rows)
    if faults:
        raise RowsError(sorted(faults, key=lambda fault: -1 if fault.row is None else fault.row))
    return list(factors.values())


def _end_with_the_next(factors: dict[int, Factor], rows: Sequence[Row], known: Known) -> None:
    """End rows that end so where a later one begins, here or in the ledger.

    Whatever is learned later goes first, so a row learned before needs no end: the order in which
    files are imported changes nothing.
    """
    begins: dict[tuple[object, ...], set[int]] = {}
    for one in (*known.standing, *factors.values()):
        if one.valid_from_us is not None and one.value is not None:
            begins.setdefault(_place(one), set()).add(one.valid_from_us)
    for index, one in factors.items():
        if rows[index].cells.get("valid_to") == NEXT and one.valid_from_us is not None:
            later = [at for at in begins.get(_place(one), ()) if at > one.valid_from_us]
            factors[index] = replace(one, valid_to_us=min(later, default=None))


def _place(factor: Factor) -> tuple[object, ...]:
    pair = factor.currency if factor.kind is FactorKind.FX_RATE else None  # from item to currency
    return (factor.kind, factor.scope, factor.item, pair, factor.rank)


def _overlaps(factors: dict[int, Factor], rows: Sequence[Row]) -> list[Fault]:
    """Rows about one thing of which none goes before the other: which holds would be chance."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, factor in factors.items():
        groups.setdefault(_place(factor), []).append(index)
    faults, times = [], SharedTimes()
    for group in groups.values():
        group.sort(key=lambda index: (factors[index].valid_from_us or 0, index))
        for one, other in _touching(group, factors):
            first, second = factors[one], factors[other]
            if _period(first) == _period(second) and first.windows == second.windows:
                continue  # told as a duplicate
            at_us = times.first(first.windows, second.windows, _shared(first, second))
            if at_us is not None:
                when = f", such as at {instant(at_us)}" if first.windows or second.windows else ""
                reason = (
                    f"holds at the same time as {place_of(rows[one].line, one)}{when}: let one end "
                    "where the other begins, or give them different ranks"
                )
                column = rows[other].named("valid_from")
                faults.append(Fault(reason, other, rows[other].line, column))
    return faults


def _period(factor: Factor) -> tuple[int | None, int | None]:
    return (factor.valid_from_us, factor.valid_to_us)


def _shared(one: Factor, other: Factor) -> tuple[int | None, int | None]:
    """The part of two validities that is in both."""
    starts = [at for at in (one.valid_from_us, other.valid_from_us) if at is not None]
    ends = [at for at in (one.valid_to_us, other.valid_to_us) if at is not None]
    return max(starts, default=None), min(ends, default=None)


def _touching(group: list[int], factors: dict[int, Factor]) -> list[tuple[int, int]]:
    """Pairs of a group, sorted by their start, whose validities share a time."""
    found: list[tuple[int, int]] = []
    open_rows: list[int] = []
    for index in group:
        start = factors[index].valid_from_us or 0
        open_rows = [
            one for one in open_rows if (end := factors[one].valid_to_us) is None or end > start
        ]
        found += [(one, index) for one in open_rows]
        open_rows.append(index)
        if len(found) > ROWS:
            break  # more of the same would only be counted
    return found


class _Reader:
    """Reads one row."""

    def __init__(self, cells: Cells, known: Known, told: set[str]) -> None:
        self.cells = cells
        self._known = known
        self._told = told

    def factor(self) -> Factor | None:
        """The factor, None where something is wrong with it."""
        cells = self.cells
        cells.columns((*COLUMNS, *EXPORTED), self._told)
        cells.book()
        word = cells.word("kind", [kind.value for kind in FactorKind], required=True)
        if word is None:
            return None
        kind = FactorKind(word)
        scope = self._scope(kind)
        currency, scale, unit = self._unit(kind)
        value, low, high = self._value(kind, scale)
        if QUANTITIES[kind].money and currency is not None and value is not None:
            self._refuse_absurd(kind, currency, (value, low, high))
        start, end = cells.validity()
        rank = cells.whole("rank", 1, _MOST_RANK) or self._rank(kind, scope, start, end)
        if kind is FactorKind.MARKET_INTENSITY:
            self._refuse_instrument(scope, rank, value)
        found: dict[str, Any] = {
            "item": self._item(kind),
            "source": cells.text("source", required=True) or "",
            "source_date": cells.source_date(),
            "licence": cells.text("licence", required=True),
            "windows": self._windows(kind),
            "share": self._share(kind),
            "basis": self._basis(kind),
            "detail": cells.text("detail", most=1_000),
            "recorded_us": cells.recorded(self._known.newest_us),
            "method": Method(cells.word("method", list(Method)) or Method.SOURCED),
        }
        if cells.faults:
            return None
        return Factor(
            id="", kind=kind, scope=scope, value=value, low=low, high=high, unit=unit, rank=rank,
            currency=currency, valid_from_us=start, valid_to_us=end, book=BOOK, **found,
        )  # fmt: skip

    def _scope(self, kind: FactorKind) -> str:
        """A site, ``world``, a cloud region, or a zone by its code."""
        found = self.cells.text("scope", required=True)
        if found is None:
            return ""
        if kind is FactorKind.FX_RATE and found != WORLD_SCOPE:
            self.cells.wrong("scope", "must be world: exchange rates hold everywhere")
        if found == WORLD_SCOPE or found in self._known.sites:
            return found
        parts = _SCOPE_OF.fullmatch(found)
        if parts is not None:
            self._provider(found, parts[1])
            return found
        try:
            return zone_of(found)
        except FactorError as error:
            near = get_close_matches(found, self._known.sites, 3, 0.4) or sorted(self._known.sites)
            self.cells.wrong(
                "scope",
                f"{shown(found)} is no zone ({error.remedy.rstrip('?')}), no site known here "
                f"({', '.join(near[:3])}), no cloud region (such as aws:us-east-1), and not world",
            )
            return found

    def _provider(self, scope: str, word: str) -> None:
        if word not in _PROVIDERS:
            near = get_close_matches(word, _PROVIDERS, 1) or _PROVIDERS
            self.cells.wrong(
                "scope",
                f"{shown(scope)} is of no provider known here: write "
                f"{', '.join(f'{one}:' for one in near)} before the region",
            )

    def _unit(self, kind: FactorKind) -> tuple[str | None, Decimal, str]:
        """Currency, factor to the kept unit, and that unit."""
        quantity, cells = QUANTITIES[kind], self.cells
        written = cells.text("unit") or ""
        currency = cells.currency("currency")
        if kind is FactorKind.FX_RATE:
            return self._rate_unit(written, currency)
        if not quantity.money:
            if currency is not None:
                cells.wrong("currency", f"{kind} is no money: leave it out")
            return None, self._scale(quantity, written or _plain(quantity)), quantity.unit
        before, slash, per = written.partition("/")
        if before and currency is None:
            currency = before if currencies.fault_of(before) is None else None
        if currency is None:
            if not any(fault.column == "currency" for fault in cells.faults):
                cells.wrong("currency", "is missing: money needs one, such as EUR")
            return None, _ONE, quantity.unit
        if before not in {"", currency}:
            cells.wrong("unit", f"{shown(written)} is not in {currency}")
        elif before and not slash:
            given = ", ".join(f"{currency}{one}" for one in quantity.units)
            cells.wrong("unit", f"{shown(written)} does not say of what: give {given}")
            return currency, _ONE, f"{currency}{quantity.unit}"
        return currency, self._scale(quantity, f"{slash}{per}"), f"{currency}{quantity.unit}"

    def _rate_unit(self, written: str, currency: str | None) -> tuple[str | None, Decimal, str]:
        """One of the item costs so much of the currency."""
        item = self.cells.text("item") or ""
        if currency is None:
            self.cells.wrong("currency", "is missing: the currency that the item is told in")
        unit = f"{currency}/{item}"
        if written not in {"", unit}:
            self.cells.wrong("unit", f"{shown(written)} must be {unit}")
        return currency, _ONE, unit

    def _scale(self, quantity: Quantity, written: str) -> Decimal:
        found = quantity.units.get(written)
        if found is not None:
            return found
        known = ", ".join(quantity.units)
        what = f"{shown(written)} is no unit of it" if written else "is missing"
        self.cells.wrong("unit", f"{what}: give {known}")
        return _ONE

    def _value(
        self, kind: FactorKind, scale: Decimal
    ) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        before = len(self.cells.faults)
        value, low, high = bounds(self.cells, scale)
        if value is None or low is None or high is None or len(self.cells.faults) > before:
            return None, None, None
        for column, number in (("value", value), ("low", low), ("high", high)):
            self._in_range(kind, column, number)
            if kind in _INTENSITIES and scale != 1_000 and Decimal(0) < number < 1:
                self._looks_like_kilograms(column, number)
            if len(self.cells.faults) > before:
                return None, None, None
        return nine(value), nine(low), nine(high)

    def _in_range(self, kind: FactorKind, column: str, number: Decimal) -> None:
        quantity, cells = QUANTITIES[kind], self.cells
        given = "" if quantity.unit == "1" else str(cells.raw("unit") or quantity.unit)
        told = f"{cells.raw(column) or cells.raw('value')} {given}".rstrip()
        kept = f"{_plainly(number)} {'' if quantity.unit == '1' else quantity.unit}".rstrip()
        meant = told if quantity.money or told == kept else f"{told}, that is {kept},"
        if number < quantity.least:
            cells.wrong(column, f"{meant} is below {quantity.least}")
        elif number > quantity.most:
            hint = ""
            if kind in _INTENSITIES:
                hint = f"; if it is in g/kWh, write so: no grid is above {quantity.most} g/kWh"
            cells.wrong(column, f"{meant} is above {quantity.most:,}: check the unit{hint}")

    def _looks_like_kilograms(self, column: str, number: Decimal) -> None:
        """A grid of less than a gram is a slip of unit, of combustion alone too; 0 is none."""
        if self.cells.raw("id") is not None:
            return  # an export's, which was accepted in the unit that it was in
        written = self.cells.raw(column) or self.cells.raw("value")
        self.cells.wrong(
            column,
            f"{_plainly(number)} g/kWh is less than any grid: it looks like kg/kWh, which is "
            f"{_plainly(number * 1_000)} g/kWh; write the unit that {written} is in",
        )

    def _refuse_absurd(
        self, kind: FactorKind, currency: str, amounts: tuple[Decimal | None, ...]
    ) -> None:
        """Money is in no range that holds for every currency; a slip of unit is beyond most."""
        for column, amount in zip(("value", "low", "high"), amounts, strict=True):
            if fault := beyond(QUANTITIES[kind].unit, currency, [amount]):
                self.cells.wrong(column, fault)
                return

    def _item(self, kind: FactorKind) -> str | None:
        found = self.cells.text("item", required=kind is FactorKind.FX_RATE)
        if kind is not FactorKind.FX_RATE or found is None:
            return found
        if fault := currencies.fault_of(found):
            self.cells.wrong("item", fault)
        elif found == self.cells.raw("currency"):
            self.cells.wrong("item", "must be another currency than the one it is told in")
        return found

    def _refuse_instrument(self, scope: str, rank: int, value: Decimal | None) -> None:
        """A residual mix may come from a file; what somebody has bought must state its quality."""
        instead = (
            "instruments count only with their quality criteria: state it in the configuration, "
            "[[market.instruments]]; a file may give a zone's residual mix, of rank "
            f"{RANKS['residual']}"
        )
        if rank != RANKS["residual"]:
            self.cells.wrong("kind", f"market_intensity of rank {rank} is an instrument; {instead}")
        elif scope in self._known.sites or scope == WORLD_SCOPE or ":" in scope:
            self.cells.wrong("scope", f"{shown(scope)} is no zone; {instead}")
        if self.cells.raw("item") is not None:
            self.cells.wrong("item", f"a residual mix has none; {instead}")
        if value is not None and value <= 0:
            self.cells.wrong("value", f"a residual mix is above 0; {instead}")

    def _rank(self, kind: FactorKind, scope: str, start: int | None, end: int | None) -> int:
        if scope in self._known.sites or scope.startswith(f"{PAST}:"):
            return IMPORTED_OWN
        if kind in _MARKET:
            return RANKS["residual"]
        if start is not None and end is not None and end - start <= US_PER_HOUR:
            return HOURLY
        return WORLD if scope == WORLD_SCOPE else YEARLY

    def _windows(self, kind: FactorKind) -> str | None:
        found = self.cells.raw("windows")
        if found is None:
            return None
        if kind is not FactorKind.ELECTRICITY_PRICE:
            self.cells.wrong("windows", "are of tariffs: leave them out")
            return None
        try:
            return windows_of(found)
        except FactorError as error:
            self.cells.wrong("windows", str(error))
            return None

    def _share(self, kind: FactorKind) -> Decimal | None:
        found = self.cells.number("share")
        if kind not in _MARKET:
            if found is not None:
                self.cells.wrong("share", "is of contractual instruments: leave it out")
            return None
        if found is None:
            return _ONE
        if not 0 < found <= 1:
            self.cells.wrong("share", f"{found} is not above 0 and at most 1")
            return None
        return found.quantize(_SIX, rounding=ROUND_HALF_UP)

    def _basis(self, kind: FactorKind) -> str | None:
        found = self.cells.text("basis")
        if found is None:
            return None
        if kind not in _INTENSITIES:
            self.cells.wrong("basis", "is of intensities: leave it out")
            return None
        try:
            return basis_of(found)
        except FactorError as error:
            self.cells.wrong("basis", str(error))
            return None


def nine(value: Decimal) -> Decimal:
    """With the nine places that the ledger keeps."""
    return value.quantize(_NINE, rounding=ROUND_HALF_UP)


def _plain(quantity: Quantity) -> str:
    """The unit of a quantity without one."""
    return quantity.unit if quantity.unit in {"", "1"} else ""


def _plainly(number: Decimal) -> str:
    return f"{number.normalize():f}"
