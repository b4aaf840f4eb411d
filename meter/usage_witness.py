"""One answer told by several: its provider, a gateway's log, a span; pure.

Each tells it in other words and at another instant, so their hashes differ. What counts is whether
they tell the same quantities of the same response.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from meter.hosted_facts import FIREWORKS_METRICS, TELEMETRY, Meter
from meter.usage_entries import said_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.hosted_facts import UsageEntry

SPAN = "span"
"""Told by telemetry alone: which span it was."""
CALL_TYPE = "call_type"
"""Told by litellm's log alone."""
UNIQUE_CHARS = 16
"""Least characters of a response's id that joins; local servers count, or throw dice."""
_INSIDE = (
    # A part, and where whoever does not tell it apart counts it; the finest first.
    (Meter.CACHE_WRITE_5M, Meter.CACHE_WRITE),
    (Meter.CACHE_WRITE_30M, Meter.CACHE_WRITE),
    (Meter.CACHE_WRITE_1H, Meter.CACHE_WRITE),
    (Meter.CACHE_WRITE_12H, Meter.CACHE_WRITE),
    (Meter.CACHE_WRITE, Meter.INPUT),
    (Meter.CACHED_INPUT, Meter.INPUT),
    (Meter.INPUT_AUDIO, Meter.INPUT),
    (Meter.OUTPUT_AUDIO, Meter.OUTPUT),
)


class Told(NamedTuple):
    """What is compared of an event; ``second_hand`` if not the provider's own answer.

    A row whose id is a hash of it cannot contradict itself: a later version reads more of it.
    """

    amounts: Mapping[str, Decimal | None]
    second_hand: bool


def told_of(event: UsageEntry) -> Told:
    """The same of an event that is not stored yet."""
    return told_of_rows(said_of(head) for head in event.heads)


def told_of_rows(rows: Iterable[Mapping[str, Any]]) -> Told:
    """The same of an event's rows."""
    amounts: dict[str, Decimal | None] = {}
    second_hand = False
    for row in rows:
        amounts[row["meter"]] = None if row["quantity"] is None else Decimal(row["quantity"])
        words = json.loads(row["told"]) if row["told"] else {}
        telemetry = row["source"] in {TELEMETRY, FIREWORKS_METRICS} or SPAN in words
        second_hand = second_hand or telemetry or CALL_TYPE in words
    return Told(amounts, second_hand)


def same_usage(one: Told, other: Told) -> bool:
    """Whether two events of one id are one answer told twice, and not in contradiction.

    At least one of them is told at second hand: of what a provider itself says twice, every word
    counts. A part that only one of them tells apart is counted with the rest.
    """
    if not (one.second_hand or other.second_hand):
        return False
    if None in one.amounts.values() or None in other.amounts.values():
        return False
    sides = (dict(one.amounts), dict(other.amounts))
    for part, whole in _INSIDE:
        with_it = [side for side in sides if side.get(part)]
        if len(with_it) == 1:
            (side,) = with_it
            side[whole] = (side.get(whole) or Decimal(0)) + (side.pop(part) or Decimal(0))
    first, second = ({name: n for name, n in side.items() if n} for side in sides)
    return first == second
