"""Looks at the processes of devices in; what each run used of them out, and what to tell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from meter.agent.kin import Stranger
from meter.metering.activity import Use
from meter.model import Notice, Severity
from meter.sampling.identity import positional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meter.agent.runs import LiveRun, Wanted
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

    def inside(self, run_id: str) -> bool:
        """Whether a run's processes are in a PID namespace below ours: a container."""


@dataclass(slots=True)
class _Heard:
    """What the looks at a device have told so far."""

    lowest_mw: int | None = None
    unused_mw: int | None = None  # the lowest while no process was on it
    pids: frozenset[int] = frozenset()  # listed by the look before


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
            told = self._told(look, found)
            crowd = self._crowd(self._relations, found, holders, runs)
            if crowd is None:
                continue
            self._weigh_power(track, look, unused=not found)
            notices += _notices(track.device, crowd, holders)
            if all(process.sm_ratio is not None for process in found):
                uses.append((look.device_id, self._use(track.device, told, crowd)))
        notices += [_container_notice(run_id) for run_id in self._contained(runs)]
        return uses, notices

    def _told(self, look: ProcessLook, found: list[ProcessUse]) -> ProcessLook:
        """The look; without the time before it where it cannot tell who used the device then.

        A process that was listed and has gone without a word may have used it until just now: what
        the look before told of it is the better guess.
        """
        heard = self._heard.setdefault(look.device_id, _Heard())
        before = heard.pids
        heard.pids = frozenset(process.pid for process in found if not process.ended)
        silent = before - {process.pid for process in found}
        return replace(look, since_ns=None) if silent else look

    def _contained(self, runs: Mapping[str, LiveRun]) -> list[str]:
        """Attached runs in a container that does not say which GPUs it has."""
        relations = self._relations
        return [
            run_id
            for run_id, live in runs.items()
            if relations is not None
            and live.attached
            and _counts(live.wanted)
            and relations.inside(run_id)
        ]

    def _crowd(
        self,
        relations: Relations,
        found: list[ProcessUse],
        holders: set[str],
        runs: Mapping[str, LiveRun],
    ) -> _Crowd | None:
        """Who is there; None where the PIDs may mean something else here.

        Without the host's own numbers they are believed once all that a look lists are processes
        here, and one is a run's: PIDs of the host are hardly ever all taken here too.
        """
        whose = [(process, relations.of(process.pid)) for process in found]
        if not relations.sure:
            listed = [owner for process, owner in whose if not process.ended]
            strange = Stranger.UNSEEN in listed
            if not strange and any(isinstance(owner, str) for owner in listed):
                self._understood = True
            if strange or not self._understood:
                return None
        crowd = _Crowd()
        for process, owner in whose:
            weight = round((process.sm_ratio or 0) * _UNITS)
            if isinstance(owner, str) and owner in holders:
                crowd.runs[owner] += weight
            elif not process.ended:
                crowd.stranger(process.pid, weight)
                if isinstance(owner, str):
                    crowd.strays[owner] = process.pid
            elif not isinstance(owner, str) or owner in runs:  # else its run is over, and has it
                crowd.others = weight + (crowd.others or 0)
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
        return Use(
            from_ns=look.at_ns if look.since_ns is None else look.since_ns,
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
    if crowd.other_pid and len(holders) == 1 and not crowd.strays:
        text = (
            f"A process (PID {crowd.other_pid}) that belongs to no run, as far as its parents and "
            f"its control group tell, is on {name} too; what it uses is counted to this run."
        )
        found.append(Notice("other_process", text, run_id=min(holders), device_id=device.id))
    return found


def _counts(wanted: Wanted) -> bool:
    """Whether a run's devices are known by numbers, or not at all."""
    named = wanted.visible is not None and not positional(wanted.visible)
    return wanted.gpus is None and wanted.container is None and not named


def _container_notice(run_id: str) -> Notice:
    text = (
        "The process that was attached to is in a container, which may count GPUs otherwise than "
        "the node: name its own with --gpus to be sure."
    )
    return Notice("attached_container", text, Severity.WARNING, run_id=run_id)
