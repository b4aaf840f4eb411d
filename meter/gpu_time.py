"""Energy and carbon of GPU time of no job, estimated from the ledger when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meter.factors.books import grid_factor, world_factor
from meter.factors.hosted import hosted_factors
from meter.hosted.constants import Constants, constants_of
from meter.hosted.gpu_time import GpuTime, gpu_time_estimates, gpus_told
from meter.hosted.regions import zone_of_region
from meter.instants import parse_us
from meter.ledger import recovery
from meter.ledger.instants import micros
from meter.units import J_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meter.ledger.reader import Reader


def listed(reader: Reader, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """An estimate for each project, model, region and type of GPU.

    ``asked`` as in a query of /v1/usage. Raises UsageError for an instant that is none.
    """
    span = {
        name: parse_us(asked[word], word)
        for name, word in (("from_", "from"), ("to", "to"))
        if asked.get(word)
    }
    return within(reader, reader.newest_us(), asked.get("project"), span)


def within(
    reader: Reader, as_of_us: int, project: str | None, span: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Estimates of a project's GPU time of no job in a span, as known at an instant."""
    rows = reader.rows("report/gpu_seconds", project=project, as_of=as_of_us, **span)
    if not rows:
        return []
    told = [row for row in recovery.factors(reader) if row.recorded_us <= as_of_us]
    facts = (*hosted_factors(0), *told)
    constants: dict[int, Constants] = {}

    def at(day_us: int) -> Constants:
        return constants.setdefault(day_us, constants_of(facts, day_us))

    return [{**one, "carbon": _carbon(one)} for one in gpu_time_estimates(_times(rows), at)]


def _times(rows: Sequence[Mapping[str, Any]]) -> list[GpuTime]:
    return [
        GpuTime(
            project=row["project"], provider=row["provider"], model=row["model"],
            region=row["region"], gpus=gpus_told(row["told"]), day_us=micros(row["day"]),
            seconds=row["seconds"], events=int(row["event_count"]),
        )
        for row in rows
    ]  # fmt: skip


def _carbon(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """Location-based: by the yearly mean of the region's grid, else the world's range of grids."""
    if one["high_j"] is None:
        return None
    zone = zone_of_region(one["provider"], one["region"])
    grid = grid_factor(zone, 0) if zone else world_factor(0)
    parts = (("value", grid.value), ("low", grid.low), ("high", grid.high))
    return {
        **{end: one[f"{end}_j"] / J_PER_KWH * float(per_kwh or 0) for end, per_kwh in parts},
        "unit": "g",
        "method": "modelled" if zone else "assumed",
        "zone": zone,
    }
