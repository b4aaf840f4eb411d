"""Where the last agent stopped: its open minute, its runs, its counters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meter.agent.runs import SHOWN_NS, Ending, LiveRun, Wanted, is_shown
from meter.ledger import recovery
from meter.ledger.reports import run_document
from meter.metering.activity import Use
from meter.metering.intervals import IntervalBuilder
from meter.metering.point import Point
from meter.metering.rebuild import segments_of
from meter.metering.wall import WallAnchor
from meter.model import Component, Device, Method, RunStatus
from meter.sampling.curve import CurveStart
from meter.units import MJ_PER_J, NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meter.agent.budgeting import Told
    from meter.ledger import Reader
    from meter.ledger.recovery import KnownMarks
    from meter.model import Counter, DeviceUse, Interval, Node, RawReading, Segment

_AS_HELD = Wanted(gpus="none")
"""A run taken up keeps what it holds: what it once asked for is not in the ledger."""
_LABEL_NS = NS_PER_US
"""By less the label of an instant is off: it and that of the row it is seen from are whole µs."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What goes on, and what is only to be written to its end."""

    starts: Mapping[str, CurveStart] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()  # of the minute that was open
    uses: tuple[DeviceUse, ...] = ()  # who used shared devices then
    closed_ns: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[LiveRun, ...] = ()
    abandoned: tuple[tuple[LiveRun, int], ...] = ()  # with the last instant known of them
    shown: tuple[LiveRun, ...] = ()  # that ended a short while ago, those abandoned now with them
    written: Mapping[str, Point] = field(default_factory=dict)
    marks: Mapping[str, KnownMarks] = field(default_factory=dict)
    counters: tuple[Counter, ...] = ()
    intervals: tuple[Interval, ...] = ()  # of another boot
    told: tuple[Told, ...] = ()  # notices on budgets


def recover(
    reader: Reader, node: Node, alive: Mapping[str, list[int]], now: WallAnchor
) -> Recovered:
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
    until = {
        device_id: _to_the_ns(device_id, anchor.ns(us), segments)
        for device_id, us in recovery.written_until(reader).items()
        if device_id in last
    }
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
    shown = _shown(reader, node, abandoned, now, same_boot=same_boot)
    if not same_boot:
        intervals = _written_out(anchor, until, segments, abandoned, uses)
        return Recovered(
            abandoned=tuple(abandoned),
            shown=shown,
            counters=counters,
            intervals=tuple(intervals),
            told=told,
        )
    devices = _devices(reader)
    return Recovered(
        starts={d: _start(r, devices.get(d)) for d, r in last.items()},
        segments=tuple(segments),
        uses=tuple(uses),
        closed_ns=until,
        runs=tuple(runs),
        abandoned=tuple(abandoned),
        shown=shown,
        written={live.run.id: _written(reader, live.run.id) for live in runs},
        marks={live.run.id: recovery.marks(reader, live.run.id) for live in runs},
        counters=counters,
        told=told,
    )


def _shown(
    reader: Reader,
    node: Node,
    abandoned: Iterable[tuple[LiveRun, int]],
    now: WallAnchor,
    *,
    same_boot: bool,
) -> tuple[LiveRun, ...]:
    """Runs that were on the last agent's page, and are to stay there for the rest of their time."""
    since_us = max(0, now.us(now.boot_ns - SHOWN_NS))
    ended = recovery.ended_runs(reader, node.id, since_us)
    for live, last_ns in abandoned:
        budgets, ended_us = list(live.budgets.values()), live.at_us(last_ns)
        ended.append(recovery.Ended(live.run, budgets, RunStatus.ABANDONED, ended_us, None))
    found = [_ended(one, now, same_boot=same_boot) for one in ended]
    return tuple(live for live in found if is_shown(live, now.boot_ns))


def _ended(known: recovery.Ended, now: WallAnchor, *, same_boot: bool) -> LiveRun:
    """A run that is over; one of another boot is placed on this boot's clock by its label."""
    run = known.run
    lasted_ns = (known.ended_us - run.started_us) * NS_PER_US
    if not same_boot:
        run = replace(run, started_ns=now.ns(known.ended_us) - lasted_ns)
    ended_ns = min(run.started_ns + lasted_ns, now.boot_ns)
    ending = Ending(ended_ns, ended_ns, known.status, known.exit_code)
    ending.done.set_result(None)
    budgets = {one.unit: one for one in known.budgets}
    return LiveRun(run, _AS_HELD, budgets=budgets, ending=ending)


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


def _to_the_ns(device_id: str, at_ns: int, segments: Iterable[Segment]) -> int:
    """Where intervals end: they say the µs, and a row that was written with them the instant."""
    ends = (one.end_ns for one in segments if one.device_id == device_id)
    return next((end_ns for end_ns in ends if abs(end_ns - at_ns) < _LABEL_NS), at_ns)


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
