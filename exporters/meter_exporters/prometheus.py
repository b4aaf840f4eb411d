"""The /metrics page: a custom collector over the agent's snapshot, text and OpenMetrics.

Nothing is computed here and nothing is kept: each scrape reads one immutable snapshot, so a run
that is over vanishes from the page by not being in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector

from meter_exporters.accept import OPENMETRICS, preferred
from meter_exporters.metric_families import FAMILIES
from meter_exporters.metrics_page import Room, Writer, metric_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from meter.snapshot import Snapshot

MAX_SERIES = 5_000
"""Series on one page; what is above is left out and counted by the agent."""


class SnapshotCollector(Collector):
    """The page for prometheus_client; ``Writer`` writes the same."""

    def __init__(
        self, source: Callable[[], Snapshot], limit: int, room: Room | None = None
    ) -> None:
        self._source = source
        self._room = room or Room(limit)

    def describe(self) -> Iterable[Metric]:
        """Every family, without samples."""
        return [metric_of(family, ()) for family in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """The families that have samples now."""
        shown = self._source()
        for family, rows in self._room.page(shown):
            yield metric_of(family, rows, shown.exemplars)


class Exposition:
    """The page of whatever snapshot the source gives at each scrape."""

    def __init__(
        self,
        source: Callable[[], Snapshot],
        *,
        limit: int = MAX_SERIES,
        runs: int | None = None,
    ) -> None:
        self._source = source
        self._room = Room(limit, runs)
        self._writer = Writer()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(SnapshotCollector(source, limit, self._room))

    def render(self, accept: str | None = None, names: Sequence[str] = ()) -> tuple[bytes, str]:
        """The page and its content type, as the Accept header and ``name[]`` ask for."""
        encoder, content_type = choose_encoder(preferred(accept or ""))
        if names:
            return encoder(self._registry.restricted_registry(names)), content_type
        end = "# EOF\n" if content_type.startswith(OPENMETRICS) else ""
        shown = self._source()
        page, told = self._room.page(shown), shown.exemplars if end else {}
        return self._writer.write(page, encoder, end, told), content_type


def text(snapshot: Snapshot) -> bytes:
    """The page in the classic text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(lambda: snapshot, MAX_SERIES))
    return generate_latest(registry)
