"""Energy of a run that was not metered, spread over the time that it took; pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from meter.model import Interval, Kind, Method
from meter.units import US_PER_QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Work:
    """What a run did on a device between two instants; ``held_us`` is the time of all its GPUs.

    ``method`` is assumed where the value only stands in for a range.
    """

    run_id: str
    device_id: str
    start_us: int
    end_us: int
    energy_mj: int
    low_mj: int
    high_mj: int
    held_us: int
    method: Method = Method.MODELLED


def intervals(work: Work) -> tuple[Interval, ...]:
    """One interval for each UTC quarter hour that the work touches; their sums are the work's.

    Power is taken to be even. Nothing looked at the device, so nothing is covered or measured.
    Metered intervals end with their minute; these would be a million for nothing, and factors
    change on quarter hours only. Work whose length is not known is one interval without length.
    """
    edges = list(_edges(work.start_us, work.end_us))
    low = _spread(work.low_mj, edges)
    below = _spread(work.energy_mj - work.low_mj, edges)
    above = _spread(work.high_mj - work.energy_mj, edges)
    held = _spread(work.held_us, edges)
    return tuple(
        Interval(
            device_id=work.device_id,
            kind=Kind.RUN,
            run_id=work.run_id,
            start_us=start_us,
            end_us=end_us,
            energy_mj=low[n] + below[n],
            low_mj=low[n],
            high_mj=low[n] + below[n] + above[n],
            covered_us=0,
            measured_mj=0,
            method=work.method,
            held_us=held[n],
        )
        for n, (start_us, end_us) in enumerate(pairwise(edges))
    )


def _edges(start_us: int, end_us: int) -> Iterator[int]:
    """Start, every quarter hour between, end."""
    yield start_us
    yield from range(start_us - start_us % US_PER_QUARTER + US_PER_QUARTER, end_us, US_PER_QUARTER)
    yield end_us


def _spread(total: int, edges: list[int]) -> list[int]:
    """Parts in proportion to time, whole numbers of at least 0 that add up to the total."""
    start_us, length_us = edges[0], edges[-1] - edges[0]
    if length_us == 0:
        return [total]
    until = [total * (edge - start_us) // length_us for edge in edges]
    return [after - before for before, after in pairwise(until)]
