"""The devices metered here: those that the sampler names and whose lease is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.agent.tracks import Track
from meter.model import Component, Notice, Severity
from meter.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.agent.leases import Leases
    from meter.model import Device, TickLock
    from meter.sampling.curve import CurveStart
    from meter.sampling.frames import Hello

_RETRY_NS = 10 * NS_PER_S
_GPU_SOURCES = ("nvml", "simulated", "replay")


class Roll:
    """Tracks by device, and what is known of the devices that have none."""

    def __init__(self, leases: Leases, starts: Mapping[str, CurveStart]) -> None:
        self._leases = leases
        self._starts = dict(starts)
        self._retry_ns = 0
        self.known: dict[str, Device] = {}
        self.elsewhere: dict[str, int | None] = {}  # device -> PID of the agent that has it
        self.tracks: dict[str, Track] = {}
        self.locks: dict[str, TickLock] = {}
        self.sources: tuple[tuple[str, str | None], ...] = ()
        self.driver_version: str | None = None
        self.called = False

    @property
    def devices(self) -> dict[str, Device]:
        """The metered devices by id."""
        return {device_id: track.device for device_id, track in self.tracks.items()}

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

    def _admit(self, devices: Sequence[Device]) -> tuple[list[Device], list[Notice]]:
        admitted: list[Device] = []
        notices: list[Notice] = []
        for device in devices:
            if device.id in self.tracks:
                self.tracks[device.id].device = device
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
        return [unread_notice(track.device) for track in self.tracks.values() if track.mute(now_ns)]

    def judged(self, now_ns: int) -> bool:
        """Whether each sensor has told something, or is known to tell nothing."""
        return self.called and not any(
            track.measured and track.looked_ns is None and not track.mute(now_ns)
            for track in list(self.tracks.values())
        )

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
