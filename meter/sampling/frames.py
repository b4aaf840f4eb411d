"""What the sampler and the agent say to each other: one JSON line per frame.

A recording is a file of such lines, so what the sampler sends can be replayed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from meter.errors import SourceError
from meter.model import (
    Component,
    Device,
    DeviceFault,
    DeviceStatus,
    Method,
    MigInstance,
    ProcessLook,
    ProcessUse,
    Reading,
    SamplerBatch,
    TickLock,
)

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Hello:
    """What can be metered here; sent first, and again whenever it changes.

    ``sources`` names each source with the reason why it is absent (None: it is there).
    """

    devices: tuple[Device, ...]
    sources: tuple[tuple[str, str | None], ...]
    driver_version: str | None
    boot_id: str
    pid: int


def encode_hello(hello: Hello) -> bytes:
    """One line, with its newline."""
    return _line(
        {
            "frame": "hello",
            "devices": [_device_row(device) for device in hello.devices],
            "sources": hello.sources,
            "driver_version": hello.driver_version,
            "boot_id": hello.boot_id,
            "pid": hello.pid,
        }
    )


def encode_batch(batch: SamplerBatch) -> bytes:
    """One line, with its newline; empty parts are left out."""
    row: dict[str, Any] = {"frame": "batch", "at_ns": batch.at_ns}
    if batch.readings:
        row["readings"] = [
            (r.device_id, r.at_ns, r.since_ns, r.energy_mj, r.mean_mw, r.instant_mw)
            for r in batch.readings
        ]
    if batch.statuses:
        row["statuses"] = [
            (
                s.device_id,
                s.at_ns,
                s.utilization_ratio,
                s.memory_used_bytes,
                s.temperature_celsius,
                s.sm_clock_mhz,
            )
            for s in batch.statuses
        ]
    if batch.faults:
        row["faults"] = [
            (f.device_id, f.at_ns, f.field, f.reason, f.code, f.lost) for f in batch.faults
        ]
    if batch.locks:
        row["locks"] = [
            (lock.device_id, lock.locked, lock.tick_ns, lock.looks) for lock in batch.locks
        ]
    if batch.processes is not None:
        row["processes"] = [
            (p.device_id, p.pid, p.memory_bytes, p.sm_ratio, p.ended) for p in batch.processes
        ]
    if batch.looks:
        row["looks"] = [(look.device_id, look.at_ns, look.since_ns) for look in batch.looks]
    if batch.dropped:
        row["dropped"] = batch.dropped
    return _line(row)


def decode(line: bytes) -> Hello | SamplerBatch:
    """The frame in one line; SourceError if it is none."""
    try:
        row = json.loads(line)
        kind = row["frame"]
        if kind == "batch":
            return _batch(row)
        if kind == "hello":
            return _hello(row)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unreadable(line) from error
    raise _unreadable(line)


def _unreadable(line: bytes) -> SourceError:
    return SourceError(
        f"not a sampler frame: {line[:60]!r}",
        "check that agent and sampler, or the recording, are of the same version",
    )


def _line(row: dict[str, Any]) -> bytes:
    return _encode(row).encode() + b"\n"


def _device_row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "component": device.component.value,
        "name": device.name,
        "method": device.method.value,
        "index": device.index,
        "pci_bus_id": device.pci_bus_id,
        "power_limit_mw": device.power_limit_mw,
        "power_floor_mw": device.power_floor_mw,
        "instances": [
            (m.uuid, m.gpu_instance, m.compute_instance, m.slices, m.of_slices)
            for m in device.instances
        ],
        "simulated": device.simulated,
    }


def _device(row: dict[str, Any]) -> Device:
    return Device(
        id=row["id"],
        component=Component(row["component"]),
        name=row["name"],
        method=Method(row["method"]),
        index=row["index"],
        pci_bus_id=row["pci_bus_id"],
        power_limit_mw=row["power_limit_mw"],
        power_floor_mw=row.get("power_floor_mw"),
        instances=tuple(MigInstance(*m) for m in row["instances"]),
        simulated=row["simulated"],
    )


def _hello(row: dict[str, Any]) -> Hello:
    return Hello(
        devices=tuple(_device(device) for device in row["devices"]),
        sources=tuple((name, reason) for name, reason in row["sources"]),
        driver_version=row["driver_version"],
        boot_id=row["boot_id"],
        pid=row["pid"],
    )


def _batch(row: dict[str, Any]) -> SamplerBatch:
    processes = row.get("processes")
    return SamplerBatch(
        at_ns=row["at_ns"],
        readings=tuple(Reading(*r) for r in row.get("readings", ())),
        statuses=tuple(DeviceStatus(*s) for s in row.get("statuses", ())),
        faults=tuple(DeviceFault(*f) for f in row.get("faults", ())),
        locks=tuple(TickLock(*lock) for lock in row.get("locks", ())),
        processes=None if processes is None else tuple(ProcessUse(*p) for p in processes),
        dropped=row.get("dropped", 0),
        looks=tuple(ProcessLook(*look) for look in row.get("looks", ())),
    )
