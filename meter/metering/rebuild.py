"""The open minute after a crash: kept 1 Hz rows become segments again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.model import Basis, Method, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meter.model import Device, RawReading

GAIN = (5, 100)
"""A board's sensors may be wrong by this part, see ADR 0007."""
MODEL_SLACK = (50, 100)
"""The same for a load model."""


def gain_bounds(energy_mj: int, method: Method = Method.MEASURED) -> tuple[int, int]:
    """Bounds of an energy that the gain of a sensor, or a model, leaves, rounded outwards."""
    part, whole = GAIN if method is Method.MEASURED else MODEL_SLACK
    slack = -(-abs(energy_mj) * part // whole)
    return energy_mj - slack, energy_mj + slack


def segments_of(device: Device, rows: Sequence[RawReading]) -> list[Segment]:
    """Segments between a device's rows of the 1 Hz table, in order of time.

    The basis is the device's best: what exactly a second stood on is not kept with the rows.
    """
    basis = Basis.COUNTER if device.method is Method.MEASURED else Basis.MODEL
    found: list[Segment] = []
    before: RawReading | None = None
    for row in rows:
        if before is None:
            before = row
            continue
        start, end, energy = before.settled_ns, row.settled_ns, row.curve_mj - before.curve_mj
        if end <= start or energy < 0:  # a correction came between: the next row makes up for it
            continue
        low, high = gain_bounds(energy, device.method)
        found.append(Segment(device.id, start, end, energy, low, high, basis, device.method))
        before = row
    return found
