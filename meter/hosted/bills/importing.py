"""A bill's file as charges or usage, whatever its format; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.hosted.bills import fireworks, focus, openai, openai_usage, plain, together
from meter.hosted.bills.charges import charges_of
from meter.hosted.bills.rows import refused
from meter.hosted.bills.tables import header_of, text_of
from meter.hosted.bills.values import value_of
from meter.hosted.bills.wanted import AUTO, Wanted

if TYPE_CHECKING:
    from meter.hosted.bills.wanted import Sheet
    from meter.hosted_facts import Charge, Usage

FORMATS = (AUTO, "openai", "fireworks", "together", "focus", "csv")


@dataclass(frozen=True, slots=True)
class Bill:
    """What a file says, checked: charges, or usage where it tells no money."""

    charges: tuple[Charge, ...] = ()
    usages: tuple[Usage, ...] = ()
    notices: tuple[str, ...] = ()


def bill_of(content: bytes, wanted: Wanted, now_us: int) -> Bill:
    """All of a file, or BillError with every fault of it."""
    return checked(_sheet(text_of(content), wanted, now_us), now_us)


def checked(sheet: Sheet, now_us: int) -> Bill:
    """What a sheet says; raises BillError with every fault."""
    return Bill(charges_of(sheet.rows, now_us), sheet.usages, sheet.notices)


def _sheet(text: str, wanted: Wanted, now_us: int) -> Sheet:
    match _form(text) if wanted.form == AUTO else wanted.form:
        case "openai":
            value = value_of(text)
            if openai_usage.is_usage(value):
                return openai_usage.sheet(value, wanted, now_us)
            return openai.sheet(value, wanted, now_us)
        case "together":
            return together.sheet(text, wanted, now_us)
        case "fireworks":
            return fireworks.sheet(text, wanted)
        case "focus":
            return focus.sheet(text, wanted)
        case _:
            return plain.sheet(text, wanted)


def _form(text: str) -> str:
    """Which format a text has; raises BillError for none that is known."""
    if text.lstrip().startswith(("{", "[")):
        return "openai" if openai.is_costs(value_of(text)) else "together"
    header = header_of(text)
    if set(header) >= focus.HEADER:
        return "focus"
    if set(header) >= fireworks.HEADER:
        return "fireworks"
    if plain.is_plain(header):
        return "csv"
    raise refused(
        "is no bill that is known: a plain table has the columns "
        f"{', '.join(sorted(plain.HEADER))} (docs/bills.md)"
    )
