"""Loads: power as a function of time. A GPU's load is the sum of one or more shapes.

Every shape holds for all time, before trace time 0 too; ``phase_s`` moves it later, and
``repeat_s`` plays its first so many seconds over and over.
"""

from __future__ import annotations

from dataclasses import dataclass

from standin.units import mw, ns

RANDOM_CELLS = 1024
"""A random pattern repeats after so many cells, so that its energy has a closed form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What all shapes have."""

    phase_s: float = 0
    repeat_s: float = 0

    def words(self) -> str:
        """The shape's own part of its script line."""
        raise NotImplementedError

    def line(self) -> str:
        """The script line."""
        common = ""
        if self.phase_s:
            common += f" phase={ns(self.phase_s)}ns"
        if self.repeat_s:
            common += f" repeat={ns(self.repeat_s)}ns"
        return f"power {self.words()}{common}"


@dataclass(frozen=True, slots=True)
class Constant(Shape):
    """The same power always."""

    level_w: float

    def words(self) -> str:
        """The shape's part of its script line."""
        return f"constant level={mw(self.level_w)}mW"


@dataclass(frozen=True, slots=True)
class Ramp(Shape):
    """From one power to another in ``over_s``; flat before and after."""

    from_w: float
    to_w: float
    over_s: float

    def words(self) -> str:
        """The shape's part of its script line."""
        return f"ramp from={mw(self.from_w)}mW to={mw(self.to_w)}mW over={ns(self.over_s)}ns"


@dataclass(frozen=True, slots=True)
class Square(Shape):
    """High for the first ``duty`` of each period, low for the rest."""

    low_w: float
    high_w: float
    period_s: float
    duty: float = 0.5

    @property
    def high_ns(self) -> int:
        """How long it is high in each period."""
        return round(ns(self.period_s) * self.duty)

    def words(self) -> str:
        """The shape's part of its script line."""
        levels = f"low={mw(self.low_w)}mW high={mw(self.high_w)}mW"
        return f"square {levels} period={ns(self.period_s)}ns width={self.high_ns}ns"


@dataclass(frozen=True, slots=True)
class Sine(Shape):
    """A sine around ``mean_w``."""

    mean_w: float
    amplitude_w: float
    period_s: float

    def words(self) -> str:
        """The shape's part of its script line."""
        levels = f"mean={mw(self.mean_w)}mW amplitude={mw(self.amplitude_w)}mW"
        return f"sine {levels} period={ns(self.period_s)}ns"


@dataclass(frozen=True, slots=True)
class Spikes(Shape):
    """A spike of ``height_w`` at the start of each period, nothing between; added to a base."""

    height_w: float
    width_s: float
    period_s: float

    def words(self) -> str:
        """The shape's part of its script line."""
        times = f"width={ns(self.width_s)}ns period={ns(self.period_s)}ns"
        return f"spikes height={mw(self.height_w)}mW {times}"


@dataclass(frozen=True, slots=True)
class RandomSpikes(Shape):
    """In each period, with ``probability``, a spike somewhere inside it; the same for a seed."""

    height_w: float
    width_s: float
    period_s: float
    probability: float = 1
    seed: int = 0

    def words(self) -> str:
        """The shape's part of its script line."""
        times = f"width={ns(self.width_s)}ns period={ns(self.period_s)}ns"
        chance = f"probability={self.probability!r} seed={self.seed}"
        return f"random height={mw(self.height_w)}mW {times} {chance}"


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of constant power, or of power that goes evenly to ``to_w``."""

    duration_s: float
    power_w: float
    to_w: float | None = None

    def word(self) -> str:
        """The step as scripts write it."""
        to = "" if self.to_w is None else f">{mw(self.to_w)}mW"
        return f"{ns(self.duration_s)}ns:{mw(self.power_w)}mW{to}"


@dataclass(frozen=True, slots=True)
class Steps(Shape):
    """One step after the other, from trace time 0; the last power holds, unless it loops."""

    steps: tuple[Step, ...]
    loop: bool = False

    def words(self) -> str:
        """The shape's part of its script line."""
        return f"steps {' '.join(step.word() for step in self.steps)}{' loop' if self.loop else ''}"
