"""NVML's error codes as errors of ours, each with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pynvml

from meter.errors import (
    DeviceLostError,
    SourceAbsentError,
    SourceError,
    TransientError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LASTING = frozenset(
    {
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        pynvml.NVML_ERROR_DEPRECATED,
    }
)
LOST = frozenset(
    {
        pynvml.NVML_ERROR_UNINITIALIZED,
        pynvml.NVML_ERROR_INVALID_ARGUMENT,  # a stale handle
        pynvml.NVML_ERROR_GPU_IS_LOST,
        pynvml.NVML_ERROR_GPU_NOT_FOUND,
    }
)
REMEDIES = {
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "load the NVIDIA driver to meter GPUs",
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
        "install the NVIDIA driver, or give the container the utility capability, to meter GPUs"
    ),
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
        "reload the NVIDIA driver or reboot: library and driver are of different versions"
    ),
    pynvml.NVML_ERROR_UNKNOWN: (
        "look at dmesg; in a container, start it again: a daemon-reload on the host takes its GPUs"
    ),
    pynvml.NVML_ERROR_NO_PERMISSION: "let this user read /dev/nvidiactl",
}


def text_of(code: int) -> str:
    """NVML's name for a code, from the binding's own table: no call into the library."""
    return str(pynvml.NVMLError(code))


def error_of(code: int, what: str) -> SourceError:
    """The error for a return code of a call on a device."""
    message = f"{what}: {text_of(code)}"
    if code in LASTING:
        return UnsupportedError(message, code=code)
    if code in LOST:
        return DeviceLostError(message, code=code)
    return TransientError(message, code=code)


def absent(code: int) -> SourceAbsentError:
    """The error for a return code of the initialisation."""
    return SourceAbsentError(text_of(code), REMEDIES.get(code, ""), code=code)


def call(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function of the binding; SourceError instead of its exceptions."""
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        raise error_of(error.value, function.__name__) from error
    except pynvml.NVMLLibraryMismatchError as error:  # not an NVMLError
        raise error_of(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, function.__name__) from error


def insist(function: Callable[..., Any], *arguments: object, tries: int = 3) -> Any:
    """Same, tried again at once where it may pass: an occasional UNKNOWN hides no GPU."""
    for _ in range(tries - 1):
        try:
            return call(function, *arguments)
        except TransientError:
            continue
    return call(function, *arguments)


def attempt(function: Callable[..., Any], *arguments: object) -> Any:
    """Same, but None for what the device does not give, now or ever; DeviceLostError passes."""
    try:
        return insist(function, *arguments)
    except (UnsupportedError, TransientError):
        return None
