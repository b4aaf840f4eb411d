"""Looks at the processes of devices in; what each run used of them out, and what to tell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from meter.agent.kin import Stranger
from meter.metering.activity import Use
from meter.model import Notice, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.agent.runs import LiveRun
    from meter.agent.tracks import Track
    from meter.model import Device, ProcessLook, ProcessUse, SamplerBatch

IDLE_PART = 10
"""A device of unknown idle power is taken to draw a tenth of its limit when it does nothing."""
_UNITS = 100_000


class Relations(Protocol):
    """Tells whose a process is."""

    @property
    def sure(self) -> bool:
        """Whether NVML's PIDs mean the same here."""

    def refresh(self) -> None:
        """Take note of the runs that live now."""

    def of(self, pid: int) -> str | Stranger:
        """Its run."""


@dataclass(slots=True)
class _Heard:
    """What the looks at a device have told so far."""

    lowest_mw: int | None = None
    unused_mw: int | None = None  # the lowest while no process was on it


@dataclass(slots=True)
class _Crowd:
    """The processes of one look, by owner: use, and the PID to tell of."""

    runs: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    strays: dict[str, int] = field(default_factory=dict)
    others: int | None = None
    other_pid: int = 0

    def stranger(self, pid: int, weight: int) -> None:
        """A process that no run of the device has."""
        self.others = weight + (self.others or 0)
        self.other_pid = pid


class Attendance:
    """Knows the idle power of devices, and whether PIDs can be understood here."""

    def __init__(self, relations: Relations | None = None) -> None:
        self._relations = relations
        self._heard: dict[str, _Heard] = {}
        self._workers: dict[str, set[str]] = {}  # runs that used a device, as told last
        self._understood = False

    def take(
        self, frame: SamplerBatch, tracks: Mapping[str, Track], runs: Mapping[str, LiveRun]
    ) -> tuple[list[tuple[str, Use]], list[Notice]]:
        """The uses that a frame's looks tell, by device, and notices to the runs."""
        uses: list[tuple[str, Use]] = []
        notices: list[Notice] = []
        if self._relations is None or not frame.looks:
            return uses, notices
        self._relations.refresh()
        listed: defaultdict[str, list[ProcessUse]] = defaultdict(list)
        for process in frame.processes or ():
            listed[process.device_id].append(process)
        for look in frame.looks:
            track = tracks.get(look.device_id)
            if track is None or track.device.instances:
                continue
            found = listed[look.device_id]
            holders = {run_id for run_id, live in runs.items() if look.device_id in live.shares}
            crowd = self._crowd(self._relations, found, holders)
            if crowd is None:
                continue
            self._weigh_power(track, look, unused=not found)
            notices += _notices(track.device, crowd, holders)
            if all(process.sm_ratio is not None for process in found):
                uses.append((look.device_id, self._use(track.device, look, crowd)))
            self._workers[look.device_id] = {run for run, weight in crowd.runs.items() if weight}
        return uses, notices

    def _crowd(
        self, relations: Relations, found: list[ProcessUse], holders: set[str]
    ) -> _Crowd | None:
        """Who is there; None where the PIDs may mean something else here.

        Without the host's own numbers they are believed once all that a look lists are processes
        here, and one is a run's: PIDs of the host are hardly ever all taken here too.
        """
        whose = [(process, relations.of(process.pid)) for process in found]
        if not relations.sure:
            strange = any(owner is Stranger.UNSEEN for one, owner in whose if one.listed)
            if not strange and any(isinstance(owner, str) for _, owner in whose):
                self._understood = True
            if strange or not self._understood:
                return None
        crowd = _Crowd()
        for process, owner in whose:
            weight = round((process.sm_ratio or 0) * _UNITS)
            if isinstance(owner, str) and owner in holders:
                crowd.runs[owner] += weight
                continue
            crowd.stranger(process.pid, weight)
            if isinstance(owner, str):
                crowd.strays[owner] = process.pid
        return crowd

    def _weigh_power(self, track: Track, look: ProcessLook, *, unused: bool) -> None:
        power_mw = track.fresh_power_mw(look.at_ns)
        if power_mw is None:
            return
        heard = self._heard.setdefault(look.device_id, _Heard())
        heard.lowest_mw = min(power_mw, heard.lowest_mw or power_mw)
        status = track.fresh_status(look.at_ns)
        busy = status is not None and bool(status.utilization_ratio)
        if unused and not busy:
            heard.unused_mw = min(power_mw, heard.unused_mw or power_mw)

    def _use(self, device: Device, look: ProcessLook, crowd: _Crowd) -> Use:
        heard = self._heard.get(device.id, _Heard())
        idle_mw = heard.unused_mw
        if idle_mw is None:
            assumed = (device.power_limit_mw or 0) // IDLE_PART
            idle_mw = assumed if heard.lowest_mw is None else min(assumed, heard.lowest_mw)
        gone = self._workers.get(device.id, set()) - crowd.runs.keys()
        # what has ended is not in the look, and may have worked: the look before tells of it
        since_ns = None if gone else look.since_ns
        return Use(
            from_ns=look.at_ns if since_ns is None else since_ns,
            at_ns=look.at_ns,
            runs=tuple(sorted(crowd.runs.items())),
            others=crowd.others,
            idle_mw=idle_mw,
            idle_seen=heard.unused_mw is not None,
        )


def _notices(device: Device, crowd: _Crowd, holders: set[str]) -> list[Notice]:
    name = device.name if device.index is None else f"GPU {device.index}"
    found = [
        Notice(
            "uses_other_gpu",
            f"A process of this run (PID {pid}) is on {name}, which the run does not hold; what it "
            "uses there is not counted to it. Name all GPUs with --gpus.",
            Severity.WARNING,
            run_id=run_id,
            device_id=device.id,
        )
        for run_id, pid in crowd.strays.items()
    ]
    if crowd.others is not None and len(holders) == 1 and not crowd.strays:
        text = (
            f"A process (PID {crowd.other_pid}) that belongs to no run, as far as its parents and "
            f"its control group tell, is on {name} too; what it uses is counted to this run."
        )
        found.append(Notice("other_process", text, run_id=min(holders), device_id=device.id))
    return found
