"""Telemetry as usage: spans and deltas as they are, of counters what they grew by since."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.hosted.otlp import Refused, each_span, metrics
from meter.hosted.otlp_attributes import SOURCE
from meter.hosted_facts import Meter, Quantity
from meter.model import Outcome
from meter.usage_entries import entry, event_key
from meter.usage_intake import answers, await_taken, events_of
from meter.usage_records import Record
from meter.usage_witness import SPAN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.hosted.otlp import Series
    from meter.hosted_facts import Usage, UsageEntry
    from meter.ledger import Ledger
    from meter.usage_intake import Answer

_REMEMBERED = 10_000
_LATE = (
    "{} tokens from or for a cache were counted as plain input before they were told apart, and "
    "stay so: export input_tokens and its parts together"
)
_PLAIN = frozenset({Meter.INPUT, Meter.INPUT_AUDIO})
_INSIDE = frozenset({Meter.CACHED_INPUT, Meter.CACHE_WRITE})


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What became of a request: events that were stored, and what was refused with its reason."""

    stored: int
    refused: tuple[Refused, ...]


class OtlpIntake:
    """Takes telemetry; may be called from any thread.

    A counter is told as it stands. What it grew by is the difference to what the ledger has of it,
    so a request that is told again, or came to another agent before, adds nothing.
    """

    def __init__(self, ledger: Ledger, project: str | None) -> None:
        self._ledger = ledger
        self._project = project
        self._totals: dict[str, dict[Meter, Decimal]] = {}
        self._lock = threading.Lock()

    def spans(self, body: object, now_us: int) -> Telemetry:
        """Take spans, durably. Raises UsageError for a body that is none, LedgerError."""
        found = each_span(body, now_us)
        records = [Record(None, (self._span(one),)) for one in found.usages]
        outcomes = await_taken(self._ledger, events_of(records))
        told = answers(self._ledger, records, outcomes)
        conflicts = tuple(_refused(one) for one in told if one.outcome == Outcome.CONFLICT)
        return Telemetry(outcomes.count(Outcome.STORED), (*found.refused, *conflicts))

    def metrics(self, body: object, now_us: int) -> Telemetry:
        """Take metrics, durably. Raises UsageError for a body that is none, LedgerError."""
        found = metrics(body, now_us)
        told = [self._stored(found.usages)]
        with self._lock:  # of two requests of one counter, the later sees what the first stored
            told += [
                self._grown(series)
                for series in sorted(found.series, key=lambda one: one.usage.at_us)
            ]
        refused = [conflict for one in told for conflict in one.refused]
        return Telemetry(sum(one.stored for one in told), (*found.refused, *refused))

    def _grown(self, series: Series) -> Telemetry:
        source = series.usage.source
        known = {
            meter: self._known(series.beginning(start_us), source).get(meter, Decimal(0))
            for meter, start_us in series.starts.items()
        }
        parts, late = _growth(series.usage.quantities, known)
        refused = (Refused(series.key, _LATE.format(late)),) if late else ()
        if not parts:
            return Telemetry(0, refused)
        told = self._stored(series.events(parts))
        for one in parts:
            beginning = series.beginning(series.starts[one.meter])
            if told.refused:
                self._totals.pop(beginning, None)  # asked again: only some may be stored
            elif told.stored:
                total = known[one.meter] + (one.amount or Decimal(0))
                self._totals[beginning] = {**self._totals[beginning], one.meter: total}
        return Telemetry(told.stored, (*refused, *told.refused))

    def _known(self, beginning: str, source: str) -> dict[Meter, Decimal]:
        """What the ledger has of a counter; asked once."""
        if beginning not in self._totals:
            if len(self._totals) >= _REMEMBERED:
                self._totals.clear()  # asked again
            with self._ledger.reader() as reader:
                rows: list[dict[str, Any]] = reader.rows(
                    "report/usage_of_series", source=source, beginning=beginning
                )
            self._totals[beginning] = {row["meter"]: row["quantity"] for row in rows}
        return self._totals[beginning]

    def _span(self, usage: Usage) -> UsageEntry:
        """A span, known by what it answered; before, it was known by its own id."""
        made = entry(usage._replace(pays=self._project))
        span = dict(usage.told).get(SPAN)
        return made._replace(also=event_key(SOURCE, span)) if span else made

    def _stored(self, events: Sequence[Usage]) -> Telemetry:
        """Store what was counted until an instant; what another request told of it stays.

        A collector may cut one export into several: then one has the input of that instant and
        one the output. The later is an event of its own, unless both tell of one meter.
        """
        told = self._answers(events)
        apart = [
            event._replace(id=f"{event.id}:{'+'.join(one.meter for one in event.quantities)}")
            for event, answer in zip(events, told, strict=True)
            if answer.outcome == Outcome.CONFLICT and not _same_meter(event, answer)
        ]
        told += self._answers(apart) if apart else []
        stored = sum(one.outcome == Outcome.STORED for one in told)
        wrong = [
            answer
            for event, answer in zip((*events, *apart), told, strict=True)
            if answer.outcome == Outcome.CONFLICT and _same_meter(event, answer)
        ]
        return Telemetry(stored, tuple(_refused(one) for one in wrong))

    def _answers(self, events: Sequence[Usage]) -> list[Answer]:
        paying = [entry(one._replace(pays=self._project)) for one in events]
        records = [Record(None, (one,)) for one in paying]
        return answers(self._ledger, records, await_taken(self._ledger, tuple(paying)))


def _growth(
    counted: Sequence[Quantity], known: Mapping[Meter, Decimal]
) -> tuple[list[Quantity], Decimal]:
    """What each meter grew by, and how much of it was counted before as a whole that it is in.

    A token that was booked as plain input is not booked again as cached.
    """
    now = {one.meter: one.amount or Decimal(0) for one in counted}
    left = sum((max(known[one] - now.get(one, 0), Decimal(0)) for one in _PLAIN & known.keys()),
               Decimal(0))  # fmt: skip
    parts: list[Quantity] = []
    late = Decimal(0)
    for meter, amount in now.items():
        grown = amount - known[meter]
        if meter in _INSIDE and grown > 0:
            again = min(grown, left - late)
            grown -= again
            late += again
        if grown > 0:
            parts.append(Quantity(meter, grown))
    return parts, late


def _same_meter(event: Usage, conflict: Answer) -> bool:
    stored = (conflict.stored or {}).get("quantities", {})
    return any(one.meter.value in stored for one in event.quantities)


def _refused(conflict: Answer) -> Refused:
    """Both sides of a span that tells other usage of a response than was stored."""
    sides = (conflict.stored or {}, conflict.given or {})
    stored, given = (
        ", ".join(f"{meter} {amount}" for meter, amount in side.get("quantities", {}).items())
        for side in sides
    )
    reason = f"the id stands for other content: {stored or 'other'} is stored, {given} is given"
    return Refused(str(conflict.id)[:64], reason)
