"""What every source of readings offers: NVML, RAPL, host model, simulated, replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from meter.model import Device, DeviceStatus, ProcessUse


class FieldFault(NamedTuple):
    """One field that a look did not get; ``code`` is the driver's, ``lasting`` means "never"."""

    field: str
    reason: str
    code: int | None = None
    lasting: bool = False


class Look(NamedTuple):
    """One look at a device; None is "not given", never zero.

    ``energy_mj`` is cumulative, ``mean_mw`` the 1 s mean, ``instant_mw`` power now or of unknown
    kind. A field that failed is None and told in ``faults``; one that the device never gives is
    told once.
    """

    energy_mj: int | None = None
    mean_mw: int | None = None
    instant_mw: int | None = None
    faults: tuple[FieldFault, ...] = ()


class Source(Protocol):
    """A source of readings; all calls may raise :class:`meter.errors.SourceError`."""

    @property
    def name(self) -> str:
        """Name for people and reasons: nvml, rapl, host, simulated, replay."""

    @property
    def driver_version(self) -> str | None:
        """Version of the driver; another version means another counter epoch."""

    @property
    def incomplete(self) -> str | None:
        """Why the last :meth:`open` did not list all devices; None if it did."""

    def open(self) -> list[Device]:
        """Open if need be, and list the devices; may be called again at any time.

        Raises SourceAbsentError with the reason, TransientError if another try may help.
        """

    def look(self, device_id: str) -> Look:
        """Counter and power in one call.

        Raises TransientError (nothing this time), DeviceLostError (call :meth:`open` again).
        """

    def status(self, device_id: str) -> DeviceStatus | None:
        """Gauges of a device, None if it has none."""

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:
        """Processes with a context on the device, None if that cannot be told."""

    def resolution_ns(self, device_id: str) -> int | None:
        """How old ``energy_mj`` is at most; None: it ticks, and the tick must be learnt."""

    def close(self) -> None:
        """Give everything back; never raises."""
