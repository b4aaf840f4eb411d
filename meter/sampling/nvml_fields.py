"""Counter and power of one GPU in one NVML call; the hot path of the sampler."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import pynvml

from meter.errors import TransientError, UnsupportedError
from meter.sampling.nvml_errors import LASTING, call, error_of, text_of
from meter.sampling.source import FieldFault, Look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

FIELDS = {"energy": 83, "mean": 185, "instant": 186}
"""Total energy in mJ, 1 s mean power in mW, power now in mW (``nvml.h``)."""

LIMIT_FACTOR = 4
MAX_POWER_MW = 10_000_000  # where the limit is unknown
_VALUE = struct.Struct("24xII8s")  # nvmlFieldValue_t: valueType, nvmlReturn, value
_ALL = struct.Struct("<24xIIQ24xIII4x24xIII4x")  # the three fields as they come when all is well
_ULONGLONG, _UINT = 3, 1
_READ: dict[int, Callable[[bytes], tuple[Any, ...]]] = {
    0: struct.Struct("<d").unpack,
    1: struct.Struct("<I4x").unpack,
    2: struct.Struct("<Q").unpack,
    3: struct.Struct("<Q").unpack,
    4: struct.Struct("<q").unpack,
    5: struct.Struct("<i4x").unpack,
    6: struct.Struct("<H6x").unpack,
}


class FieldReader:
    """Reads a GPU's counter and power; remembers what the GPU never gives.

    Fields that FieldValues does not serve are tried by their own calls. ``power_is_mean`` says
    what that call for power gives.
    """

    def __init__(self, handle: Any, limit_mw: int | None, *, power_is_mean: bool) -> None:
        self.handle = handle
        self._max_mw = MAX_POWER_MW if limit_mw is None else LIMIT_FACTOR * limit_mw
        self._power_field = "mean" if power_is_mean else "instant"
        self._names: tuple[str, ...] = ()
        self._calls: dict[str, Callable[[Any], int]] = {}
        self._function: Any = None
        self._buffer: Any = ()
        self._whole = False
        try:
            # The binding's own wrapper makes a new array for each call, at several times the cost.
            self._function = call(pynvml._nvmlGetFunctionPointer, "nvmlDeviceGetFieldValues")  # noqa: SLF001
        except UnsupportedError:
            self._use_calls(FIELDS)
        else:
            self._ask_for(FIELDS)

    def look(self) -> Look:
        """One look; DeviceLostError or TransientError if nothing at all can be read."""
        code = 0
        if self._names:
            code = self._function(self.handle, len(self._names), self._buffer)
        if self._whole and code == 0:
            kind, bad, energy, mean_kind, bad_mean, mean, now_kind, bad_now, now = _ALL.unpack(
                self._buffer
            )
            kinds = kind == _ULONGLONG and mean_kind == now_kind == _UINT
            if kinds and not (bad or bad_mean or bad_now) and max(mean, now) <= self._max_mw:
                return Look(energy, mean, now)
        return self._look_closely(code)

    def _look_closely(self, code: int) -> Look:
        """The look in ``_buffer``, of which not all is well or known to be."""
        values: dict[str, int] = {}
        faults: list[FieldFault] = []
        if code in LASTING:
            self._use_calls(self._names)
        elif code:
            raise error_of(code, "nvmlDeviceGetFieldValues")
        else:
            self._read_fields(values, faults)
        if self._calls:
            self._read_calls(values, faults)
        return Look(values.get("energy"), values.get("mean"), values.get("instant"), tuple(faults))

    def _read_fields(self, values: dict[str, int], faults: list[FieldFault]) -> None:
        refused = []
        for name, (kind, code, raw) in zip(
            self._names, _VALUE.iter_unpack(self._buffer), strict=True
        ):
            if code == 0:
                self._take(name, _READ[kind](raw)[0] if kind in _READ else None, values, faults)
            elif code in LASTING:
                refused.append(name)
                if name != "energy":
                    faults.append(FieldFault(name, text_of(code), code, lasting=True))
            else:
                faults.append(FieldFault(name, text_of(code), code))
        if refused:
            self._use_calls(refused)

    def _read_calls(self, values: dict[str, int], faults: list[FieldFault]) -> None:
        for name, function in tuple(self._calls.items()):
            try:
                value = call(function, self.handle)
            except UnsupportedError as error:
                del self._calls[name]
                faults.append(FieldFault(name, error.message, error.code, lasting=True))
            except TransientError as error:
                faults.append(FieldFault(name, error.message, error.code))
            else:
                self._take(name, value, values, faults)

    def _take(
        self, name: str, value: float | None, values: dict[str, int], faults: list[FieldFault]
    ) -> None:
        if value is None or not math.isfinite(value) or value < 0:
            faults.append(FieldFault(name, f"{value} is no reading"))
        elif name != "energy" and value > self._max_mw:
            faults.append(FieldFault(name, f"{value} mW is absurd, at most {self._max_mw} can be"))
        else:
            values[name] = int(value)

    def _use_calls(self, refused: Iterable[str]) -> None:
        """Ask no longer for refused fields; try the older calls instead."""
        left = [name for name in self._names if name not in refused]
        if "energy" in refused:
            self._calls["energy"] = pynvml.nvmlDeviceGetTotalEnergyConsumption
        if not {"mean", "instant"} & set(left):
            self._calls[self._power_field] = pynvml.nvmlDeviceGetPowerUsage
        self._ask_for(left)

    def _ask_for(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._whole = self._names == tuple(FIELDS) and self._function is not None
        self._buffer = (pynvml.c_nvmlFieldValue_t * len(self._names))()
        for value, name in zip(self._buffer, self._names, strict=True):
            value.fieldId = FIELDS[name]
