"""Where the last agent stopped: its open minute, its runs, its counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meter.agent.runs import LiveRun, Wanted
from meter.ledger import recovery
from meter.ledger.reports import run_document
from meter.metering.activity import Use
from meter.metering.intervals import IntervalBuilder
from meter.metering.point import Point
from meter.metering.rebuild import segments_of
from meter.metering.wall import WallAnchor
from meter.model import Component, Device, Method
from meter.sampling.curve import CurveStart
from meter.units import MJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.agent.budgeting import Told
    from meter.ledger import Reader
    from meter.ledger.recovery import KnownMarks
    from meter.model import Counter, DeviceUse, Interval, Node, RawReading, Segment

_AS_HELD = Wanted(gpus="none")
"""A run taken up keeps what it holds: what it once asked for is not in the ledger."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What goes on, and what is only to be written to its end."""

    starts: Mapping[str, CurveStart] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()  # of the minute that was open
    uses: tuple[DeviceUse, ...] = ()  # who used shared devices then
    closed_ns: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[LiveRun, ...] = ()
    abandoned: tuple[tuple[LiveRun, int], ...] = ()  # with the last instant known of them
    written: Mapping[str, Point] = field(default_factory=dict)
    marks: Mapping[str, KnownMarks] = field(default_factory=dict)
    counters: tuple[Counter, ...] = ()
    intervals: tuple[Interval, ...] = ()  # of another boot
    told: tuple[Told, ...] = ()  # notices on budgets


def recover(reader: Reader, node: Node, alive: Mapping[str, list[int]]) -> Recovered:
    """Read the ledger; ``alive`` are the launchers that live, by run (empty: nobody to watch)."""
    counters = tuple(recovery.counters(reader))
    told = tuple(recovery.told_of_budgets(reader))
    last = recovery.last_readings(reader)
    newest = max(last.values(), key=lambda row: row.at_us, default=None)
    anchor = WallAnchor(newest.at_ns, newest.at_us) if newest else WallAnchor(0, 0)
    boot = recovery.last_boot(reader, node.id)
    same_boot = boot is not None and boot.boot_id == node.boot_id
    segments = _segments(reader)
    uses = recovery.recent_uses(reader)
    until = {d: anchor.ns(us) for d, us in recovery.written_until(reader).items() if d in last}
    runs, abandoned = [], []
    for run, holds in recovery.open_runs(reader, node.id):
        open_holds = [hold for hold in holds if hold.end_ns is None]
        shares = {hold.device_id: hold.share for hold in open_holds}
        held_ns = {hold.device_id: hold.start_ns for hold in open_holds}
        budgets = {one.unit: one for one in recovery.budgets(reader, run.id)}
        links = recovery.links(reader, run.id)
        live = LiveRun(run, _AS_HELD, shares, held_ns, budgets=budgets, links=links)
        if same_boot and run.id in alive:
            runs.append(live)
        else:
            abandoned.append((live, _last_ns(live, last)))
    if not same_boot:
        intervals = _written_out(anchor, until, segments, abandoned, uses)
        return Recovered(
            abandoned=tuple(abandoned), counters=counters, intervals=tuple(intervals), told=told
        )
    devices = _devices(reader)
    return Recovered(
        starts={d: _start(r, devices.get(d)) for d, r in last.items()},
        segments=tuple(segments),
        uses=tuple(uses),
        closed_ns=until,
        runs=tuple(runs),
        abandoned=tuple(abandoned),
        written={live.run.id: _written(reader, live.run.id) for live in runs},
        marks={live.run.id: recovery.marks(reader, live.run.id) for live in runs},
        counters=counters,
        told=told,
    )


def _start(row: RawReading, device: Device | None) -> CurveStart:
    """Where a curve goes on; only a sensor's counter has gone on without us, a model's has not."""
    measured = device is not None and device.method is Method.MEASURED
    counter_mj = row.counter_mj if measured else None
    return CurveStart(row.curve_mj, row.settled_ns, counter_mj, row.settled_ns)


def _devices(reader: Reader) -> dict[str, Device]:
    return {
        row["id"]: Device(
            row["id"], Component(row["component"]), row["name"], Method(row["method"])
        )
        for row in reader.rows("recovery/devices")
    }


def _segments(reader: Reader) -> list[Segment]:
    devices = _devices(reader)
    return [
        segment
        for device_id, rows in recovery.open_readings(reader).items()
        if device_id in devices
        for segment in segments_of(devices[device_id], rows)
    ]


def _last_ns(live: LiveRun, last: Mapping[str, RawReading]) -> int:
    """The last instant that is known of a run's devices."""
    known = [last[device_id].settled_ns for device_id in live.shares if device_id in last]
    return max(known, default=live.run.started_ns)


def _written_out(
    anchor: WallAnchor,
    closed_ns: Mapping[str, int],
    segments: list[Segment],
    runs: list[tuple[LiveRun, int]],
    uses: Iterable[DeviceUse],
) -> list[Interval]:
    """The open minute of another boot, under that boot's clock."""
    builder = IntervalBuilder(anchor)
    for device_id, at_ns in closed_ns.items():
        builder.resume(device_id, at_ns)
    for live, last_ns in runs:
        for hold in live.holds(last_ns):
            builder.hold(hold)
    for one in uses:
        builder.weigh(one.device_id, use_of(one))
    for segment in segments:
        builder.add(segment)
    return builder.close_all()


def use_of(kept: DeviceUse) -> Use:
    """A look as it was taken."""
    return Use(kept.from_ns, kept.at_ns, kept.runs, kept.others, kept.idle_mw, kept.idle_seen)


def _written(reader: Reader, run_id: str) -> Point:
    energy = run_document(reader, run_id)["energy"]["it"]
    return Point(*(round(float(energy[part]) * MJ_PER_J) for part in ("value", "low", "high")))
