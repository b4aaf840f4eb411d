"""The live state as it is shown: taken by the metering thread, read by any."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meter import __version__
from meter.agent import views
from meter.agent.waiting import why_behind
from meter.snapshot import Health, Snapshot

if TYPE_CHECKING:
    from meter.agent.feeding import Feeding
    from meter.agent.loop import Loop
    from meter.agent.reception import Reception
    from meter.agent.shelf import Shelf
    from meter.ledger import Ledger


class LiveState:
    """Shows it for people and for /metrics."""

    def __init__(
        self,
        loop: Loop,
        reception: Reception,
        ledger: Ledger,
        shelf: Shelf,
        feeding: Feeding | None = None,
    ) -> None:
        self.listed = threading.Event()  # the sampler has listed its devices
        self._loop = loop
        self._metering = loop.metering
        self._reception = reception
        self._ledger = ledger
        self._shelf = shelf
        self._feeding = feeding
        self._shown = Snapshot(self._now_ns(), Health(__version__, fresh=False))

    def publish(self) -> None:
        """Show the live state; called by the metering thread after each flush."""
        if self._metering.roll.called:
            self.listed.set()
        self._shown = views.snapshot(
            self._metering,
            self._shelf,
            self._ledger.health(),
            self._now_ns(),
            self._loop.supervisor.restarts,
        )

    def snapshot(self) -> Snapshot:
        """The live state; without gauges when it is old: no data rather than stale data."""
        shown = self._counted()
        fresh, reason = self.fresh()
        if fresh:
            return self._with_feed(shown)
        health = replace(
            shown.health,
            fresh=False,
            reason=reason,
            collectors=tuple(replace(c, success=False) for c in shown.health.collectors),
        )
        return self._with_feed(replace(shown, gpus=(), hosts=(), health=health))

    def fresh(self) -> tuple[bool, str | None]:
        """Whether samples are fresh, else why not."""
        restarts = self._loop.supervisor.restarts
        return views.freshness(self._metering.heard_ns, self._now_ns(), restarts)

    def status(self) -> dict[str, Any]:
        """The live state as JSON."""
        house, health = self._reception.house, self._ledger.health()
        status = self._loop.ask(
            lambda: views.status(self._metering, self._counted(), health, house)
        )
        feeding = self._feeding
        status["feeds"] = [] if feeding is None else [views.feed(feeding.view())]
        return status

    def degraded(self) -> str | None:
        """Why what is metered is not kept, None if it is."""
        if not self._reception.house.keeps:
            return "the ledger cannot be used: nothing is kept"
        return why_behind(self._ledger) if self._ledger.health().last_error else None

    def scraped(self, scraper: str) -> None:
        """Somebody collects /metrics, and may come again for what has ended since."""
        self._reception.patience.scraped(self._now_ns(), scraper)

    def _counted(self) -> Snapshot:
        outbox, reach = self._metering.outbox, self._reception.house.reach
        committed = outbox.committed
        return replace(
            self._shown,
            counters=committed.others,
            of_runs=committed.of_runs,
            exemplars=outbox.exemplars,
            reach=reach,
        )

    def _with_feed(self, shown: Snapshot) -> Snapshot:
        return shown if self._feeding is None else views.with_feed(shown, self._feeding.view())

    def _now_ns(self) -> int:
        return self._metering.clock.boot_ns()
