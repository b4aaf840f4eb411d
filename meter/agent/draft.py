"""The next batch for the ledger while it grows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from meter.model import LedgerBatch

if TYPE_CHECKING:
    from meter.model import (
        Budget,
        Counter,
        Device,
        DeviceUse,
        Factor,
        Hold,
        Interval,
        Mark,
        Node,
        Notice,
        RawReading,
        Run,
        RunLink,
        RunState,
        Site,
    )


@dataclass(slots=True)
class Draft:
    """Facts in the order in which they came."""

    nodes: list[Node] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    states: list[RunState] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    readings: list[RawReading] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    factors: list[Factor] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    links: list[RunLink] = field(default_factory=list)
    uses: list[DeviceUse] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(getattr(self, each.name) for each in fields(self))

    def batch(self, site_id: str) -> LedgerBatch:
        """What one commit writes."""
        return LedgerBatch(
            nodes=tuple(self.nodes),
            sites=tuple(self.sites),
            devices=tuple(self.devices),
            runs=tuple(self.runs),
            holds=tuple(self.holds),
            states=tuple(self.states),
            marks=tuple(self.marks),
            readings=tuple(self.readings),
            intervals=tuple(self.intervals),
            site_id=site_id,
            factors=tuple(self.factors),
            notices=tuple(self.notices),
            counters=tuple(self.counters),
            budgets=tuple(self.budgets),
            links=tuple(self.links),
            uses=tuple(self.uses),
            divisible=True,
        )
