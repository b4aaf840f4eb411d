"""Telemetry as usage: spans and deltas as they are, of counters what they grew by since."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meter.hosted.otlp import each_span, metrics
from meter.hosted_facts import Quantity
from meter.model import Outcome
from meter.usage_entries import entry
from meter.usage_intake import await_taken

if TYPE_CHECKING:
    from meter.hosted.otlp import Refused, Series
    from meter.hosted_facts import Meter, Usage
    from meter.ledger import Ledger

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
        return Telemetry(self._stored(found.usages), found.refused)

    def metrics(self, body: object, now_us: int) -> Telemetry:
        """Take metrics, durably. Raises UsageError for a body that is none, LedgerError."""
        found = metrics(body, now_us)
        stored = self._stored(found.usages)
        with self._lock:  # of two requests of one counter, the later sees what the first stored
            for series in sorted(found.series, key=lambda one: one.usage.at_us):
                stored += self._grown(series)
        return Telemetry(stored, found.refused)

    def _grown(self, series: Series) -> int:
        beginning = f"{series.key}:{series.start_us}:"
        known = self._known(beginning, series.usage.source)
        parts = [
            Quantity(one.meter, one.amount - known.get(one.meter, Decimal(0)))
            for one in series.usage.quantities
            if one.amount is not None and one.amount > known.get(one.meter, Decimal(0))
        ]
        if not parts:
            return 0
        event = series.usage._replace(
            id=f"{beginning}{series.usage.at_us}", quantities=tuple(parts)
        )
        stored = self._stored((event,))
        if stored:
            grown = {one.meter: one.amount or Decimal(0) for one in parts}
            self._totals[beginning] = {
                meter: known.get(meter, Decimal(0)) + grown.get(meter, Decimal(0))
                for meter in known.keys() | grown.keys()
            }
        return stored

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

    def _stored(self, events: tuple[Usage, ...]) -> int:
        paying = tuple(entry(one._replace(pays=self._project)) for one in events)
        return await_taken(self._ledger, paying).count(Outcome.STORED)
