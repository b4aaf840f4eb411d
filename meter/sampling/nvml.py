"""NVIDIA GPUs through NVML; the only module, with its two helpers, that knows NVML."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pynvml

from meter.errors import DeviceLostError, SourceAbsentError, SourceError, UnsupportedError
from meter.model import Component, Device, DeviceStatus, Method, MigInstance, ProcessUse
from meter.sampling.nvml_errors import absent, attempt, call, insist
from meter.sampling.nvml_fields import FieldReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.sampling.source import Look

GA100 = ("A100", "A800", "A30")  # the Ampere boards whose nvmlDeviceGetPowerUsage is no mean
MIG_SLICES = 7
MIG_SLICES_OF = {"A30": 4}
_NOT_AVAILABLE = 2**64 - 1


class _Board:
    """A GPU with its handle, and what it never gives."""

    __slots__ = ("agreed", "listed", "never", "reader", "seen_us")

    def __init__(self, reader: FieldReader) -> None:
        self.reader = reader
        self.never: set[str] = set()
        self.seen_us = 0  # newest process utilisation sample
        self.listed: set[int] = set()  # PIDs of the look before
        self.agreed = False  # both lists have named the same PID


class Nvml:
    """The GPUs of this node, by UUID; MIG instances are listed with their board.

    ``clock`` is CLOCK_BOOTTIME in ns. :meth:`open` called again finds lost and new GPUs; after
    :meth:`close` it starts NVML anew.
    """

    name = "nvml"

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._boards: dict[str, _Board] = {}
        self._driver_version: str | None = None
        self._started = False
        self._incomplete: str | None = None

    @property
    def driver_version(self) -> str | None:
        """Version of the driver, None before :meth:`open`."""
        return self._driver_version

    @property
    def incomplete(self) -> str | None:
        """Why some GPU is missing in the last list."""
        return self._incomplete

    def open(self) -> list[Device]:
        """Start NVML if need be, and list the GPUs; SourceAbsentError if it cannot be asked."""
        self._start()
        self._driver_version = attempt(pynvml.nvmlSystemGetDriverVersion) or self._driver_version
        try:
            count = insist(pynvml.nvmlDeviceGetCount)
        except DeviceLostError as error:
            self._stop()
            raise SourceAbsentError(error.message, error.remedy, code=error.code) from error
        devices = []
        self._incomplete = None
        for index in range(count):
            try:
                devices.append(self._open_board(index))
            except SourceError as error:
                self._incomplete = f"GPU {index}: {error.message}"
        present = {device.id for device in devices}
        self._boards = {uuid: board for uuid, board in self._boards.items() if uuid in present}
        return devices

    def look(self, device_id: str) -> Look:
        """Counter and power in one call."""
        board = self._boards.get(device_id)
        if board is None:
            raise DeviceLostError(f"{device_id} is not there")
        return board.reader.look()

    def status(self, device_id: str) -> DeviceStatus | None:
        """Gauges; what the GPU never gives is asked for once."""
        board = self._board(device_id)
        handle = board.reader.handle
        use = self._gauge(board, pynvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._gauge(board, pynvml.nvmlDeviceGetMemoryInfo, handle)
        temperature = self._gauge(
            board, pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU
        )
        clock = self._gauge(board, pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM)
        return DeviceStatus(
            device_id,
            self._clock(),
            utilization_ratio=None if use is None else use.gpu / 100,
            memory_used_bytes=None if memory is None else int(memory.used),
            temperature_celsius=None if temperature is None else float(temperature),
            sm_clock_mhz=clock,
        )

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:
        """Compute processes with host PIDs and their use, 0 for those that did nothing.

        Those that ended since the look before come too, if they did something. No use is given
        where none can be asked for, or where the two lists name PIDs differently.
        """
        board = self._board(device_id)
        if "processes" in board.never:
            return None
        try:
            found = self._listed(board.reader.handle)
        except UnsupportedError:
            board.never.add("processes")
            raise
        listed = {int(process.pid) for process in found}
        shares = self._agreed_shares(board, listed)
        known = (
            ProcessUse(
                device_id,
                int(process.pid),
                memory_bytes=_memory(process.usedGpuMemory),
                sm_ratio=None if shares is None else shares.get(int(process.pid), 0.0),
            )
            for process in found
        )
        gone = (
            ProcessUse(device_id, pid, sm_ratio=used, ended=True)
            for pid, used in (shares or {}).items()
            if used and pid not in listed
        )
        return (*known, *gone)

    def resolution_ns(self, device_id: str) -> int | None:  # noqa: ARG002 - one interface
        """None: the counter ticks."""
        return None

    def close(self) -> None:
        """Give NVML back."""
        self._stop()

    def _start(self) -> None:
        if self._started:
            return
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise absent(error.value) from error
        except pynvml.NVMLLibraryMismatchError as error:
            raise absent(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND) from error
        self._started = True

    def _stop(self) -> None:
        if self._started:
            self._started = False
            self._boards.clear()
            with suppress(pynvml.NVMLError):  # nothing is left to give back
                pynvml.nvmlShutdown()

    def _open_board(self, index: int) -> Device:
        handle = insist(pynvml.nvmlDeviceGetHandleByIndex, index)
        uuid = insist(pynvml.nvmlDeviceGetUUID, handle)
        name = attempt(pynvml.nvmlDeviceGetName, handle) or "NVIDIA GPU"
        limit_mw = attempt(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        if limit_mw is None:
            limit_mw = attempt(pynvml.nvmlDeviceGetPowerManagementLimit, handle)
        pci = attempt(pynvml.nvmlDeviceGetPciInfo, handle)
        known = self._boards.get(uuid)
        if known is None or not _same(known.reader.handle, handle):
            mean = _power_is_mean(attempt(pynvml.nvmlDeviceGetArchitecture, handle), name)
            self._boards[uuid] = _Board(FieldReader(handle, limit_mw, power_is_mean=mean))
        return Device(
            id=uuid,
            component=Component.GPU,
            name=name,
            method=Method.MEASURED,
            index=index,
            pci_bus_id=None if pci is None else _text(pci.busId),
            power_limit_mw=limit_mw,
            instances=tuple(_instances(handle, name)),
        )

    def _board(self, device_id: str) -> _Board:
        board = self._boards.get(device_id)
        if board is None:
            raise DeviceLostError(f"{device_id} is not there")
        return board

    def _gauge(self, board: _Board, function: Callable[..., Any], *arguments: object) -> Any:
        name = function.__name__
        if name in board.never:
            return None
        try:
            return call(function, *arguments)
        except UnsupportedError:
            board.never.add(name)
        except DeviceLostError:
            raise
        except SourceError:
            return None
        return None

    def _listed(self, handle: Any) -> list[Any]:
        try:
            return list(call(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle))
        except UnsupportedError as error:
            if error.code != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                raise
        return list(call(pynvml.nvmlDeviceGetComputeRunningProcesses_v2, handle))

    def _agreed_shares(self, board: _Board, listed: set[int]) -> dict[int, float] | None:
        """Use by PID since the look before, None where it is not told, or by other PIDs."""
        first = not board.seen_us
        before, board.listed = board.listed, listed
        if first and not listed:
            return {}  # what was before us is nobody's here
        shares = self._sm_shares(board)
        if shares is None:
            return None
        board.agreed = board.agreed or not shares.keys().isdisjoint(listed | before)
        if shares and not board.agreed:
            return None
        return {pid: used for pid, used in shares.items() if pid in listed} if first else shares

    def _sm_shares(self, board: _Board) -> dict[int, float] | None:
        """Mean use by PID since the last call, None where it is not told.

        A process has no sample of the time in which it did nothing.
        """
        if "sm" in board.never:
            return None
        since_us = min(board.seen_us, time.time_ns() // 1_000)  # the clock may have been set back
        try:
            samples = call(pynvml.nvmlDeviceGetProcessUtilization, board.reader.handle, since_us)
        except UnsupportedError:
            board.never.add("sm")
            return None
        except DeviceLostError:
            raise
        except SourceError as error:
            return {} if error.code == pynvml.NVML_ERROR_NOT_FOUND else None
        fresh = [sample for sample in samples if sample.timeStamp > 0 and sample.smUtil <= 100]
        board.seen_us = max((int(sample.timeStamp) for sample in fresh), default=board.seen_us)
        shares: dict[int, list[int]] = {}
        for sample in fresh:
            shares.setdefault(int(sample.pid), []).append(int(sample.smUtil))
        most = max((len(seen) for seen in shares.values()), default=1)
        return {pid: sum(seen) / most / 100 for pid, seen in shares.items()}


def _instances(handle: Any, name: str) -> list[MigInstance]:
    mode = attempt(pynvml.nvmlDeviceGetMigMode, handle)
    if not mode or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return []
    of_slices = next((n for part, n in MIG_SLICES_OF.items() if part in name), MIG_SLICES)
    found = []
    for index in range(attempt(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        with suppress(SourceError):  # an index without an instance, or one that just went
            mig = call(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            attributes = attempt(pynvml.nvmlDeviceGetAttributes, mig)
            found.append(
                MigInstance(
                    uuid=call(pynvml.nvmlDeviceGetUUID, mig),
                    gpu_instance=call(pynvml.nvmlDeviceGetGpuInstanceId, mig),
                    compute_instance=call(pynvml.nvmlDeviceGetComputeInstanceId, mig),
                    slices=int(attributes.computeInstanceSliceCount) if attributes else 1,
                    of_slices=of_slices,
                )
            )
    return found


def _power_is_mean(architecture: int | None, name: str) -> bool:
    """What nvmlDeviceGetPowerUsage gives, as ``nvml.h`` has it: a mean since Ampere but GA100."""
    if architecture is None or architecture < pynvml.NVML_DEVICE_ARCH_AMPERE:
        return False
    ampere = architecture == pynvml.NVML_DEVICE_ARCH_AMPERE
    return not (ampere and any(word in GA100 for word in name.replace("-", " ").split()))


def _same(one: Any, other: Any) -> bool:
    return bytes(one) == bytes(other)


def _memory(used: int | None) -> int | None:
    return None if used is None or used == _NOT_AVAILABLE else int(used)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
