"""The devices metered here: those that the sampler names and whose lease is ours.

A node's agent leases all that it finds. A private one is one of several on a node, maybe: it leases
a GPU when a run of its own holds it, and gives it back after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.agent.spare import Spare
from meter.agent.tracks import Track
from meter.model import Component, Notice, Severity
from meter.sampling.curve import CurveStart
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from meter.agent.leases import Leases
    from meter.model import Device, TickLock
    from meter.sampling.frames import Hello

_RETRY_NS = 10 * NS_PER_S
_RESERVED_NS = 10 * NS_PER_S
"""How long a GPU is kept for a run that was only asked about."""
_GPU_SOURCES = ("nvml", "simulated", "replay")


class Roll:
    """Tracks by device, and what is known of the devices that have none.

    ``private``: GPUs are ``spares`` until a run holds them; ``held`` are those that runs which go
    on from the last agent hold already.
    """

    def __init__(
        self,
        leases: Leases,
        starts: Mapping[str, CurveStart],
        *,
        private: bool = False,
        held: Collection[str] = (),
    ) -> None:
        self._leases = leases
        self._starts = dict(starts)
        self._private = private
        self._held = frozenset(held)
        self._reserved_ns: dict[str, int] = {}
        self.spares: dict[str, Spare] = {}
        self._retry_ns = 0
        self.known: dict[str, Device] = {}
        self.elsewhere: dict[str, int | None] = {}  # device -> PID of the agent that has it
        self.tracks: dict[str, Track] = {}
        self.locks: dict[str, TickLock] = {}
        self.sources: tuple[tuple[str, str | None], ...] = ()
        self.driver_version: str | None = None
        self.called = False

    def call(self, hello: Hello) -> tuple[list[Device], list[Notice]]:
        """Take the sampler's list; what is metered from now on, and what had to be said."""
        self.called = True
        self.sources = hello.sources
        self.driver_version = hello.driver_version
        for device in hello.devices:
            self.known[device.id] = device
        return self._admit(hello.devices)

    def retry(self, now_ns: int) -> tuple[list[Device], list[Notice]]:
        """Ask again for devices that another agent had."""
        if not self.elsewhere or now_ns < self._retry_ns:
            return [], []
        self._retry_ns = now_ns + _RETRY_NS
        return self._admit([self.known[device_id] for device_id in self.elsewhere])

    def at(self, device_id: str | None) -> Track | Spare | None:
        """Who takes what is told of a device."""
        found = device_id or ""
        return self.tracks.get(found) or self.spares.get(found)

    def looked_at(self) -> dict[str, Track]:
        """How each device stands whose lease is ours or could be; any thread."""
        spares = list(self.spares.items())  # at once: the metering thread may change it
        return {**{device_id: spare.track for device_id, spare in spares}, **self.tracks}

    def reserve(self, device_ids: Iterable[str], now_ns: int) -> None:
        """Lease the GPUs that a run asks for, at once if another agent had them until now."""
        for device_id in device_ids if self._private else ():
            device = self.known[device_id]
            if device_id in self.tracks or not self._on_demand(device):
                continue
            self._lease(device)  # that it cannot is told of with the run
            if device_id in self.elsewhere:
                self.spares.pop(device_id, None)
            else:
                self.spares.setdefault(device_id, Spare(device))
                self._reserved_ns[device_id] = now_ns

    def claim(self, device_ids: Iterable[str], start_ns: int) -> tuple[list[Device], list[Notice]]:
        """Meter the GPUs of a run from its start on; those, and what had to be said."""
        claimed: list[Device] = []
        notices: list[Notice] = []
        for device_id in device_ids:
            spare = self.spares.get(device_id)
            if spare is None:
                continue
            notices += self._lease(self.known[device_id])
            del self.spares[device_id]
            self._reserved_ns.pop(device_id, None)
            if device_id in self.elsewhere:
                continue
            start = self._starts.pop(device_id, None)
            self.tracks[device_id] = spare.held_from(start_ns, start)
            claimed.append(self.known[device_id])
        return claimed, notices

    def free(self, held: Collection[str], now_ns: int) -> None:
        """Give back the GPUs that no run holds any more; their curves go on when one does."""
        for device_id in [d for d in self.tracks if d not in held] if self._private else ():
            if self._on_demand(self.known[device_id]):
                self._let_go(device_id)
        for device_id, at_ns in list(self._reserved_ns.items()):
            if now_ns - at_ns > _RESERVED_NS:
                del self._reserved_ns[device_id]
                self._leases.release(device_id)

    def _let_go(self, device_id: str) -> None:
        track = self.tracks.pop(device_id)
        if track.booked_ns is not None:
            self._starts[device_id] = CurveStart(
                track.booked_mj, track.booked_ns, track.counter_mj, track.booked_ns
            )
        self.spares[device_id] = Spare(track.device)
        self._leases.release(device_id)

    def _on_demand(self, device: Device) -> bool:
        """Whether a device is leased only when a run holds it."""
        return self._private and device.component is Component.GPU and not device.simulated

    def _admit(self, devices: Sequence[Device]) -> tuple[list[Device], list[Notice]]:
        admitted: list[Device] = []
        notices: list[Notice] = []
        for device in devices:
            if device.id in self.tracks:
                self.tracks[device.id].device = device
                continue
            if device.id in self.spares:
                self.spares[device.id].track.device = device
                continue
            if self._on_demand(device) and device.id not in self._held | self.elsewhere.keys():
                self.spares[device.id] = Spare(device)
                continue
            if not device.simulated:
                notices += self._lease(device)
            if device.id not in self.elsewhere:
                self.tracks[device.id] = Track(device, self._starts.pop(device.id, None))
                admitted.append(device)
        return admitted, notices

    def _lease(self, device: Device) -> list[Notice]:
        answer = self._leases.take(device.id)
        if answer.granted:
            self.elsewhere.pop(device.id, None)
            if answer.reason is None:
                return []
            text = (
                f"Nothing keeps another agent from metering {device.id} too: {answer.reason}. "
                "Set METER_LEASE_DIR to a folder that all agents of this node can write to."
            )
            return [Notice("lease_unavailable", text, Severity.WARNING, device_id=device.id)]
        known = self.elsewhere.get(device.id, -1)
        self.elsewhere[device.id] = answer.holder
        return [] if known == answer.holder else [self.notice_of(device.id)]

    def absences(self) -> list[Notice]:
        """That GPUs cannot be metered here, and why; the host's parts are modelled instead."""
        return [
            Notice("gpu_source_absent", f"GPUs are not metered as they should be: {reason}.",
                   Severity.WARNING)
            for name, reason in self.sources
            if reason is not None and name in _GPU_SOURCES
        ]  # fmt: skip

    def unread(self, now_ns: int) -> list[Notice]:
        """That sensors which were found have told nothing at all, one notice for each."""
        tracks = self.looked_at().values()
        return [unread_notice(track.device) for track in tracks if track.mute(now_ns)]

    def judged(self, now_ns: int) -> bool:
        """Whether each sensor has told something, or is known to tell nothing."""
        return self.called and not any(
            track.measured and track.looked_ns is None and not track.mute(now_ns)
            for track in self.looked_at().values()
        )

    def owes(self, device_id: str, now_ns: int) -> bool:
        """Whether a device is still to tell what it used while no agent ran."""
        track = self.tracks.get(device_id)
        if track is not None:
            return track.owes(now_ns)
        start = self._starts.get(device_id)
        return not self.called and start is not None and start.counter_mj is not None

    def is_gpu_elsewhere(self, device_id: str) -> bool:
        """Whether another agent meters this GPU."""
        return device_id in self.elsewhere and self.known[device_id].component is Component.GPU

    def notice_of(self, device_id: str) -> Notice:
        """That a device is metered by another agent."""
        holder = self.elsewhere.get(device_id)
        who = f"process {holder}" if holder else "another agent"
        what = "GPU" if self.known[device_id].component is Component.GPU else "component"
        text = f"The {what} {device_id} is metered by {who}, so it is not counted here."
        return Notice("device_leased", text, Severity.WARNING, device_id=device_id)


def unread_notice(device: Device) -> Notice:
    """That neither energy nor power of a device can be read."""
    text = (
        f"{device.name} ({device.id}): neither its energy counter nor its power can be read; what "
        "it uses is not known, and counts as zero energy that is not covered."
    )
    return Notice("device_unreadable", text, Severity.WARNING, device_id=device.id)
