"""Telemetry as usage: spans and deltas as they are, of counters what they grew by since."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.hosted.otlp import Refused, each_span, metrics
from meter.hosted.otlp_attributes import SOURCE
from meter.hosted_facts import Quantity
from meter.model import Outcome
from meter.usage_entries import entry, event_key
from meter.usage_intake import answers, await_taken, events_of
from meter.usage_records import Record
from meter.usage_witness import SPAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.hosted.otlp import Series
    from meter.hosted_facts import Meter, Usage, UsageEntry
    from meter.ledger import Ledger
    from meter.usage_intake import Answer

_REMEMBERED = 10_000


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
        beginning = f"{series.key}:{series.start_us}:"
        known = self._known(beginning, series.usage.source)
        parts = [
            Quantity(one.meter, one.amount - known.get(one.meter, Decimal(0)))
            for one in series.usage.quantities
            if one.amount is not None and one.amount > known.get(one.meter, Decimal(0))
        ]
        if not parts:
            return Telemetry(0, ())
        event = series.usage._replace(
            id=f"{beginning}{series.usage.at_us}", quantities=tuple(parts)
        )
        told = self._stored((event,))
        if told.stored:
            grown = {one.meter: one.amount or Decimal(0) for one in parts}
            self._totals[beginning] = {
                meter: known.get(meter, Decimal(0)) + grown.get(meter, Decimal(0))
                for meter in known.keys() | grown.keys()
            }
        return told

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
