"""Simulated GPUs that look like a fine-tune, for demonstrations and tests; labelled everywhere.

Power repeats a fixed pattern, so that the energy of any window is known exactly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from meter.errors import SourceAbsentError
from meter.model import Component, Device, DeviceStatus, Method, ProcessUse
from meter.sampling.source import Look
from meter.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_GPUS = 64
TICK_NS = 100 * NS_PER_MS  # of counter and power alike
MEAN_NS = NS_PER_S
INSTANT_NS = 25 * NS_PER_MS
PHASE_NS = 7 * NS_PER_MS  # by which each further GPU ticks later
MW_NS_PER_MJ = NS_PER_S


class Preset(NamedTuple):
    """A board's power when idle, its limit, and its memory; round figures, assumed."""

    name: str
    idle_mw: int
    limit_mw: int
    memory_bytes: int


PRESETS = {
    "H100": Preset("NVIDIA H100 80GB HBM3", 70_000, 700_000, 80 * 2**30),
    "H200": Preset("NVIDIA H200", 75_000, 700_000, 141 * 2**30),
    "A100": Preset("NVIDIA A100-SXM4-80GB", 55_000, 400_000, 80 * 2**30),
    "L4": Preset("NVIDIA L4", 16_000, 72_000, 24 * 2**30),
    "V100": Preset("Tesla V100-SXM2-32GB", 40_000, 300_000, 32 * 2**30),
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Power in mW over a repeated row of (duration in ns, power) steps."""

    steps: tuple[tuple[int, int], ...]

    @property
    def period_ns(self) -> int:
        """Duration of the row."""
        return sum(duration for duration, _ in self.steps)

    def energy_mw_ns(self, at_ns: int) -> int:
        """Energy from 0 to an instant, in mW x ns; nothing before 0."""
        if at_ns <= 0:
            return 0
        whole, rest = divmod(at_ns, self.period_ns)
        total = whole * sum(duration * power for duration, power in self.steps)
        for duration, power in self.steps:
            total += min(rest, duration) * power
            rest -= duration
            if rest <= 0:
                break
        return total


def training(preset: Preset) -> Pattern:
    """Steps of 0.9 s (0.66 s compute, 0.24 s exchange), then 2.1 s for writing a checkpoint."""
    span = preset.limit_mw - preset.idle_mw
    compute = preset.idle_mw + span * 88 // 100
    exchange = preset.idle_mw + span * 45 // 100
    write = preset.idle_mw + span * 12 // 100
    step = ((660 * NS_PER_MS, compute), (240 * NS_PER_MS, exchange))
    return Pattern(step * 22 + ((2_100 * NS_PER_MS, write),))


def parse(spec: str) -> list[Preset]:
    """The boards of a specification such as ``2xH100`` or ``1xA100,4xL4``.

    Raises SourceAbsentError naming the known boards.
    """
    presets: list[Preset] = []
    for part in spec.split(","):
        match = re.fullmatch(r"\s*(?:(\d{1,3})\s*x\s*)?(\w+)\s*", part, re.ASCII)
        preset = PRESETS.get(match[2].upper()) if match else None
        if match is None or preset is None:
            raise SourceAbsentError(
                f"simulated devices: {part[:40]!r} is not known",
                f"write a number, x and one of {', '.join(PRESETS)}, such as 2xH100",
            )
        presets += [preset] * int(match[1] or 1)
    if not 0 < len(presets) <= MAX_GPUS:
        raise SourceAbsentError(
            f"simulated devices: {len(presets)} GPUs", f"ask for 1 to {MAX_GPUS}"
        )
    return presets


class Simulated:
    """GPUs without hardware behind the same interface.

    The pattern begins at 0 of the ``clock`` (ns since boot), whoever looks and since when: so the
    counter goes on over samplers and agents, as that of a real board does.
    """

    name = "simulated"
    incomplete = None

    def __init__(
        self,
        spec: str,
        clock: Callable[[], int],
        *,
        pattern: Callable[[Preset], Pattern] = training,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._pattern = pattern
        self._boards: dict[str, tuple[int, Preset, Pattern]] = {}

    @property
    def driver_version(self) -> str | None:
        """None: there is no driver."""
        return None

    def open(self) -> list[Device]:
        """The devices of the specification."""
        presets = parse(self._spec)
        self._boards = {
            f"GPU-51b0{index:04x}-0000-4000-8000-000000000000": (
                index,
                preset,
                self._pattern(preset),
            )
            for index, preset in enumerate(presets)
        }
        return [_device(uuid, index, board) for uuid, (index, board, _) in self._boards.items()]

    def look(self, device_id: str) -> Look:
        """Counter and power as of the last tick."""
        index, _, pattern = self._boards[device_id]
        elapsed = self._clock() - index * PHASE_NS
        tick = elapsed // TICK_NS * TICK_NS
        energy = pattern.energy_mw_ns(tick)
        mean = energy - pattern.energy_mw_ns(tick - MEAN_NS)
        instant = energy - pattern.energy_mw_ns(tick - INSTANT_NS)
        return Look(
            energy // MW_NS_PER_MJ,
            mean // max(1, min(MEAN_NS, tick)),
            instant // max(1, min(INSTANT_NS, tick)),
        )

    def status(self, device_id: str) -> DeviceStatus | None:
        """Gauges that go with the power."""
        _, preset, _ = self._boards[device_id]
        mean_mw = self.look(device_id).mean_mw or preset.idle_mw
        load = max(0.0, (mean_mw - preset.idle_mw) / (preset.limit_mw - preset.idle_mw))
        return DeviceStatus(
            device_id,
            self._clock(),
            utilization_ratio=round(min(1.0, load), 2),
            memory_used_bytes=preset.memory_bytes * 3 // 4,
            temperature_celsius=round(35 + 40 * load, 0),
            sm_clock_mhz=1_980,
        )

    def processes(self, device_id: str) -> tuple[ProcessUse, ...] | None:  # noqa: ARG002 - one interface
        """None: nothing is known of processes."""
        return None

    def resolution_ns(self, device_id: str) -> int | None:  # noqa: ARG002 - one interface
        """None: it ticks as a real counter does."""
        return None

    def energy_mj(self, device_id: str, since_ns: int, until_ns: int) -> float:
        """The exact energy of a window on the source's clock."""
        index, _, pattern = self._boards[device_id]
        origin = index * PHASE_NS
        until, since = (
            pattern.energy_mw_ns(until_ns - origin),
            pattern.energy_mw_ns(since_ns - origin),
        )
        return (until - since) / MW_NS_PER_MJ

    def close(self) -> None:
        """Nothing to give back."""


def _device(uuid: str, index: int, preset: Preset) -> Device:
    return Device(
        id=uuid,
        component=Component.GPU,
        name=f"{preset.name} (simulated)",
        method=Method.MEASURED,
        index=index,
        power_limit_mw=preset.limit_mw,
        simulated=True,
    )


def names() -> Sequence[str]:
    """The boards that can be simulated."""
    return tuple(PRESETS)
