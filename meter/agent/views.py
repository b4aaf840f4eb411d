"""What the agent shows: the snapshot for /metrics, and the status for people."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from meter import __version__
from meter.agent import budgeting
from meter.model import Component, FactorKind
from meter.snapshot import (
    BudgetView,
    Collector,
    FactorGauge,
    ForecastView,
    GpuView,
    Health,
    HostView,
    ProjectBudgetView,
    RunView,
    Snapshot,
)
from meter.units import NS_PER_S, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.agent.metering import Metering
    from meter.agent.reception import House
    from meter.agent.runs import LiveRun
    from meter.agent.shelf import Shelf
    from meter.agent.tracks import Track
    from meter.factors.live import Rates
    from meter.ledger import LedgerHealth
    from meter.snapshot import FeedView

FRESH_NS = 5 * NS_PER_S
"""Samples older than this are not fresh: the sampler sends twice a second."""


def freshness(heard_ns: int | None, now_ns: int, restarts: int) -> tuple[bool, str | None]:
    """Whether the sampler was heard of lately, else why not."""
    if heard_ns is None:
        return False, "the sampler has not told anything yet"
    silent_ns = now_ns - heard_ns
    if silent_ns <= FRESH_NS:
        return True, None
    again = f", started again {restarts} times" if restarts else ""
    return False, f"the sampler has been silent for {silent_ns // NS_PER_S} s{again}"


NVML = "nvml"
"""The source of GPUs; it cannot fail where there never was one."""
INTENSITY = "intensity"
"""The collector that live grid intensity is."""


def with_feed(shown: Snapshot, feed: FeedView | None) -> Snapshot:
    """The live state with the feed's health; no feed, no series of it."""
    if feed is None:
        return shown
    ok = feed.error is None and not feed.stale and feed.last_ok_us is not None
    collector = Collector(INTENSITY, ok, feed.error, feed.last_ok_us)
    health = replace(shown.health, collectors=(*shown.health.collectors, collector))
    return replace(shown, health=health)


def feed(found: FeedView) -> dict[str, Any]:
    """A feed as the status tells of it: the last good figure is kept, and marked when stale."""
    return {
        "name": found.name,
        "zone": found.zone,
        "kind": found.kind,
        "last_ok_at": None if found.last_ok_us is None else _iso(found.last_ok_us),
        "last_value": None if found.value is None else float(found.value),
        "unit": "g/kWh",
        "from": None if found.value_from_us is None else _iso(found.value_from_us),
        "to": None if found.value_to_us is None else _iso(found.value_to_us),
        "stale": found.stale,
        "last_error": found.error,
    }


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // US_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def snapshot(
    metering: Metering, shelf: Shelf, ledger: LedgerHealth, now_ns: int, restarts: int
) -> Snapshot:
    """The live state; counters as the ledger has them."""
    fresh, reason = freshness(metering.heard_ns, now_ns, restarts)
    tracks = metering.roll.tracks
    gpus = [t for t in tracks.values() if t.device.component is Component.GPU]
    hosts = [t for t in tracks.values() if t.device.component is not Component.GPU]
    driver = metering.roll.driver_version
    return Snapshot(
        at_ns=now_ns,
        health=Health(
            version=__version__,
            collectors=tuple(
                Collector(name, success=why is None and fresh, reason=why or reason)
                for name, why in metering.roll.sources
                if why is None or name != NVML or metering.has_gpus
            ),
            dropped=(
                ("ledger", ledger.dropped),
                ("mark", metering.dropped_marks),
                ("sampler", metering.dropped),
            ),
            series_dropped=metering.books.dropped,
            series_left_out=metering.books.left_out,
            store_write_failures=ledger.failures,
            fresh=fresh,
            reason=reason,
        ),
        gpus=tuple(_gpu(track, now_ns, driver) for track in sorted(gpus, key=_index)),
        hosts=tuple(_host(track, now_ns) for track in hosts),
        runs=tuple(_runs(metering)),
        factors=(
            *_factors(metering, shelf.rates(metering.clock.wall_us())),
            *_price_dates(shelf),
        ),
        project_budgets=tuple(
            ProjectBudgetView(project, _budget(use)) for project, use in _project_uses(metering)
        ),
    )


def status(
    metering: Metering, shown: Snapshot, ledger: LedgerHealth, house: House
) -> dict[str, Any]:
    """The live state as JSON."""
    joules = {
        dict(c.labels)["uuid"]: float(c.value)
        for c in shown.counters
        if c.name == "meter_gpu_energy_joules_total"
    }
    devices = [_device(track, shown.at_ns, joules) for track in metering.roll.tracks.values()]
    return {
        "agent": {
            "pid": os.getpid(),
            "version": __version__,
            "private": metering.place.private,
            "listens": list(house.listens),
            "uptime_s": (shown.at_ns - metering.started_ns) // NS_PER_S,
            "fresh": shown.health.fresh,
            "reason": shown.health.reason,
        },
        "ledger": {
            "path": house.ledger,
            "keeps": house.keeps,
            "pending": ledger.pending,
            "full": ledger.full,
            "failures": ledger.failures,
            "error": ledger.last_error,
        },
        "sources": [{"name": n, "reason": why} for n, why in metering.roll.sources],
        "devices": devices,
        "elsewhere": [
            {"id": device_id, "pid": pid} for device_id, pid in metering.roll.elsewhere.items()
        ],
        "runs": [_live(live, metering) for live in metering.runs.values()],
        "budgets": [
            {"project": project, **use.plain()} for project, use in _project_uses(metering)
        ],
        "notices": [{"code": n.code, "text": n.text} for n in metering.place.notices],
    }


def _index(track: Track) -> int:
    return -1 if track.device.index is None else track.device.index


def _gpu(track: Track, now_ns: int, driver_version: str | None) -> GpuView:
    device = track.device
    gauges = track.fresh_status(now_ns)
    return GpuView(
        uuid=device.id,
        index="" if device.index is None else str(device.index),
        name=device.name,
        method=device.method,
        simulated=device.simulated,
        pci_bus_id=device.pci_bus_id,
        driver_version=driver_version,
        power_mw=track.fresh_power_mw(now_ns),
        utilization_ratio=gauges.utilization_ratio if gauges else None,
        memory_used_bytes=gauges.memory_used_bytes if gauges else None,
        temperature_celsius=gauges.temperature_celsius if gauges else None,
    )


def _host(track: Track, now_ns: int) -> HostView:
    device = track.device
    return HostView(
        device.id,
        device.component,
        device.name,
        device.method,
        device.simulated,
        track.fresh_power_mw(now_ns),
    )


def _runs(metering: Metering) -> Iterator[RunView]:
    for run in metering.on_page.values():
        known, ending = run.run, run.ending
        yield RunView(
            known.id, known.name, known.project, known.started_us, known.simulated,
            None if ending is None else run.at_us(ending.ended_ns),
            tuple(_budget(use) for use in budgeting.uses(run, metering.books)),
            tuple(_held(run, metering)) if ending is None else (),
            _forecast(run, metering) if ending is None else None,
        )  # fmt: skip


def _held(run: LiveRun, metering: Metering) -> Iterator[tuple[str, str]]:
    for device_id in run.shares:
        track = metering.roll.tracks.get(device_id)
        if track is not None and track.device.component is Component.GPU:
            yield "" if track.device.index is None else str(track.device.index), device_id


def _forecast(run: LiveRun, metering: Metering) -> ForecastView | None:
    found = run.marks.outlook.forecast(run.run.started_us)
    if found is None:
        return None
    spent_mj = Fraction(metering.builder.energy_mj(run.run.id))
    return ForecastView(
        float(found.mark.fraction), float(max(found.energy_mj, spent_mj)), found.ends_us
    )


def _project_uses(metering: Metering) -> tuple[tuple[str, budgeting.Use], ...]:
    months = metering.budgets.months
    return () if months is None else months.uses


def _budget(use: budgeting.Use) -> BudgetView:
    return BudgetView(use.unit, use.amount, None if use.used is None else use.ratio)


def _factors(metering: Metering, rates: Rates) -> Iterator[FactorGauge]:
    site = metering.site_id
    zone = metering.place.site.zone or site
    for factor in rates.factors:
        if factor.value is None:
            continue
        source = ("source", factor.source)
        if factor.kind is FactorKind.GRID_INTENSITY:
            where = zone if factor.scope == site else factor.scope
            name, labels = "meter_grid_intensity_grams_per_kwh", (("zone", where), source)
            yield FactorGauge(name, labels, factor.value)
        elif factor.kind is FactorKind.ELECTRICITY_PRICE:
            money = (("site", site), ("currency", factor.currency or ""), source)
            yield FactorGauge("meter_electricity_price_per_kwh", money, factor.value)
        elif factor.kind is FactorKind.PUE:
            yield FactorGauge("meter_pue_ratio", (("site", site), source), factor.value)


def _price_dates(shelf: Shelf) -> Iterator[FactorGauge]:
    for provider, at_us in shelf.price_dates:
        at_s = Decimal(at_us) / US_PER_S
        yield FactorGauge("meter_price_book_timestamp_seconds", (("provider", provider),), at_s)


def _device(track: Track, now_ns: int, joules: dict[str, float]) -> dict[str, Any]:
    power_mw = track.fresh_power_mw(now_ns)
    gauges = track.fresh_status(now_ns)
    device = track.device
    return {
        "id": device.id,
        "component": device.component.value,
        "index": device.index,
        "name": device.name,
        "method": device.method.value,
        "simulated": device.simulated,
        "power_w": None if power_mw is None else power_mw / 1_000,
        "utilization_ratio": gauges.utilization_ratio if gauges else None,
        "memory_used_bytes": gauges.memory_used_bytes if gauges else None,
        "temperature_celsius": gauges.temperature_celsius if gauges else None,
        "energy_j": joules.get(device.id),
    }


def _live(live: LiveRun, metering: Metering) -> dict[str, Any]:
    return {
        "id": live.run.id,
        "name": live.run.name,
        "project": live.run.project,
        "started_us": live.run.started_us,
        "energy_j": metering.builder.energy_mj(live.run.id) / 1_000,
        "devices": list(live.shares),
        "ending": live.ending is not None,
        "budgets": [use.plain() for use in budgeting.uses(live, metering.books)],
    }
