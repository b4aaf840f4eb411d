"""What is given to a metering: where and for whom it meters, by which clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.metering.activity import IdlePolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.agent.job_map import JobMap
    from meter.model import Factor, Node, Notice, Site


@dataclass(frozen=True, slots=True)
class Place:
    """Where and for whom is metered; ``notices`` are for every run: what was wrong at the start."""

    node: Node
    site: Site
    factors: tuple[Factor, ...] = ()
    private: bool = False
    notices: tuple[Notice, ...] = ()
    idle: IdlePolicy = IdlePolicy.OWNER
    job_map: JobMap | None = None
    board: bool = True  # whether there is a GPU, or may be one


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: CLOCK_BOOTTIME in ns for time, UTC in µs for labels."""

    boot_ns: Callable[[], int]
    wall_us: Callable[[], int]
