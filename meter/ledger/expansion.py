"""Which factors are news, and the UTC hours that they hold in; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meter.ledger.instants import hour_of
from meter.windows import LocalWindows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meter.model import Factor, FactorKind, Interval

_Key = tuple["FactorKind", str, int]


def hours_of(intervals: Iterable[Interval]) -> set[int]:
    """UTC hours, by their start in µs, that intervals lie in."""
    return {hour_of(interval.start_us) for interval in intervals}


def pairs(factors: Sequence[Factor], hours: Iterable[int]) -> list[tuple[str, int]]:
    """Each factor's id with each of the hours that it holds in."""
    ordered = sorted(hours)
    found = []
    for factor in factors:
        windows = LocalWindows.of_json(factor.windows) if factor.windows else None
        found += [
            (factor.id, hour)
            for hour in ordered
            if _valid(factor, hour) and (windows is None or windows.covers(hour))
        ]
    return found


def _valid(factor: Factor, hour: int) -> bool:
    after = factor.valid_from_us is None or factor.valid_from_us <= hour
    return after and (factor.valid_to_us is None or hour < factor.valid_to_us)


def statements_to_write(known: Sequence[Factor], given: Sequence[Factor]) -> list[Factor]:
    """The given factors without those that only repeat what the ledger knew at their instant.

    Factors of one kind, scope, rank and instant of knowledge make one statement; a statement
    equal to the one before it is no news. Order of arrival does not matter.
    """
    statements = _statements(known)
    ids = {factor.id for factor in known}
    fresh: list[Factor] = []
    for (key, recorded_us), statement in sorted(_statements(given).items()):
        new = {factor.id: factor for factor in statement if factor.id not in ids}
        earlier = [at for other, at in statements if other == key and at < recorded_us]
        before = statements[key, max(earlier)] if earlier else []
        if not new or _content(statement) == _content(before):
            continue
        fresh += new.values()
        ids |= new.keys()
        statements.setdefault((key, recorded_us), []).extend(new.values())
    return fresh


def _statements(factors: Iterable[Factor]) -> dict[tuple[_Key, int], list[Factor]]:
    found: dict[tuple[_Key, int], list[Factor]] = {}
    for factor in factors:
        key = (factor.kind, factor.scope, factor.rank)
        found.setdefault((key, factor.recorded_us), []).append(factor)
    return found


def _content(statement: Iterable[Factor]) -> frozenset[Factor]:
    return frozenset(replace(factor, id="", recorded_us=0) for factor in statement)
