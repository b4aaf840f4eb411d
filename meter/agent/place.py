"""What is given to a metering: where and for whom it meters, by which clocks."""

from __future__ import annotations

import hashlib
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meter.metering.activity import IdlePolicy
from meter.model import Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from meter.agent.job_map import JobMap
    from meter.model import Factor, Notice, Site


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


def this_node() -> Node:
    """This machine; its id is a hash, because the machine id itself is nobody's business."""
    hostname = socket.gethostname()
    boot_id = _text("/proc/sys/kernel/random/boot_id")
    seed = _text("/etc/machine-id") or hostname
    return Node(hashlib.sha256(f"meter {seed}".encode()).hexdigest()[:16], boot_id, hostname)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def boot_ns() -> int:
    """CLOCK_BOOTTIME of this node, in ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def wall_us() -> int:
    """UTC µs by this node's wall clock."""
    return time.time_ns() // 1_000
