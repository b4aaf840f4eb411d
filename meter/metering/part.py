"""Energy that came to an owner just now: what live counters book; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.metering.stretch import Stretch, Sums, by_owner, method_of, methods_of

if TYPE_CHECKING:
    from meter.metering.holdings import Owner
    from meter.model import Kind, Method, Segment


@dataclass(frozen=True, slots=True)
class Part:
    """Energy that came to an owner just now; what live counters book.

    A late hold moves energy and device time from one owner to another: the former then gets a
    negative part.
    """

    device_id: str
    kind: Kind
    run_id: str | None
    start_ns: int
    end_ns: int
    energy_mj: int
    low_mj: int
    high_mj: int
    covered: bool
    method: Method
    correction: bool = False
    held_us: int = 0  # device time, shares applied


def part_of(
    segment: Segment, owner: Owner, start_ns: int, end_ns: int, sums: Sums, *, split: bool
) -> Part:
    """What an owner got of a segment, or of several that are like it."""
    return Part(
        segment.device_id,
        owner.kind,
        owner.run_id,
        start_ns,
        end_ns,
        sums.energy,
        sums.low,
        sums.high,
        segment.covered,
        method_of(segment.method, split=split),
        segment.correction,
        sums.held_us,
    )


def moved(
    device_id: str, span_ns: tuple[int, int], former: list[Stretch], fresh: list[Stretch]
) -> list[Part]:
    """What changed hands where a device's stretches were counted once more."""
    before, after = by_owner(former), by_owner(fresh)
    methods = methods_of([*fresh, *former])
    return [
        Part(
            device_id,
            owner.kind,
            owner.run_id,
            *span_ns,
            *sums[:3],
            covered=True,
            method=methods[owner],
            held_us=sums.held_us,
        )
        for owner in sorted(before | after, key=lambda o: (o.kind, o.run_id or ""))
        if any(sums := after.get(owner, Sums()).minus(before.get(owner, Sums())))
    ]
