"""GPU models: what a board is, and how its sensors and its counter see its load.

The presets are assumptions (sensor survey in arXiv 2312.02741), not measurements. This module is
their only source: the build writes them into the library, for scripts that say ``preset H100``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from standin.units import mj, mw, ns

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Sensor:
    """A power sensor: every ``period_s`` the mean of the last ``window_s``.

    It is multiplied by the gain, and the offset added. Period 0 means continuous, window 0 the
    instant itself.
    """

    period_s: float = 0.1
    window_s: float = 0
    phase_s: float = 0
    gain: float = 1
    offset_w: float = 0

    def line(self, name: str) -> str:
        """The script line."""
        times = f"period={ns(self.period_s)}ns window={ns(self.window_s)}ns"
        times += f" phase={ns(self.phase_s)}ns"
        return f"sensor {name} {times} gain={self.gain!r} offset={mw(self.offset_w)}mW"


@dataclass(frozen=True, slots=True)
class Counter:
    """The energy counter: a new value at each tick (tick 0: always the present one).

    ``sampled_window_s`` makes it sum mean power over that window x tick at each tick, as a sensor
    that sees a part of the time would; None integrates exactly. ``jitter_s`` moves each tick by up
    to so much to either side, ``delay_s`` makes the value that much older than the tick.
    """

    tick_s: float = 0.1
    phase_s: float = 0
    jitter_s: float = 0
    delay_s: float = 0
    gain: float = 1
    quantum_mj: int = 1
    start_j: float = 0
    seed: int = 0
    sampled_window_s: float | None = None

    def line(self) -> str:
        """The script line."""
        mode = "mode=exact"
        if self.sampled_window_s is not None:
            mode = f"mode=sampled window={ns(self.sampled_window_s)}ns"
        times = f"tick={ns(self.tick_s)}ns phase={ns(self.phase_s)}ns"
        times += f" jitter={ns(self.jitter_s)}ns delay={ns(self.delay_s)}ns"
        values = f"gain={self.gain!r} quantum={self.quantum_mj}mJ start={mj(self.start_j)}mJ"
        return f"counter {times} {values} seed={self.seed} {mode}"


@dataclass(frozen=True, slots=True)
class Model:
    """A GPU model; a sensor or counter of None is not there (NOT_SUPPORTED)."""

    name: str
    architecture: int
    brand: int
    capability: str
    limit_w: float
    min_limit_w: float
    idle_w: float
    memory_bytes: int
    power: Sensor | None
    instant: Sensor | None
    average: Sensor | None
    counter: Counter | None
    module: Sensor | None = None
    mig_capable: bool = False
    sm_clock_mhz: int = 1980
    memory_clock_mhz: int = 2619
    sample_period_s: float = 0.02
    sample_count: int = 100

    def lines(self) -> list[str]:
        """The script lines of the model."""
        limits = f"limit {mw(self.limit_w)}mW min={mw(self.min_limit_w)}mW idle={mw(self.idle_w)}mW"
        lines = [
            f'name "{self.name}"',
            f"architecture {self.architecture}",
            f"brand {self.brand}",
            f"capability {self.capability}",
            limits,
            f"memory {self.memory_bytes}B reserved={self.memory_bytes // 128}B",
            f"gauges sm_clock={self.sm_clock_mhz} memory_clock={self.memory_clock_mhz}",
        ]
        sensors = {"power": self.power, "instant": self.instant, "average": self.average}
        for name, sensor in {**sensors, "module": self.module}.items():
            lines.append(sensor.line(name) if sensor else f"sensor {name} off")
        lines.append(self.counter.line() if self.counter else "counter off")
        samples = f"samples period={ns(self.sample_period_s)}ns length={self.sample_count}"
        lines.append(samples if self.sample_count else "samples off")
        lines.append("mig off" if self.mig_capable else "mig none")
        return lines

    def with_counter(self, counter: Counter) -> Model:
        """The same model with another counter."""
        return replace(self, counter=counter)

    def without_counter(self) -> Model:
        """The same model with no counter."""
        return replace(self, counter=None)


MEAN_1S = Sensor(period_s=0.1, window_s=1)
INSTANT_25MS = Sensor(period_s=0.1, window_s=0.025)
INSTANT_10MS = Sensor(period_s=0.02, window_s=0.01)
WHOLE_100MS = Sensor(period_s=0.1, window_s=0.1)

H100 = Model(
    name="NVIDIA H100 80GB HBM3",
    architecture=9, brand=14, capability="9.0",
    limit_w=700, min_limit_w=200, idle_w=70, memory_bytes=80 * GIB,
    power=MEAN_1S, instant=INSTANT_25MS, average=MEAN_1S, counter=Counter(),
    mig_capable=True,
)  # fmt: skip
A100 = Model(
    name="NVIDIA A100-SXM4-80GB",
    architecture=7, brand=14, capability="8.0",
    limit_w=400, min_limit_w=100, idle_w=55, memory_bytes=80 * GIB,
    power=INSTANT_25MS, instant=INSTANT_25MS, average=None, counter=Counter(),
    mig_capable=True, sm_clock_mhz=1410, memory_clock_mhz=1593,
)  # fmt: skip
V100 = Model(
    name="Tesla V100-SXM2-32GB",
    architecture=5, brand=2, capability="7.0",
    limit_w=300, min_limit_w=150, idle_w=40, memory_bytes=32 * GIB,
    power=INSTANT_10MS, instant=INSTANT_10MS, average=None, counter=Counter(tick_s=0.02),
    sm_clock_mhz=1530, memory_clock_mhz=877,
)  # fmt: skip
P100 = Model(
    name="Tesla P100-PCIE-16GB",
    architecture=4, brand=2, capability="6.0",
    limit_w=250, min_limit_w=125, idle_w=30, memory_bytes=16 * GIB,
    power=INSTANT_10MS, instant=INSTANT_10MS, average=None, counter=None,
    sm_clock_mhz=1328, memory_clock_mhz=715,
)  # fmt: skip
RTX3090 = Model(
    name="NVIDIA GeForce RTX 3090",
    architecture=7, brand=5, capability="8.6",
    limit_w=350, min_limit_w=100, idle_w=30, memory_bytes=24 * GIB,
    power=WHOLE_100MS, instant=WHOLE_100MS, average=MEAN_1S, counter=Counter(),
    sm_clock_mhz=1695, memory_clock_mhz=9751,
)  # fmt: skip
GH200 = Model(
    name="NVIDIA GH200 480GB",
    architecture=9, brand=14, capability="9.0",
    limit_w=900, min_limit_w=300, idle_w=90, memory_bytes=96 * GIB,
    power=MEAN_1S, instant=Sensor(period_s=0.1, window_s=0.02), average=MEAN_1S,
    module=Sensor(period_s=0.1, window_s=0.02, offset_w=120), counter=Counter(),
    mig_capable=True,
)  # fmt: skip
VGPU = Model(
    name="NVIDIA A16-16Q",
    architecture=7, brand=9, capability="8.6",
    limit_w=62.5, min_limit_w=62.5, idle_w=10, memory_bytes=16 * GIB,
    power=WHOLE_100MS, instant=None, average=None, counter=None, sample_count=0,
    sm_clock_mhz=1695, memory_clock_mhz=6251,
)  # fmt: skip

PRESETS = {
    "H100": H100,
    "A100": A100,
    "V100": V100,
    "P100": P100,
    "RTX3090": RTX3090,
    "GH200": GH200,
    "vGPU": VGPU,
}
