"""Rows of a bill as charges: each cell is checked, all faults at once; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from meter import currencies
from meter.errors import UsageError
from meter.faults import Fault, place_of, shown, unknown_column
from meter.hosted.bills.rows import CHARGES, COLUMNS, CREDIT, FLAGS, BillError, refused
from meter.hosted_facts import Charge
from meter.instants import parse_us
from meter.limits import NAME_CHARS
from meter.tables import no_number, number_of
from meter.units import US_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.hosted.bills.rows import BillRow

ID_CHARS = 256
LINE_CHARS = 300
CELL_DIGITS = 200
"""Longest cell of a number or an instant that is looked at."""
_DIGITS = 60
_PLACES = Decimal("1E-9")
_MOST = Decimal(10) ** 9
_QUANTITY_PLACES = Decimal("1E-4")
_MOST_QUANTITY = Decimal(10) ** 13
_DAY_US = 24 * US_PER_HOUR
_LONGEST_US = 400 * _DAY_US
_EARLIEST_US = parse_us("2015-01-01")


def charges_of(rows: Sequence[BillRow], now_us: int) -> tuple[Charge, ...]:
    """The charges that rows state. Raises BillError with every fault of every row."""
    if len(rows) > CHARGES:
        raise refused(f"{len(rows):,} charges are too many; the limit is {CHARGES:,}: split them")
    faults: list[Fault] = []
    found: list[Charge] = []
    first: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        cells = _Cells(row, index)
        charge = _charge(cells, now_us)
        if charge is not None:
            before = first.setdefault((charge.source, charge.id), index)
            if before != index:
                cells.wrong("id", _twice(rows[before], before))
            found.append(charge)
        faults += cells.faults
    if faults:
        raise BillError(faults)
    return tuple(found)


def _twice(row: BillRow, index: int) -> str:
    place = place_of(row.line, index)
    named = "has the id of" if "id" in row.names else "is about the same as"
    return f"{named} {place}: keep one, or give each an id of its own"


@dataclass(slots=True)
class _Cells:
    """One row's cells, and the faults found in them."""

    row: BillRow
    index: int
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, column: str, reason: str) -> None:
        """Note a fault."""
        name = self.row.names.get(column, column)
        self.faults.append(Fault(reason, self.index, self.row.line, name))

    def text(self, column: str, most: int, *, required: bool = False) -> str | None:
        """Printable text."""
        found = self.row.cells.get(column)
        if found is None:
            if required:
                self.wrong(column, "is missing")
            return None
        if len(found) > most:
            self.wrong(column, f"has {len(found):,} characters; the limit is {most}")
        elif not found.isprintable() or not found.strip():
            self.wrong(column, "has characters that cannot be printed")
        else:
            return found
        return None

    def needed(self, column: str, most: int) -> str:
        """Printable text that must be there."""
        return self.text(column, most, required=True) or ""

    def number(self, column: str, *, required: bool = False) -> Decimal | None:
        """A finite number with a point, as written."""
        found = self.text(column, CELL_DIGITS, required=required)
        if found is None:
            return None
        number = number_of(found, _DIGITS)
        if number is None:
            self.wrong(column, no_number(found))
        return number

    def instant(self, column: str) -> int | None:
        """An ISO date or instant in UTC µs."""
        found = self.text(column, CELL_DIGITS, required=True)
        if found is None:
            return None
        try:
            at_us = parse_us(found, column)
        except UsageError:
            self.wrong(column, f"{shown(found)} is no date or instant such as 2026-03-01T09:00Z")
            return None
        if at_us < _EARLIEST_US:
            self.wrong(column, f"{shown(found)} is before 2015")
            return None
        return at_us


def _charge(cells: _Cells, now_us: int) -> Charge | None:
    for name in cells.row.cells:
        if name not in COLUMNS:
            cells.wrong(name, unknown_column(name, COLUMNS))
    start_us, end_us = _span(cells, now_us)
    amount = _amount(cells)
    found = {
        "source": cells.needed("source", NAME_CHARS),
        "id": cells.needed("id", ID_CHARS),
        "provider": cells.needed("provider", NAME_CHARS),
        "currency": _currency(cells),
        "line_item": cells.needed("line_item", LINE_CHARS),
        "project": cells.text("project", NAME_CHARS),
        "model": cells.text("model", LINE_CHARS),
        "job_id": cells.text("job", LINE_CHARS),
        "quantity": _quantity(cells),
        "unit": cells.text("unit", 60),
    }
    flags = _flags(cells, amount)
    if cells.faults or start_us is None or end_us is None or amount is None:
        return None
    return Charge(start_us=start_us, end_us=end_us, amount=amount, flags=flags, **found)  # type: ignore[arg-type]


def _span(cells: _Cells, now_us: int) -> tuple[int | None, int | None]:
    start_us, end_us = cells.instant("start"), cells.instant("end")
    if start_us is None or end_us is None:
        return None, None
    if end_us <= start_us:
        cells.wrong("end", "is not after start: end is the instant after the last")
    elif end_us - start_us > _LONGEST_US:
        cells.wrong("end", "is more than 400 days after start: split the charge")
    if start_us > now_us + _DAY_US:
        cells.wrong("start", f"{shown(cells.row.cells['start'])} is still to come")
    return start_us, end_us


def _amount(cells: _Cells) -> Decimal | None:
    amount = cells.number("amount", required=True)
    if amount is None:
        return None
    if abs(amount) >= _MOST:
        cells.wrong("amount", f"{shown(amount)} is absurd: a charge is below {_MOST:,}")
    elif amount != amount.quantize(_PLACES, ROUND_HALF_EVEN):
        cells.wrong("amount", f"{shown(amount)} has more than 9 places")
    return amount


def _currency(cells: _Cells) -> str:
    code = cells.needed("currency", CELL_DIGITS)
    if code and (fault := currencies.fault_of(code)):
        cells.wrong("currency", fault)
    return code


def _quantity(cells: _Cells) -> Decimal | None:
    """To four places, which is what is kept: it explains an amount and is in no sum."""
    quantity = cells.number("quantity")
    if quantity is None:
        return None
    if abs(quantity) >= _MOST_QUANTITY:
        cells.wrong("quantity", f"{shown(quantity)} is absurd")
        return None
    return quantity.quantize(_QUANTITY_PLACES, ROUND_HALF_EVEN)


def _flags(cells: _Cells, amount: Decimal | None) -> tuple[str, ...]:
    told = set((cells.text("flags", CELL_DIGITS) or "").split())
    if told - FLAGS:
        cells.wrong("flags", f"is none of {', '.join(sorted(FLAGS))}")
    told -= {CREDIT}
    if amount is not None and amount < 0:
        told.add(CREDIT)
    return tuple(sorted(told))
