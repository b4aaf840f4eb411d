"""Cells as values: numbers, dates, words; what is wrong is gathered, not raised; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from meter import currencies
from meter.errors import UsageError
from meter.faults import Fault, nearest, place_of, shown, unknown_column
from meter.instants import parse_us
from meter.tables import no_number, number_of
from meter.units import US_PER_QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meter.factors.rows import Cell, Row

_DIGITS = 40
_DATED = re.compile(r"(\d{4})(-\d{2})?(-\d{2})?")
_TEXT_CHARS = 300
_DAY_US = 86_400_000_000
NEXT = "next"
"""What stands in place of an end: when the next row about the same thing begins."""
WITHDRAWN = "withdrawn"
"""What stands in place of a value that is taken back."""


@dataclass(slots=True)
class Cells:
    """One row's cells, and the faults found in them; ``now_us`` is what no source is newer than."""

    row: Row
    index: int
    now_us: int
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, column: str | None, reason: str) -> None:
        """Note a fault."""
        line = self.row.lines.get(column or "", self.row.line)
        self.faults.append(Fault(reason, self.index, line, self.row.named(column)))

    def columns(self, known: Sequence[str], told: set[str]) -> None:
        """Refuse columns that are not known, each once: ``told`` are those of earlier rows."""
        for name in self.row.cells:
            if name not in known and name not in told:
                told.add(name)
                self.wrong(name, unknown_column(name, known))

    def raw(self, column: str) -> Cell | None:
        """A cell as it is."""
        return self.row.cells.get(column)

    def text(self, column: str, *, required: bool = False, most: int = _TEXT_CHARS) -> str | None:
        """Printable text."""
        found = self.raw(column)
        if found is None:
            if required:
                self.wrong(column, "is missing")
            return None
        if not isinstance(found, str):
            self.wrong(column, "must be text")
            return None
        if len(found) > most:
            self.wrong(column, f"has {len(found):,} characters; the limit is {most}")
            return None
        if not found.isprintable():
            self.wrong(column, "has characters that cannot be printed")
            return None
        return found

    def number(self, column: str, *, required: bool = False) -> Decimal | None:
        """A finite number with a point, as written."""
        found = self.text(column, required=required)
        if found is None:
            return None
        number = number_of(found, _DIGITS)
        if number is None:
            self.wrong(column, no_number(found))
        return number

    def whole(self, column: str, least: int, most: int) -> int | None:
        """A whole number in a range."""
        found = self.number(column)
        if found is None:
            return None
        if found != found.to_integral_value() or not least <= found <= most:
            self.wrong(column, f"{shown(self.raw(column))} is no whole number {least} to {most:,}")
            return None
        return int(found)

    def word(self, column: str, known: Iterable[str], *, required: bool = False) -> str | None:
        """One of some words."""
        found = self.text(column, required=required)
        words = list(known)
        if found is None or found in words:
            return found
        self.wrong(column, f"{shown(found)} is none that is known{nearest(found, words)}")
        return None

    def currency(self, column: str) -> str | None:
        """A code of ISO 4217."""
        found = self.text(column)
        if found is None or (fault := currencies.fault_of(found)) is None:
            return found
        self.wrong(column, fault)
        return None

    def instant(self, column: str) -> int | None:
        """An ISO date or instant on a quarter hour, in UTC µs."""
        found = self.text(column)
        if found is None:
            return None
        try:
            at_us = parse_us(found, column)
        except UsageError:
            self.wrong(column, f"{shown(found)} is no date or instant such as 2026-03-01T09:00Z")
            return None
        if at_us % US_PER_QUARTER:
            self.wrong(column, f"{shown(found)} is not on a quarter hour")
            return None
        return at_us

    def validity(self) -> tuple[int | None, int | None]:
        """When a row holds: from, and the instant after."""
        start = self.instant("valid_from")
        if self.raw("valid_to") == NEXT:
            if start is None and self.raw("valid_from") is None:
                self.wrong("valid_from", "is missing: what ends with the next begins somewhere")
            return start, None
        end = self.instant("valid_to")
        if start is not None and end is not None and end <= start:
            self.wrong("valid_to", "must be after valid_from")
        return start, end

    def source_date(self) -> str | None:
        """A year, month or day that is not to come."""
        found = self.text("source_date", required=True)
        if found is None:
            return None
        at_us = date_us(found)
        if at_us is None:
            self.wrong("source_date", f"{shown(found)} is no date such as 2026 or 2026-03-01")
            return None
        if at_us > self.now_us + _DAY_US:
            self.wrong("source_date", f"{shown(found)} is still to come")
            return None
        return found

    def book(self) -> None:
        """Only what was imported can be imported."""
        found = self.text("book")
        if found not in {None, "import"}:
            self.wrong("book", f"rows of the book {shown(found)} are not imported: leave them out")

    def recorded(self, newest_us: int) -> int:
        """When the ledger learned it: its own instant (0), unless the row tells a newer one.

        A row with an id is an export's: that it was recorded is not news.
        """
        found = self.text("recorded_at")
        if found is None or self.raw("id") is not None:
            return 0
        try:
            at_us = parse_us(found)
        except UsageError:
            self.wrong("recorded_at", f"{shown(found)} is no instant such as 2026-03-01T09:00Z")
            return 0
        if at_us <= newest_us:
            self.wrong(
                "recorded_at",
                "is before the ledger's newest entry, so it would change what was reported as "
                "known then: leave it out",
            )
        elif at_us > self.now_us:
            self.wrong("recorded_at", "is still to come: leave it out")
        return at_us


def date_us(text: str) -> int | None:
    """The first instant (UTC µs) of a year, month or day; None if it is none."""
    match = _DATED.fullmatch(text)
    if match is None:
        return None
    try:
        return parse_us(f"{match[1]}{match[2] or '-01'}{match[3] or '-01'}")
    except UsageError:
        return None


def bounds(
    cells: Cells, scale: Decimal = Decimal(1)
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Value, low and high times ``scale``; bounds that are not given are the value.

    All None where the value is withdrawn or wrong.
    """
    exported = cells.raw("value") is None and cells.raw("status") == WITHDRAWN
    if cells.raw("value") == WITHDRAWN or exported:
        for name in ("low", "high"):
            if cells.raw(name) is not None:
                cells.wrong(name, "a value that is withdrawn has no bounds")
        return None, None, None
    before = len(cells.faults)
    value = cells.number("value", required=True)
    low, high = cells.number("low"), cells.number("high")
    if value is None or len(cells.faults) > before:
        return None, None, None
    low, high = value if low is None else low, value if high is None else high
    if low > value:
        cells.wrong("low", f"{low} is above the value {value}")
    if high < value:
        cells.wrong("high", f"{high} is below the value {value}")
    return value * scale, low * scale, high * scale


def duplicates(keys: Mapping[int, tuple[object, ...]], rows: Sequence[Row]) -> list[Fault]:
    """A fault for each row that has the key of an earlier one."""
    first: dict[tuple[object, ...], int] = {}
    faults = []
    for index, key in keys.items():
        before = first.setdefault(key, index)
        if before != index:
            place = place_of(rows[before].line, before)
            reason = f"is about the same as {place}, and holds at the same time: keep one"
            faults.append(Fault(reason, index, rows[index].line))
    return faults
