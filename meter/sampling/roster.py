"""The sources of this node: opened, asked again when they failed, their lost devices found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meter.model import Device
    from meter.sampling.looker import Looker
    from meter.sampling.source import Source

FIRST_RETRY_NS = 250_000_000
MAX_RETRY_NS = 30_000_000_000
RESCAN_NS = 60_000_000_000


class Entry:
    """One source, what it offers now, and when to ask it again."""

    __slots__ = ("ask_ns", "devices", "reason", "retry_ns", "source", "tries")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.devices: tuple[Device, ...] = ()
        self.reason: str | None = "not opened yet"
        self.ask_ns = 0
        self.retry_ns = FIRST_RETRY_NS
        self.tries = 0


class Roster:
    """Keeps the looker's devices up to date with what the sources offer.

    A source that is absent, or has lost a device, is asked again with growing pauses from 0.25 s
    to 30 s, each second time after closing it; one that is well once a minute, to find new
    devices.
    """

    def __init__(self, sources: Iterable[Source], looker: Looker, clock: Callable[[], int]) -> None:
        self._looker = looker
        self._clock = clock
        self._entries = [Entry(source) for source in sources]
        self.changed = False
        """Whether devices or reasons are others than before; whoever tells of it clears it."""

    @property
    def devices(self) -> tuple[Device, ...]:
        """What can be metered now."""
        return tuple(device for entry in self._entries for device in entry.devices)

    @property
    def reasons(self) -> tuple[tuple[str, str | None], ...]:
        """Each source with the reason why it is absent."""
        return tuple((entry.source.name, entry.reason) for entry in self._entries)

    @property
    def driver_version(self) -> str | None:
        """Version of the GPU driver."""
        versions = (entry.source.driver_version for entry in self._entries)
        return next((version for version in versions if version), None)

    def add(self, source: Source) -> None:
        """One source more; it is opened by the next :meth:`refresh`."""
        self._entries.append(Entry(source))

    def refresh(self) -> None:
        """Ask each source whose time has come, and those that lost a device."""
        for source, device_id in self._looker.take_lost():
            self._lose(source, device_id)
        for entry in self._entries:
            if self._clock() >= entry.ask_ns:
                self._ask(entry)

    def close(self) -> None:
        """Give all sources back."""
        for entry in self._entries:
            entry.source.close()

    def _lose(self, source: Source, device_id: str) -> None:
        for entry in self._entries:
            if entry.source is source:
                entry.devices = tuple(each for each in entry.devices if each.id != device_id)
                entry.ask_ns = min(entry.ask_ns, self._clock() + FIRST_RETRY_NS)
                entry.retry_ns = FIRST_RETRY_NS
                self.changed = True

    def _ask(self, entry: Entry) -> None:
        entry.tries += 1
        ailing = entry.reason is not None or entry.source.incomplete is not None
        if ailing and entry.tries % 2 == 0:
            entry.source.close()
        try:
            devices = tuple(entry.source.open())
            reason = entry.source.incomplete
        except SourceError as error:
            devices, reason = (), str(error)
            if reason != entry.reason:  # once, not at each try
                self._looker.tell_error(None, entry.source.name, error)
        if reason is None:
            entry.retry_ns, entry.tries = FIRST_RETRY_NS, 0
            entry.ask_ns = self._clock() + RESCAN_NS
        else:
            entry.ask_ns = self._clock() + entry.retry_ns
            entry.retry_ns = min(2 * entry.retry_ns, MAX_RETRY_NS)
        self._take(entry, devices, reason)

    def _take(self, entry: Entry, devices: tuple[Device, ...], reason: str | None) -> None:
        watched = set(self._looker.device_ids)
        present = {device.id for device in devices}
        for device in entry.devices:
            if device.id not in present:
                self._looker.unwatch(device.id)
        for device in devices:
            if device.id not in watched:
                self._looker.watch(device.id, entry.source)
        if (devices, reason) != (entry.devices, entry.reason):
            entry.devices, entry.reason = devices, reason
            self.changed = True
