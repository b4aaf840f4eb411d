"""The hours that factors hold in, made again: no batch covers them, and every figure uses them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from meter.errors import LedgerError, MeterError
from meter.ledger.audit import Finding
from meter.ledger.expansion import expanded
from meter.ledger.instants import hour_of, micros, timestamp
from meter.ledger.rows import EVERY, factor_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meter.ledger.reader import Reader

_NAMED = 20

_Part = tuple[int, int | None]  # the start of a UTC hour in µs, a quarter of it


def check_hours(reader: Reader) -> list[Finding]:
    """Factors whose stored hours are not those that they hold in."""
    with reader.snapshot():  # an agent may write both meanwhile
        found = list(_differing(reader))
    if len(found) > _NAMED:
        text = f"and the hours of {len(found) - _NAMED} more factors differ"
        found[_NAMED:] = [Finding("hours", "factor_hour", text)]
    return found


def require_hours(reader: Reader) -> None:
    """Raises LedgerError where :func:`check_hours` finds something."""
    if found := check_hours(reader):
        raise LedgerError(
            f"the ledger was changed ({found[0].text})", "nothing is sealed: see `meter verify`"
        )


def _differing(reader: Reader) -> Iterator[Finding]:
    rows = {row["id"]: row for row in reader.rows("recovery/factors", since_seq=EVERY)}
    hours = sorted(micros(row["hour"]) for row in reader.rows("recovery/metered_hours"))
    stored = groupby(reader.plain("audit/factor_hours"), key=itemgetter(0))
    for factor_id, parts in stored:
        kept = Counter((micros(hour), quarter) for _, hour, quarter in parts)
        yield from _compared(factor_id, rows.pop(factor_id, None), hours, kept)
    for factor_id, row in rows.items():
        yield from _compared(factor_id, row, hours, Counter())


def _compared(
    factor_id: str, row: Mapping[str, Any] | None, hours: Sequence[int], kept: Counter[_Part]
) -> Iterator[Finding]:
    try:
        made = _parts(row, hours) if row else Counter[_Part]()
    except (MeterError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        text = f"factor {factor_id}: its hours cannot be made again ({reason})"
        yield Finding("hours", factor_id, text)
        return
    missing, extra = made - kept, kept - made
    if missing or extra:
        yield Finding("hours", factor_id, _text(factor_id, missing, extra))


def _parts(row: Mapping[str, Any], hours: Sequence[int]) -> Counter[_Part]:
    factor = factor_of(row)
    start, end = factor.valid_from_us, factor.valid_to_us
    first = 0 if start is None else bisect_left(hours, hour_of(start))
    last = len(hours) if end is None else bisect_left(hours, end)
    return Counter((hour, quarter) for _, hour, quarter in expanded([factor], hours[first:last]))


def _text(factor_id: str, missing: Counter[_Part], extra: Counter[_Part]) -> str:
    counts = ((missing, "missing"), (extra, "too many"))
    said = " and ".join(f"{parts.total():,} {word}" for parts, word in counts if parts)
    first = timestamp(min(hour for hour, _ in [*missing, *extra]))
    return (
        f"factor {factor_id}: the hours that it holds in were changed (rows of factor_hour:"
        f" {said}, the first at {first.isoformat(sep=' ', timespec='minutes')} UTC)"
    )
