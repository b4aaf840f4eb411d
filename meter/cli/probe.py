"""Tries each measuring source once and prints what it found as JSON.

It is a program of its own, so that a driver that hangs or crashes takes nothing with it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from meter.errors import SourceError
from meter.sampling.process import gpu_sources, host_sources

if TYPE_CHECKING:
    from meter.model import Device
    from meter.sampling.source import Source

_BETWEEN_LOOKS_S = 0.25  # longer than the slowest counter's tick


def main(arguments: list[str]) -> int:
    """Probe with the configuration that the sampler would get, in JSON."""
    config = json.loads(arguments[0])
    sources = [*gpu_sources(config), *host_sources(config)]
    json.dump([_source(source) for source in sources], sys.stdout)
    return 0


def _source(source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {"name": source.name, "devices": []}
    try:
        devices = source.open()
        first = {device.id: _look(source, device) for device in devices}
        time.sleep(_BETWEEN_LOOKS_S if devices else 0)
        found["devices"] = [_device(source, device, first[device.id]) for device in devices]
    except SourceError as error:
        found |= {"reason": error.message, "remedy": error.remedy}
    found |= {"driver": source.driver_version, "incomplete": source.incomplete}
    source.close()
    return found


def _look(source: Source, device: Device) -> dict[str, Any]:
    try:
        look = source.look(device.id)
    except SourceError as error:
        return {"energy_mj": None, "power_mw": None, "faults": [error.message]}
    power_mw = look.mean_mw if look.mean_mw is not None else look.instant_mw
    faults = [f"{fault.field}: {fault.reason}" for fault in look.faults]
    return {"energy_mj": look.energy_mj, "power_mw": power_mw, "faults": faults}


def _device(source: Source, device: Device, first: dict[str, Any]) -> dict[str, Any]:
    second = _look(source, device)
    energies = first["energy_mj"], second["energy_mj"]
    return {
        "id": device.id,
        "name": device.name,
        "component": str(device.component),
        "index": device.index,
        "method": str(device.method),
        "simulated": device.simulated,
        "mig_instances": len(device.instances),
        "counter": None not in energies,
        "counter_moved": None not in energies and energies[0] != energies[1],
        "power_w": None if second["power_mw"] is None else second["power_mw"] / 1_000,
        "faults": sorted({*first["faults"], *second["faults"]}),
    }
