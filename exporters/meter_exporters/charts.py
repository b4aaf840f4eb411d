"""Charts of a run as paths for SVG: mean power over time and cumulative energy, stacked.

Both are read off the cumulative energy of each device, so that the area under the power chart
is the energy chart. Pure: numbers in, path texts out; the template draws them.
"""

from __future__ import annotations

import itertools
import statistics
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter_exporters.axes import Axis, quantity_axis, time_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

WIDTH, HEIGHT = 860, 270
LEFT, RIGHT, TOP, BOTTOM = 56, 848, 12, 236
_MOST_BINS = 396  # two units of the drawing each
_MOST_LAYERS = 10
_GAP_FACTOR = 4
_SHORTEST_GAP_S = 2.5
_PLAUSIBLE = 1.5
_POWER_UNITS = ((0.0, 1.0, "W"), (1e3, 1e3, "kW"), (1e6, 1e6, "MW"))
Points = list[tuple[float, float]]
_ENERGY_UNITS = (
    (0.0, 1.0, "J"),
    (1e3, 1e3, "kJ"),
    (3.6e4, 3.6e3, "Wh"),
    (3.6e6, 3.6e6, "kWh"),
    (3.6e9, 3.6e9, "MWh"),
)


@dataclass(frozen=True, slots=True)
class Curve:
    """Cumulative energy in J of one device over elapsed seconds, both ascending."""

    device_id: str
    seconds: tuple[float, ...]
    joules: tuple[float, ...]

    def at(self, second: float) -> float:
        """Energy until an instant; linear between points, flat outside."""
        index = bisect_right(self.seconds, second)
        if index == 0:
            return 0.0
        if index == len(self.seconds):
            return self.joules[-1]
        start, end = self.seconds[index - 1], self.seconds[index]
        part = (second - start) / (end - start)
        return self.joules[index - 1] + part * (self.joules[index] - self.joules[index - 1])


@dataclass(frozen=True, slots=True)
class Layer:
    """One stacked area: whose it is, its colour's class, its outline."""

    label: str
    css: str
    path: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a device was not seen."""

    label: str
    x: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template needs to draw one chart."""

    name: str
    layers: tuple[Layer, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    y_unit: str
    gaps: tuple[Gap, ...]
    bin_s: float
    largest: float


@dataclass(frozen=True, slots=True)
class Group:
    """Devices that are drawn as one layer."""

    label: str
    css: str
    device_ids: frozenset[str]

    @property
    def many(self) -> bool:
        """Whether the layer stands for more than one device."""
        return len(self.device_ids) > 1


def curves_of(series: Iterable[Mapping[str, Any]], start_us: int) -> dict[str, Curve]:
    """A curve for each device of a series, from its own first point on."""
    points: dict[str, list[tuple[float, float]]] = {}
    for point in series:
        if point["energy_j"] is not None:
            second = (point["at_us"] - start_us) / 1e6
            points.setdefault(point["device_id"], []).append((second, float(point["energy_j"])))
    return {device_id: _curve(device_id, found) for device_id, found in points.items()}


def _curve(device_id: str, points: list[tuple[float, float]]) -> Curve:
    points.sort()
    seconds: list[float] = []
    joules: list[float] = []
    for second, energy in points:
        if not seconds or second > seconds[-1]:
            seconds.append(second)
            joules.append(max(energy - points[0][1], joules[-1] if joules else 0.0))
    return Curve(device_id, tuple(seconds), tuple(joules))


def bridged(curve: Curve, total_j: float, duration_s: float) -> Curve:
    """The curve from the run's start to its end, with the energy that the run is known to have.

    Readings begin a moment after the start and end a moment before the end; what they lack of the
    total is spread over these ends, evenly. Left as it is where that would not be plausible, as
    for a device that the run shared.
    """
    first_s, last_s = max(0.0, curve.seconds[0]), min(duration_s, curve.seconds[-1])
    unseen_s = first_s + duration_s - last_s
    missing_j = total_j - curve.joules[-1]
    steps = zip(itertools.pairwise(curve.seconds), itertools.pairwise(curve.joules), strict=True)
    most_w = max(((j1 - j0) / (s1 - s0) for (s0, s1), (j0, j1) in steps), default=0.0)
    if unseen_s <= 0 or not 0 <= missing_j <= _PLAUSIBLE * most_w * unseen_s:
        return curve
    before_j = missing_j * first_s / unseen_s
    seconds, joules = list(curve.seconds), [before_j + energy for energy in curve.joules]
    if first_s > 0:
        seconds, joules = [0.0, *seconds], [0.0, *joules]
    if last_s < duration_s:
        seconds, joules = [*seconds, duration_s], [*joules, total_j]
    return Curve(curve.device_id, tuple(seconds), tuple(joules))


def groups_of(devices: Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    """A layer for each device, or for each component where devices are many."""
    if len(devices) <= _MOST_LAYERS:
        gpus = 0
        groups = []
        for device in devices:
            css = str(device["component"])
            label = {"cpu": "CPU", "ram": "RAM"}.get(css, str(device["name"]))
            if css == "gpu":
                css, label = f"gpu{gpus % 8}", f"GPU {gpus}"
                gpus += 1
            groups.append(Group(label, css, frozenset({str(device["id"])})))
        return tuple(groups)
    by_component: dict[str, set[str]] = {}
    for device in devices:
        by_component.setdefault(str(device["component"]), set()).add(str(device["id"]))
    return tuple(
        Group(f"{len(ids)} x {name.upper()}", "gpu0" if name == "gpu" else name, frozenset(ids))
        for name, ids in by_component.items()
    )


def gaps_of(
    curves: Iterable[Curve], labels: Mapping[str, str], duration_s: float
) -> tuple[Gap, ...]:
    """Times without points, where points come regularly otherwise."""
    gaps = []
    for curve in curves:
        spacings = [b - a for a, b in zip(curve.seconds, curve.seconds[1:], strict=False)]
        if not spacings:
            continue
        least = max(_SHORTEST_GAP_S, _GAP_FACTOR * statistics.median(spacings))
        gaps += [
            Gap(
                labels.get(curve.device_id, curve.device_id),
                _x(start, duration_s),
                _x(start + spacing, duration_s) - _x(start, duration_s),
                spacing,
            )
            for start, spacing in zip(curve.seconds, spacings, strict=False)
            if spacing > least
        ]
    return tuple(gaps)


def power_chart(groups: Sequence[Group], curves: Mapping[str, Curve], duration_s: float) -> Chart:
    """Mean power of each short stretch of time, stacked."""
    edges = _edges(curves.values(), duration_s)
    width = edges[1] - edges[0]
    rows = []
    for group in groups:
        sums = _sums(group, curves, edges)
        rows.append([max(0.0, (b - a) / width) for a, b in itertools.pairwise(sums)])
    stacked = _stack(rows)
    axis = quantity_axis(max(stacked[-1], default=0.0), _POWER_UNITS)
    layers = _layers(groups, stacked, lambda values: _steps(edges, values, duration_s, axis.top))
    return _chart("power", layers, axis, groups, curves, duration_s, width, max(stacked[-1]))


def energy_chart(groups: Sequence[Group], curves: Mapping[str, Curve], duration_s: float) -> Chart:
    """Cumulative energy, stacked."""
    edges = _edges(curves.values(), duration_s)
    stacked = _stack([_sums(group, curves, edges) for group in groups])
    axis = quantity_axis(max(stacked[-1], default=0.0), _ENERGY_UNITS)
    layers = _layers(groups, stacked, lambda values: _line(edges, values, duration_s, axis.top))
    width = edges[1] - edges[0]
    return _chart("energy", layers, axis, groups, curves, duration_s, width, max(stacked[-1]))


def _edges(curves: Iterable[Curve], duration_s: float) -> list[float]:
    """Edges of the bins: no finer than the points are, no more than can be drawn."""
    spacings = [
        (curve.seconds[-1] - curve.seconds[0]) / (len(curve.seconds) - 1)
        for curve in curves
        if len(curve.seconds) > 1
    ]
    finest = min(spacings, default=duration_s)
    count = max(1, min(_MOST_BINS, round(duration_s / max(finest, 1e-3))))
    return [duration_s * index / count for index in range(count + 1)]


def _sums(group: Group, curves: Mapping[str, Curve], edges: list[float]) -> list[float]:
    mine = [curves[device_id] for device_id in sorted(group.device_ids) if device_id in curves]
    return [sum(curve.at(edge) for curve in mine) for edge in edges]


def _stack(rows: list[list[float]]) -> list[list[float]]:
    """Row i becomes the sum of rows 0 to i."""
    stacked: list[list[float]] = []
    for row in rows:
        below = stacked[-1] if stacked else [0.0] * len(row)
        stacked.append([low + value for low, value in zip(below, row, strict=True)])
    return stacked


def _layers(
    groups: Sequence[Group], stacked: list[list[float]], points: Callable[[list[float]], Points]
) -> tuple[Layer, ...]:
    layers = []
    below = points([0.0] * len(stacked[0]))
    for group, row in zip(groups, stacked, strict=True):
        above = points(row)
        layers.append(Layer(group.label, group.css, _outline(above, below)))
        below = above
    return tuple(layers)


def _outline(above: Points, below: Points) -> str:
    corners = [f"{x:.1f} {y:.1f}" for x, y in [*above, *reversed(below)]]
    return f"M{'L'.join(corners)}Z"


def _steps(edges: list[float], values: list[float], duration_s: float, top: float) -> Points:
    points = []
    for index, value in enumerate(values):
        y = _y(value, top)
        points += [(_x(edges[index], duration_s), y), (_x(edges[index + 1], duration_s), y)]
    return points


def _line(edges: list[float], values: list[float], duration_s: float, top: float) -> Points:
    return [(_x(e, duration_s), _y(v, top)) for e, v in zip(edges, values, strict=True)]


def _x(second: float, duration_s: float) -> float:
    return LEFT + min(max(second / duration_s, 0.0), 1.0) * (RIGHT - LEFT)


def _y(value: float, top: float) -> float:
    return BOTTOM - value / top * (BOTTOM - TOP)


def _chart(
    name: str,
    layers: tuple[Layer, ...],
    axis: Axis,
    groups: Sequence[Group],
    curves: Mapping[str, Curve],
    duration_s: float,
    bin_s: float,
    largest: float,
) -> Chart:
    labels = {device_id: group.label for group in groups for device_id in group.device_ids}
    return Chart(
        name=name,
        layers=layers,
        x_ticks=tuple((_x(s, duration_s), label) for s, label in time_axis(duration_s).ticks),
        y_ticks=tuple((_y(value, axis.top), label) for value, label in axis.ticks),
        y_unit=axis.unit,
        gaps=gaps_of(curves.values(), labels, duration_s),
        bin_s=bin_s,
        largest=largest,
    )
