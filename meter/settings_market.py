"""Contractual instruments of the configuration, and the quality criteria that they must state."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from meter.config import Instrument
from meter.model import Notice, Severity
from meter.settings_tariff import day, timezone
from meter.settings_values import Limits, band, dated, number, shown, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meter.config import Banded
    from meter.settings_values import Values

CRITERIA = {
    "attribute": "carries the emission rate of the electricity as an attribute",
    "unique": "is the only claim to that attribute",
    "retired": "is tracked, and retired or cancelled for this consumer",
    "vintage": "is of about the period of the consumption",
    "market": "is from the market that the consumption is in",
    "utility": "is computed from what the supplier delivers, its own certificates in it",
    "transfer": "passes the claim to this consumer alone",
    "residual": "stands beside a residual mix, or its absence is disclosed",
}
"""Quality criteria of the GHG Protocol's Scope 2 Guidance (2015), table 7.1, in our words."""

EXCLUDED = "market_excluded"
"""Code of the notice on an instrument that does not count."""

_ALL = ("attribute", "unique", "retired", "vintage", "market", "residual")
NEEDED: dict[str, tuple[str, ...]] = {
    "certificate": _ALL,
    "ppa": (*_ALL, "transfer"),
    "supplier": (*_ALL, "utility"),
    "residual": (),
}
"""Criteria that each type of instrument must state; the residual mix is no instrument."""

_GRAMS = Limits(most=Decimal(3000), remedy="give g of CO2e for a kWh")
_SHARE = Limits(most=Decimal(1), above=True, remedy="write a share: 0.4 is 40 %")
_MILLIONTH = Decimal("1E-6")
_ALWAYS = (-(2**62), 2**62)


def instruments(values: Values) -> tuple[Instrument, ...]:
    """The instruments of a site; raises ConfigError.

    One that is wrong leaves out all: the others alone would be another purchase.
    """
    found = values.get("market.instruments")
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise values.wrong("market.instruments", "must be tables: [[market.instruments]]")
    before = len(values.faults)
    zone = values.tried(partial(timezone, values), "UTC")
    numbers: Counter[str] = Counter()
    read = []
    for index in range(len(found)):
        name = f"market.instruments[{index}]"
        instrument = values.tried(partial(_instrument, values, name, zone, numbers), None)
        if instrument is not None:
            read.append(instrument)
    if len(values.faults) > before:
        return ()
    _refuse_too_much(values, read)
    return tuple(read)


def excluded_notice(instruments: Iterable[Instrument]) -> Notice | None:
    """What is said about instruments that do not count; None where all do."""
    lacking = [each for each in instruments if each.lacking]
    if not lacking:
        return None
    said = "; ".join(f"{each.name}: {', '.join(each.lacking)}" for each in lacking)
    return Notice(EXCLUDED, f"Not counted in market-based carbon: {said}.", Severity.WARNING)


def _instrument(values: Values, name: str, zone: str, numbers: Counter[str]) -> Instrument:
    kind = text(values, f"{name}.type")
    if kind not in NEEDED:
        problem = "is missing" if kind is None else f"must be one of {', '.join(NEEDED)}"
        raise values.wrong(f"{name}.type", problem)
    start, end = (day(values, f"{name}.{key}", zone) for key in ("valid_from", "valid_to"))
    if start is not None and end is not None and end <= start:
        raise values.wrong(f"{name}.valid_to", "must be after valid_from")
    numbers[kind] += 1
    return Instrument(
        type=kind,
        number=numbers[kind],
        g_per_kwh=_grams(values, f"{name}.g_per_kwh"),
        share=_share(values, f"{name}.share"),
        valid_from_us=start,
        valid_to_us=end,
        source=text(values, f"{name}.source") or "configuration",
        lacking=_lacking(values, f"{name}.quality", kind),
        source_date=values.tried(partial(dated, values, f"{name}.source_date"), None),
    )


def _share(values: Values, name: str) -> Decimal:
    found = values.get(name)
    if found is None:
        return Decimal(1)
    share = number(values, name, found, _SHARE)
    if share != share.quantize(_MILLIONTH):
        raise values.wrong(name, "must have at most six decimal places", "round it")
    return share


def _grams(values: Values, name: str) -> Banded:
    found = band(values, name, _GRAMS)
    if found is None:
        raise values.wrong(name, "is missing")
    for part in (found.value, found.low, found.high):
        if 0 < part < 1:
            raise values.wrong(
                name, f"{part:f} g/kWh is less than any grid: it looks like kg/kWh",
                f"write {part * 1000:f}, or 0",
            )  # fmt: skip
    return found


def _lacking(values: Values, name: str, kind: str) -> tuple[str, ...]:
    """The criteria that an instrument fails, or does not state, in words."""
    stated = values.get(name)
    stated = {} if stated is None else stated
    if not isinstance(stated, dict):
        raise values.wrong(name, f"must be a table of true and false, not {shown(stated)}")
    for criterion, answer in stated.items():
        if criterion not in CRITERIA:
            near = get_close_matches(criterion, CRITERIA, 1, 0.5) or list(CRITERIA)
            raise values.wrong(
                name, f"names no criterion: {shown(criterion)}", f"name {', '.join(near)}"
            )
        if not isinstance(answer, bool):
            raise values.wrong(name, f"must say true or false of {criterion}, not {shown(answer)}")
    return tuple(
        f"{criterion} is {'not stated' if criterion not in stated else 'false'}"
        for criterion in NEEDED[kind]
        if not stated.get(criterion, False)
    )


def _refuse_too_much(values: Values, read: list[Instrument]) -> None:
    """Instruments of one time cover at most all of it; the residual mix covers what is left."""
    claims = [
        (each.valid_from_us if each.valid_from_us is not None else _ALWAYS[0],
         each.valid_to_us if each.valid_to_us is not None else _ALWAYS[1],
         each.share)
        for each in read if each.type != "residual"
    ]  # fmt: skip
    borders = sorted({border for start, end, _ in claims for border in (start, end)})
    for start, _ in pairwise(borders):
        total = sum((share for first, last, share in claims if first <= start < last), Decimal(0))
        if total > 1:
            raise values.wrong(
                "market.instruments",
                f"has shares that add up to {total} at one time",
                "give shares of the consumption that add up to at most 1",
            )
